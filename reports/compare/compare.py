"""Saved runs compared with the first of them, as Markdown or for a terminal.

There is one table per figure, with one row per cell of a later run. The same runs give the same
text.
"""

import functools
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import Run, significant
from worthit.datasets.errors import OptionError, RunError
from worthit.reports.analysis import figures, run_view, task
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.analysis.objective import Objective
from worthit.reports.analysis.run_view import missing
from worthit.reports.compare import blocks, regression, setup_differences, statistics
from worthit.reports.compare.blocks import Block, Bullets, Table
from worthit.reports.compare.comparable import ScoredPair, ratio, scored_pairs
from worthit.reports.compare.matching import ComparedRun, Counterparts, match
from worthit.reports.compare.regression import (
    CounterpartTests,
    Finding,
    RegressionReport,
    latency_ratio,
    read_both,
)
from worthit.reports.compare.statistics import Change, ScoredComments
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, joined, p_value, percent, written

Form = Literal["markdown", "terminal"]
_Value = Callable[[ScoredComments], str]
_Difference = Callable[[ScoredComments, ScoredComments], Change | None]


@dataclass(frozen=True)
class _Subtracted:
    """A figure of quality whose difference is shown."""

    name: str
    heading: str
    value: _Value
    difference: _Difference


_LEGEND = (
    "A ratio is the later run's figure divided by the first run's. {subtracted} are "
    "subtracted, in points of 0.01, with 95 % bootstrap intervals over the test comments. The 95 % "
    "intervals of latencies cover comments and drift within the measurements, that of a median on the "
    "same comments in both runs. No interval covers what lasts for a whole run, such as other programs. "
    "Answers are those chosen on each run's validation comments, for the objective of the first run; "
    "ROC AUC is of the calibrated scores, before that choice. "
    "Figures without an interval have one sample per run. Plain numbers are measured, *≈ italics* are "
    "estimates, (cached) comes from an earlier training, n/a is not available."
)
_CHECK_LEGEND = (
    "The ratio of median latencies is on the same comments. Its interval has 95 % for all rows together "
    "(Bonferroni), and must exceed the limit and the noise of both machines. Lost and gained are the "
    "test comments that only the first or only the later run classifies correctly, with the p value of "
    "McNemar's exact test, Holm-corrected."
)


@dataclass(frozen=True)
class Comparison:
    text: str
    verdict: str  # one line
    regressed: bool


def compare(
    runs: Sequence[tuple[str, Run]], *, limit_percent: float = 10.0, form: Form = "markdown"
) -> Comparison:
    """Compare later runs with the first.

    Args:
        runs: names and runs.
        limit_percent: how much worse a figure may be.
        form: tables for a terminal fit 80 columns.

    Raises:
        OptionError: too few or too many runs, or a limit that is not a percentage above 0.
        RunError: the runs have no cell in common, or only some have several labels per comment.
    """
    if not 2 <= len(runs) <= len(string.ascii_uppercase):
        raise OptionError(
            f"compare takes 2 to {len(string.ascii_uppercase)} runs, got {len(runs)}; "
            "`worthit runs` lists them"
        )
    if not 0 < limit_percent < float("inf"):
        raise OptionError(f"--limit is {limit_percent:g}; it takes a percentage above 0")
    kinds = {run.data.multilabel for _, run in runs}
    if len(kinds) > 1:
        raise RunError(
            "some of these runs have several labels per comment, others one class; compare runs of one kind"
        )
    named = zip(string.ascii_uppercase, runs, strict=False)
    compared_runs = [
        ComparedRun(letter, name, _decided(run, runs[0][1])) for letter, (name, run) in named
    ]
    pairs = match(compared_runs)
    scored = scored_pairs(pairs)
    report = regression.check(compared_runs, pairs, scored, limit_percent)
    verdict = _verdict(report, limit_percent, compared_runs)
    warnings = setup_differences.warnings(compared_runs, pairs)
    warnings = [*warnings, *_objectives(compared_runs)]
    machines = setup_differences.machine_rows(compared_runs)
    subtracted = _subtracted(pairs)
    names = joined([figure.name for figure in subtracted])
    content: list[Block] = [
        "# Comparison of runs",
        f"**{verdict}**",
        *_listed("Worse:", _lines(report.of_kind("regression"))),
        *_listed("Better:", _lines(report.of_kind("improvement"))),
        *_listed("Other possible causes of a difference:", warnings),
        "## Runs",
        Table(["", *(f"{run.letter}: {run.name}" for run in compared_runs)], machines),
        "## Figures",
        _LEGEND.format(subtracted=names[0].upper() + names[1:]),
        *_figures(pairs),
        *_quality(subtracted, pairs, scored),
        *_tests(report),
    ]
    write = blocks.markdown if form == "markdown" else blocks.terminal
    text = "\n\n".join(write(block) for block in content) + "\n"
    return Comparison(text, verdict, bool(report.of_kind("regression")))


def _decided(run: Run, base: Run) -> Run:
    """A run with answers for the objective of the first run, if both have as many classes."""
    as_many = len(run.data.classes) == len(base.data.classes)
    return Decisions.of(run, Objective.of(base if as_many else run)).decided


def _objectives(runs: Sequence[ComparedRun]) -> list[str]:
    """One line if runs were measured for different objectives, or other costs or recalls."""
    described = [Objective.of(one.run).described for one in runs]
    if len(set(described)) < 2:
        return []
    each = ", ".join(f"{one.letter} {text}" for one, text in zip(runs, described, strict=True))
    return [
        f"objectives, costs or recalls of the runs: {each}; answers here are all chosen as in A"
    ]


def _verdict(report: RegressionReport, limit_percent: float, runs: Sequence[ComparedRun]) -> str:
    if report.refusal:
        return f"no verdict: {report.refusal}"
    worse = [f"{finding.what} ({finding.letter})" for finding in report.of_kind("regression")]
    verdict = (
        f"regression: {', '.join(worse)}" if worse else f"no regression beyond {limit_percent:g} %"
    )
    unchecked = [f"{pair.later.name} ({pair.later_run.letter})" for pair in report.unchecked]
    if unchecked:
        verdict += f"; not checked, because settings or weights differ: {', '.join(unchecked)}"
    if unknown := [run.letter for run in runs if run.noise_percent is None]:
        verdict += f"; times not checked, because the noise of {joined(unknown)} was not measured"
    return verdict


def _lines(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.letter}, {finding.what}: {finding.how}" for finding in findings]


def _listed(heading: str, lines: Sequence[str]) -> list[Block]:
    return [heading, Bullets(lines)] if lines else []


def _figures(pairs: Sequence[Counterparts]) -> list[Block]:
    """One table for each figure that any run has, and one line for each other figure."""
    content: list[Block] = []
    absent = []
    for spec in figures.FIGURES:
        if not spec.compared:
            continue
        found = [figure for pair in pairs for figure in read_both(pair, spec)]
        if any(figure.value is not None for figure in found):
            content += _figure(spec, pairs)
        else:
            reasons = "; ".join(dict.fromkeys(figure.reason for figure in found))
            absent.append(f"{spec.heading}: n/a, {reasons}")
    return [*content, *_listed("In none of these runs:", absent)]


def _figure(spec: FigureSpec, pairs: Sequence[Counterparts]) -> list[Block]:
    notes = Footnotes()
    body = []
    for pair, name in zip(pairs, _names(pairs), strict=True):
        before, after = read_both(pair, spec)
        if before.value is None and after.value is None and _is_later_seed(pair):
            continue
        row = [
            name,
            pair.later_run.letter,
            written(before, notes, spec.number),
            written(after, notes, spec.number),
            written(ratio(before, after), notes, _times),
        ]
        if spec.quantile is not None:
            row.append(_between(latency_ratio(pair, spec), _times))
        body.append(row)
    headings = ["model", "run", "in A", "in run", "ratio"]
    if spec.quantile is not None:
        headings.append("95 % interval")
    return [f"### {spec.heading}", Table(headings, body, 2), *_footnotes(notes)]


def _is_later_seed(pair: Counterparts) -> bool:
    """True if both cells follow the first seed of their model, which alone has times and memory."""
    both = ((pair.base_run, pair.base), (pair.later_run, pair.later))
    return all(cell not in run_view.first_seeds(one.run) for one, cell in both)


def _subtracted(pairs: Sequence[Counterparts]) -> list[_Subtracted]:
    """The figures of quality that runs of this kind have."""
    runs = [one.run for pair in pairs for one in (pair.base_run, pair.later_run)]
    correct = task.of(runs[0]).correct.heading
    of_labels = (metrics.LABEL_F1, metrics.MICRO_F1) if runs[0].data.multilabel else ()
    macro = of_labels or any(len(run.data.classes) > 2 for run in runs)
    return [
        *(
            _Subtracted(
                measure.heading,
                f"test {measure.heading}",
                functools.partial(_value, measure),
                functools.partial(statistics.figure_difference, measure),
            )
            for measure in of_labels
        ),
        _Subtracted(correct, f"test {correct}", _accuracy, statistics.accuracy_difference),
        _Subtracted(
            "ROC AUC", "ROC AUC, macro" if macro else "ROC AUC", _auc, statistics.auc_difference
        ),
    ]


def _quality(
    subtracted: Sequence[_Subtracted],
    pairs: Sequence[Counterparts],
    scored: Sequence[ScoredPair | None],
) -> list[Block]:
    content: list[Block] = []
    for figure in subtracted:
        notes = Footnotes()
        body = [
            [name, pair.later_run.letter, *_quality_entries(pair, both, notes, figure)]
            for pair, both, name in zip(pairs, scored, _names(pairs), strict=True)
        ]
        if figure.value is _accuracy:
            body += _majority(pairs, scored)
        headings = ["model", "run", "in A", "in run", "points", "95 % interval"]
        content += [f"### {figure.heading}", Table(headings, body, 2), *_footnotes(notes)]
    return content


def _majority(
    pairs: Sequence[Counterparts], scored: Sequence[ScoredPair | None]
) -> Iterator[list[str]]:
    """What always predicting the majority class gives, in a row for each run."""
    first = {
        pair.later_run.letter: both
        for pair, both in reversed([*zip(pairs, scored, strict=True)])
        if both is not None
    }
    for letter, both in sorted(first.items()):
        accuracies = (metrics.majority_accuracy(one.labels) for one in (both.base, both.later))
        yield [
            class_names.constant(pairs[0].base_run.run),
            letter,
            *map(percent, accuracies),
            "",
            "",
        ]


def _quality_entries(
    pair: Counterparts,
    scored: ScoredPair | None,
    notes: Footnotes,
    figure: _Subtracted,
) -> list[str]:
    if scored is None:
        reasons = [
            notes.missing(missing(cell, "quality")) if cell.quality is None else ""
            for cell in (pair.base, pair.later)
        ]
        return [*reasons, "n/a", "n/a"]
    values = [figure.value(scored.base), figure.value(scored.later)]
    found = figure.difference(scored.base, scored.later)
    if found is None:
        return [*values, notes.missing("a class is missing"), "n/a"]
    points = "{:+z.1f}".format
    return [*values, notes.marked(points(found.value), scored.unpaired), _between(found, points)]


def _accuracy(scored: ScoredComments) -> str:
    return percent(float(scored.correct.mean()))


def _value(measure: Measure, scored: ScoredComments) -> str:
    value = measure.value(scored.probabilities, scored.labels)
    return "n/a" if value is None else measure.number(value)


def _auc(scored: ScoredComments) -> str:
    area = metrics.roc_auc(scored.calibrated, scored.labels)
    return "n/a" if area is None else f"{area:.3f}"


def _tests(report: RegressionReport) -> list[Block]:
    """The tests that decide the verdict, if there is one."""
    if report.refusal:
        return []
    names = _names([test.pair for test in report.tests])
    body = [
        [name, test.pair.later_run.letter, *_test_entries(test)]
        for test, name in zip(report.tests, names, strict=True)
    ]
    headings = ["model", "run", "latency p50", "interval", "lost", "gained", "p"]
    return ["## Check for regressions", _CHECK_LEGEND, Table(headings, body, 2)]


def _test_entries(test: CounterpartTests) -> list[str]:
    latency, changed = ["n/a"] * 2, ["n/a"] * 3
    if test.latency:
        latency = [f"×{_times(test.latency.value)}", _between(test.latency, _times)]
    if test.changed:
        changed = [str(test.changed.lost), str(test.changed.gained), p_value(test.changed.p_value)]
    return latency + changed


def _names(pairs: Sequence[Counterparts]) -> list[str]:
    """Names of the later cells; without the device if all compared cells ran on one."""
    devices = {cell.device for pair in pairs for cell in (pair.base, pair.later)}
    return [
        pair.later.name
        if len(devices) > 1
        else pair.later.name.replace(f"-{pair.later.device}", "", 1)
        for pair in pairs
    ]


def _times(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= value < 10 else significant(value)


def _between(change: Change | None, number: Callable[[float], str]) -> str:
    return "n/a" if change is None else f"{number(change.low)} to {number(change.high)}"


def _footnotes(notes: Footnotes) -> list[Block]:
    return [Bullets(notes.lines())] if notes.lines() else []

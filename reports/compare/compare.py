"""Saved runs side by side, as Markdown or for a terminal. Pure: the same runs give the same text.

A table a metric, a row a cell of a later run beside its counterpart in the first; so tables grow
downwards, and as many runs as you like fit into 80 columns.
"""

import string
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import Run, significant
from worthit.datasets.errors import OptionError
from worthit.reports.analysis import metrics
from worthit.reports.analysis.run_view import missing
from worthit.reports.compare import conditions, differences, regression
from worthit.reports.compare.counterparts import (
    METRICS,
    Metric,
    Pair,
    Side,
    figure,
    pairs,
    ratio,
    scored,
)
from worthit.reports.compare.differences import Difference, Interval, Scored
from worthit.reports.compare.regression import Verdict, latency_interval, p_value
from worthit.reports.text.format import Footnotes, percent, written
from worthit.reports.text.tables import listed, tabulated

Form = Literal["markdown", "terminal"]

_WIDTH = 80
_LEGEND = (
    "A ratio is a later run's figure over the first one's; accuracy and ROC AUC are subtracted, in "
    "points of 0.01. Intervals are 95 % bootstrap intervals over the samples of both runs: they do "
    "not hold what differs from one run to the next. Figures without one have one sample a run. "
    "Plain numbers are measured, *≈ italics* are estimates, (cached) comes from an earlier "
    "training, n/a is not available."
)
_CHECK_LEGEND = (
    "Cliff's delta of latencies, from -1 (all of the later run's are lower) to 1, with the p-value "
    "of the Mann-Whitney test; test comments that only the first run told right (lost) or only the "
    "later one (gained), with that of McNemar's exact test. Both p-values are Holm-corrected."
)


@dataclass(frozen=True)
class Table:
    headings: Sequence[str]
    body: Sequence[Sequence[str]]
    left: int = 1  # columns aligned left


@dataclass(frozen=True)
class Bullets:
    lines: Sequence[str]


Block = str | Table | Bullets  # of which a paragraph or heading is a str


@dataclass(frozen=True)
class Comparison:
    """What was found, written."""

    text: str
    verdict: str  # its line
    regressed: bool


def compared(
    runs: Sequence[tuple[str, Run]], *, limit_percent: float = 10.0, form: Form = "markdown"
) -> Comparison:
    """Compare the later runs with the first.

    Args:
        runs: each with the name to show.
        limit_percent: how much worse a figure may be.
        form: a terminal's tables stay within 80 columns.

    Raises:
        OptionError: too few or too many runs, or a limit that is none.
        RunError: they have no cell in common.
    """
    if not 2 <= len(runs) <= len(string.ascii_uppercase):
        raise OptionError(
            f"compare takes 2 to {len(string.ascii_uppercase)} runs, got {len(runs)}; "
            "`worthit runs` lists those there are"
        )
    if not 0 < limit_percent < float("inf"):
        raise OptionError(f"--limit is a percentage above 0, got {limit_percent:g}")
    sides = [
        Side(letter, *named) for letter, named in zip(string.ascii_uppercase, runs, strict=False)
    ]
    found = pairs(sides)
    verdict = regression.judged(sides, found, limit_percent)
    line = _line(verdict, limit_percent)
    blocks: list[Block] = [
        "# Comparison of runs",
        f"**{line}**",
        *_worse_and_better(verdict),
        *_differing(sides, found),
        "## Runs",
        Table(["", *(f"{side.letter}: {side.name}" for side in sides)], conditions.hardware(sides)),
        "## Figures",
        _LEGEND,
        *_figures(found),
        *_quality(found),
        *_check(verdict),
    ]
    write = _markdown if form == "markdown" else _terminal
    text = "\n\n".join(write(block) for block in blocks) + "\n"
    return Comparison(text, line, bool(verdict.of("regression")))


def _line(verdict: Verdict, limit_percent: float) -> str:
    """The verdict in one line."""
    if verdict.refusal:
        return f"no verdict: {verdict.refusal}"
    worse = [f"{finding.what} ({finding.letter})" for finding in verdict.of("regression")]
    line = (
        f"regression: {', '.join(worse)}" if worse else f"no regression beyond {limit_percent:g} %"
    )
    unchecked = [f"{pair.later.name} ({pair.side.letter})" for pair in verdict.other_work]
    if unchecked:
        line += f"; not checked, of other settings or weights: {', '.join(unchecked)}"
    return line


def _worse_and_better(verdict: Verdict) -> list[Block]:
    blocks: list[Block] = []
    for heading, kind in (("Worse:", "regression"), ("Better:", "improvement")):
        lines = [f"{found.letter}, {found.what}: {found.how}" for found in verdict.of(kind)]
        if lines:
            blocks += [heading, Bullets(lines)]
    return blocks


def _differing(sides: Sequence[Side], found: Sequence[Pair]) -> list[Block]:
    lines = conditions.warnings(sides, found)
    return ["Mind what else may be behind a difference:", Bullets(lines)] if lines else []


def _figures(found: Sequence[Pair]) -> list[Block]:
    """A table for each metric that any run has."""
    blocks: list[Block] = []
    absent = {}
    for metric in METRICS:
        held = [figure(cell, metric) for pair in found for cell in (pair.base, pair.later)]
        if any(one.value is not None for one in held):
            blocks += _metric(metric, found)
        else:
            absent[metric.heading] = "; ".join(dict.fromkeys(one.reason for one in held))
    if absent:
        lines = [f"{heading}: n/a, {reason}" for heading, reason in absent.items()]
        blocks += ["In none of these runs:", Bullets(lines)]
    return blocks


def _metric(metric: Metric, found: Sequence[Pair]) -> list[Block]:
    notes = Footnotes()
    sampled = metric.latency_quantile is not None
    body = []
    for pair, name in zip(found, _names(found), strict=True):
        before, after = figure(pair.base, metric), figure(pair.later, metric)
        times = written(ratio(before, after), notes, _times)
        row = [name, pair.side.letter, written(before, notes), written(after, notes), times]
        if sampled:
            interval = latency_interval(pair, metric)
            row.append(_between(interval, _times) if interval else "n/a")
        body.append(row)
    headings = ["model", "run", "in A", "in run", "ratio", *(["95 % interval"] if sampled else [])]
    return [f"### {metric.heading}", Table(headings, body, 2), *_footnotes(notes)]


def _quality(found: Sequence[Pair]) -> list[Block]:
    blocks: list[Block] = []
    many = any(
        len(run.data.classes) > 2 for pair in found for run in (pair.base_run, pair.side.run)
    )
    for heading, value, difference in (
        ("test accuracy", _accuracy, differences.accuracy_difference),
        ("ROC AUC, macro" if many else "ROC AUC", _auc, differences.auc_difference),
    ):
        notes = Footnotes()
        body = [
            [name, pair.side.letter, *_compared_quality(pair, notes, value, difference)]
            for pair, name in zip(found, _names(found), strict=True)
        ]
        headings = ["model", "run", "in A", "in run", "points", "95 % interval"]
        blocks += [f"### {heading}", Table(headings, body, 2), *_footnotes(notes)]
    return blocks


def _compared_quality(
    pair: Pair,
    notes: Footnotes,
    value: Callable[[Scored], str],
    difference: Callable[..., Difference | None],
) -> list[str]:
    held = scored(pair)
    if held is None:
        reasons = [
            f"n/a {notes.mark(missing(cell, 'quality'))}" if cell.quality is None else ""
            for cell in (pair.base, pair.later)
        ]
        return [*reasons, "n/a", "n/a"]
    before, after, unpaired = held
    found = difference(before, after, paired=not unpaired)
    if found is None:
        return [value(before), value(after), f"n/a {notes.mark('a class is missing')}", "n/a"]
    mark = f" {notes.mark(unpaired)}" if unpaired else ""
    return [
        value(before),
        value(after),
        f"{found.points:+z.1f}{mark}",
        _between(found.interval, "{:+z.1f}".format),
    ]


def _accuracy(held: Scored) -> str:
    return percent(float(held.hits.mean()))


def _auc(held: Scored) -> str:
    found = metrics.roc_auc(held.probabilities, held.labels.tolist())
    return "n/a" if found is None else f"{found:.3f}"


def _check(verdict: Verdict) -> list[Block]:
    """The tests behind the verdict, if there is one."""
    if verdict.refusal:
        return []
    tested = verdict.tested
    body = []
    for test, name in zip(tested, _names([test.pair for test in tested]), strict=True):
        row = [name, test.pair.side.letter]
        row += (
            [f"{test.shift.cliffs_delta:+.2f}", p_value(test.shift_p)]
            if test.shift
            else ["n/a"] * 2
        )
        swapped = test.exchange
        row += (
            [str(swapped.lost), str(swapped.gained), p_value(test.exchange_p)]
            if swapped
            else ["n/a"] * 3
        )
        body.append(row)
    headings = ["model", "run", "Cliff's delta", "p", "lost", "gained", "p"]
    return ["## Check for regressions", _CHECK_LEGEND, Table(headings, body, 2)]


def _names(found: Sequence[Pair]) -> list[str]:
    """The later cells' names, without the device where all that is compared ran on one."""
    devices = {cell.device for pair in found for cell in (pair.base, pair.later)}
    return [
        pair.later.name
        if len(devices) > 1
        else pair.later.name.replace(f"-{pair.later.device}", "", 1)
        for pair in found
    ]


def _times(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= value < 10 else significant(value)


def _between(interval: Interval, number: Callable[[float], str]) -> str:
    return f"{number(interval.low)} to {number(interval.high)}"


def _footnotes(notes: Footnotes) -> list[Block]:
    return [Bullets(notes.lines())] if notes.lines() else []


def _markdown(block: Block) -> str:
    if isinstance(block, Table):
        return tabulated(block.headings, block.body, left=block.left)
    return listed(block.lines)[0] if isinstance(block, Bullets) else block


def _terminal(block: Block) -> str:
    if isinstance(block, Table):
        room = (_WIDTH - 14) // (len(block.headings) - 1) - 2 if block.left == 1 else _WIDTH
        body, headings = (
            [[textwrap.fill(_plain(entry), room) for entry in row] for row in rows]
            for rows in (block.body, [block.headings])
        )
        return tabulated(headings[0], body, form="simple", left=block.left)
    if isinstance(block, Bullets):
        return "\n".join(
            textwrap.fill(_plain(line), _WIDTH, initial_indent="- ", subsequent_indent="  ")
            for line in block.lines
        )
    return textwrap.fill(_plain(block.lstrip("# ")), _WIDTH)


def _plain(text: str) -> str:
    return text.replace("*", "").replace("(cached)", "c")

"""Whether a later run is worse than the first, the base.

Answers of all runs are chosen for the objective of the first run, so that another objective is no regression.
Runs are checked only if their machines and data (comments, labels, split) are the same. A cell is
checked only if its device, settings and pretrained weights are the same as its counterpart's.

A regression, beyond a limit in percent, is one of these:

- latency p50: the interval of the ratio on the same comments, with 95 % for all pairs together
  (Bonferroni), is beyond the limit and beyond the noise of both machines; without the noise it is not
  checked;
- a figure with one sample per run: the ratio is beyond the limit and beyond what such figures differ
  by from run to run. For memory that is `worthit.reports.analysis.bounds.MEMORY_OFF`. For training,
  throughput, CPU time and measured energy it is the noise of both machines; without it they are not checked;
- test accuracy (of several labels subset accuracy) on the same comments and labels: the 95 % interval of the
  difference is below 0, the
  loss is more than half a point, and McNemar's test, Holm-corrected, rejects at 0.05;
- a part of a cell that failed in the later run only.

An improvement is the opposite. Estimates, cached and disturbed figures, p99 and ROC AUC are
not checked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from worthit.bench.instruments.machine import FINGERPRINT_KEYS
from worthit.bench.saved.record import Figure
from worthit.reports.analysis import bounds, figures, task
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.analysis.paired_tests import holm
from worthit.reports.compare import statistics
from worthit.reports.compare.comparable import ScoredPair, ratio
from worthit.reports.compare.matching import ComparedRun, Counterparts
from worthit.reports.compare.setup_differences import work_differences
from worthit.reports.compare.statistics import Change, ChangedPredictions
from worthit.reports.statistics import metrics
from worthit.reports.text.format import with_interval

FindingKind = Literal["regression", "improvement"]

_ACCURACY_POINTS = 0.5
_MEDIAN = 0.5


@dataclass(frozen=True)
class CounterpartTests:
    """The tests of two counterparts' samples, corrected for all pairs; None where samples lack."""

    pair: Counterparts
    latency: Change | None  # the ratio of medians; None too without the same comments
    accuracy: Change | None  # None too if the comments are not the same
    changed: ChangedPredictions | None


@dataclass(frozen=True)
class Finding:
    kind: FindingKind
    letter: str  # of the later run
    what: str  # "bert-cpu latency p50"
    how: str  # by how much, or why


@dataclass(frozen=True)
class RegressionReport:
    refusal: str  # why there is no verdict; empty if there is one
    tests: tuple[CounterpartTests, ...] = ()
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Counterparts, ...] = ()  # their settings or weights differ

    def of_kind(self, kind: FindingKind) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]


def check(
    runs: Sequence[ComparedRun],
    pairs: Sequence[Counterparts],
    scored: Sequence[ScoredPair | None],
    limit_percent: float,
) -> RegressionReport:
    """Check the later runs, or say why they cannot be checked.

    Args:
        scored: the scores of each pair, see `comparable.scored_pairs`.
    """
    refusal = "; ".join(text for later in runs[1:] for text in _refusals(runs[0], later))
    if refusal:
        return RegressionReport(refusal)
    on_one_device = [both for both in zip(pairs, scored, strict=True) if both[0].on_one_device]
    if not on_one_device:
        return RegressionReport("no model ran on the same device in the first run and a later one")
    unchecked = [pair for pair, _ in on_one_device if any(work_differences(pair))]
    comparable = [both for both in on_one_device if not any(work_differences(both[0]))]
    if not comparable:
        return RegressionReport(
            "no model has the same settings and weights in the first run and a later one"
        )
    tests = _tests(comparable)
    findings = (finding for test in tests for finding in _findings(test, limit_percent))
    return RegressionReport("", tuple(tests), tuple(findings), tuple(unchecked))


def latency_ratio(pair: Counterparts, spec: FigureSpec, confidence: float = 0.975) -> Change | None:
    """The ratio of a latency quantile, that of a median on the same comments where there are some.

    Args:
        confidence: of each bound.

    Returns:
        None if either run lacks that quantile, or has too few samples for an interval.
    """
    before, after = pair.base.latency, pair.later.latency
    times = ratio(*read_both(pair, spec)).value
    if spec.quantile is None or before is None or after is None or times is None:
        return None
    if spec.quantile == _MEDIAN and statistics.share_comments(before, after):
        return statistics.paired_ratio(before, after, confidence)
    return statistics.unpaired_ratio(before, after, spec.quantile, confidence)


def read_both(pair: Counterparts, spec: FigureSpec) -> tuple[Figure, Figure]:
    """A figure of the base and of the later run."""
    return spec.read(pair.base_run.run, pair.base), spec.read(pair.later_run.run, pair.later)


def _refusals(base: ComparedRun, later: ComparedRun) -> Iterator[str]:
    both = f"{base.letter} and {later.letter}"
    differing = _machine_differences(base.run.machine, later.run.machine)
    if differing:
        yield f"the machines of {both} differ in {', '.join(differing)}"
    before, after = base.run.data, later.run.data
    if before.fingerprint != after.fingerprint:
        yield f"{both} have different comments or labels"
    elif before.key != after.key:
        sizes = [f"{data.step('train').comments:,}" for data in (before, after)]
        numbers = f", {' and '.join(sizes)} training comments" if sizes[0] != sizes[1] else ""
        yield f"{both} have different splits{numbers}"


def _machine_differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    differing = [key for key in FINGERPRINT_KEYS if before.get(key) != after.get(key)]
    return [
        _libraries(before.get(key, {}), after.get(key, {}))
        if key == "libraries"
        else key.replace("_", " ")
        for key in differing
    ]


def _libraries(before: dict[str, str], after: dict[str, str]) -> str:
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return f"libraries ({', '.join(names)})"


def _tests(pairs: Sequence[tuple[Counterparts, ScoredPair | None]]) -> list[CounterpartTests]:
    timed = sum(
        pair.base.latency is not None and pair.later.latency is not None for pair, _ in pairs
    )
    confidence = 1 - metrics.ALPHA / 2 / max(timed, 1)
    tests = [
        CounterpartTests(pair, _paired_latency(pair, confidence), *_quality_tests(scored))
        for pair, scored in pairs
    ]
    changed_p = iter(holm([test.changed.p_value for test in tests if test.changed]))
    return [
        replace(test, changed=test.changed and replace(test.changed, p_value=next(changed_p)))
        for test in tests
    ]


def _paired_latency(pair: Counterparts, confidence: float) -> Change | None:
    before, after = pair.base.latency, pair.later.latency
    if before is None or after is None or not statistics.share_comments(before, after):
        return None
    return statistics.paired_ratio(before, after, confidence)


def _quality_tests(scored: ScoredPair | None) -> tuple[Change | None, ChangedPredictions | None]:
    if scored is None or scored.unpaired:
        return None, None
    return (
        statistics.accuracy_difference(scored.base, scored.later),
        statistics.changed_predictions(scored.base, scored.later),
    )


def _findings(test: CounterpartTests, limit_percent: float) -> Iterator[Finding]:
    yield from _failures(test.pair)
    for spec in figures.FIGURES:
        if spec.quantile == _MEDIAN:
            yield from _latency(test, spec, limit_percent)
    yield from _accuracy(test)
    for spec in figures.FIGURES:
        yield from _single_figure(test.pair, spec, limit_percent)


def _failures(pair: Counterparts) -> Iterator[Finding]:
    if pair.later.skipped and not pair.base.skipped:
        yield from _finding(pair, "skipped", pair.later.skipped, worse=True)
    known = {reason.partition(":")[0] for reason in pair.base.failures}
    for reason in pair.later.failures:
        if reason.partition(":")[0] not in known:
            yield from _finding(pair, "failed", reason, worse=True)


def _latency(test: CounterpartTests, spec: FigureSpec, limit_percent: float) -> Iterator[Finding]:
    times, noise = test.latency, _noise_percent(test.pair)
    if times is None or noise is None:
        return
    if any(figure.disturbed for figure in read_both(test.pair, spec)):
        return
    limit = 1 + max(limit_percent, noise) / 100
    worse, better = times.low > limit, times.high < 1 / limit
    how = f"×{with_interval(times, '{:.2f}'.format)}"
    yield from _finding(test.pair, _name(spec), how, worse=worse, better=better)


def _accuracy(test: CounterpartTests) -> Iterator[Finding]:
    points, changed = test.accuracy, test.changed
    if points is None or changed is None or changed.p_value >= metrics.ALPHA:
        return
    if abs(points.value) <= _ACCURACY_POINTS:
        return
    signed = "{:+z.1f}".format
    how = (
        f"{signed(points.value)} points ({signed(points.low)} to {signed(points.high)}), "
        f"{_p(changed.p_value)}"
    )
    worse, better = points.high < 0, points.low > 0
    what = f"test {task.of(test.pair.later_run.run).correct.heading}"
    yield from _finding(test.pair, what, how, worse=worse, better=better)


def _single_figure(pair: Counterparts, spec: FigureSpec, limit_percent: float) -> Iterator[Finding]:
    if spec.regression == "not checked":
        return
    times = ratio(*read_both(pair, spec))
    noise = _noise_percent(pair) if spec.regression == "beyond noise" else 100 * bounds.MEMORY_OFF
    if times.value is None or times.origin != "measured" or times.disturbed or noise is None:
        return
    limit = 1 + max(limit_percent, noise) / 100
    change = times.value if spec.better == "lower" else 1 / times.value
    how = f"×{times.value:.2f}, one sample each"
    yield from _finding(pair, _name(spec), how, worse=change > limit, better=change < 1 / limit)


def _noise_percent(pair: Counterparts) -> float | None:
    """The larger noise of both machines; None if either, or that of a server, was not measured."""
    if pair.base.is_endpoint or pair.later.is_endpoint:
        return None
    base, later = pair.base_run.noise_percent, pair.later_run.noise_percent
    return None if base is None or later is None else max(base, later)


def _name(spec: FigureSpec) -> str:
    """The heading without its unit."""
    return spec.heading.partition(",")[0]


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _finding(
    pair: Counterparts, what: str, how: str, *, worse: bool, better: bool = False
) -> Iterator[Finding]:
    if worse or better:
        kind: FindingKind = "regression" if worse else "improvement"
        yield Finding(kind, pair.later_run.letter, f"{pair.later.name} {what}", how)

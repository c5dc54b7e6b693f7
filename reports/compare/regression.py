"""Whether a later run is worse than the first: only where both did the same work on one machine.

There is no verdict on runs whose machines or data (comments, labels, split) differ, nor on a cell
whose settings or pretrained weights do: more to compute is no regression.

A regression, beyond a limit in percent, is one of these:

- latency p50: the 95 % interval of the ratio lies wholly beyond the limit, and the Mann-Whitney
  test, Holm-corrected over all pairs, rejects at 0.05 that the samples are alike;
- a figure of one sample beyond the limit, and beyond how far such figures differ by chance: memory
  by `worthit.reports.analysis.bounds.MEMORY_OFF`; training, throughput and measured energy by the noise of
  both runs, and not at all where that noise was not recorded;
- test accuracy, over the same comments with the same labels: the 95 % interval of the difference
  lies wholly below 0, more than half a point is lost, and McNemar's test, corrected likewise,
  rejects at 0.05;
- a part of a cell that failed, where the base's did not.

An improvement is the same the other way round. Estimates, cached figures, p99 and ROC AUC are shown
but not checked, nor is a cell whose counterpart ran on another device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from worthit.bench.instruments.machine import FINGERPRINT_KEYS
from worthit.bench.saved.record import Run
from worthit.reports.analysis import bounds, metrics
from worthit.reports.analysis.paired_tests import holm
from worthit.reports.compare import conditions, differences
from worthit.reports.compare.counterparts import (
    LATENCY_P50,
    METRICS,
    Metric,
    Pair,
    Side,
    figure,
    ratio,
    scored,
)
from worthit.reports.compare.differences import Difference, Exchange, Interval, Shift

_ACCURACY_POINTS = 0.5


@dataclass(frozen=True)
class Tested:
    """A pair with the tests of its samples; None where there is nothing to test."""

    pair: Pair
    interval: Interval | None  # of the ratio of median latencies
    shift: Shift | None
    shift_p: float  # corrected
    accuracy: Difference | None  # over the same comments
    exchange: Exchange | None
    exchange_p: float  # corrected


@dataclass(frozen=True)
class Finding:
    """Something that is worse, or better, in a later run."""

    kind: Literal["regression", "improvement"]
    letter: str
    what: str  # "bert-cpu latency p50"
    how: str  # by how much, or why


@dataclass(frozen=True)
class Verdict:
    refusal: str  # why there is no verdict; empty if there is one
    tested: tuple[Tested, ...] = ()
    findings: tuple[Finding, ...] = ()
    other_work: tuple[Pair, ...] = ()  # not checked: of other settings or weights

    def of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]


def judged(sides: Sequence[Side], pairs: Sequence[Pair], limit_percent: float) -> Verdict:
    """The verdict on the later runs, or why there is none."""
    refusal = "; ".join(text for side in sides[1:] for text in _refusals(sides[0], side))
    if refusal:
        return Verdict(refusal)
    on_one_device = [pair for pair in pairs if pair.one_device]
    if not on_one_device:
        return Verdict("no model ran on the same device in the first run and a later one")
    other_work = tuple(pair for pair in on_one_device if any(conditions.work(pair)))
    comparable = [pair for pair in on_one_device if not any(conditions.work(pair))]
    if not comparable:
        return Verdict(
            "no model has the same settings and weights in the first run and a later one"
        )
    tested = _tested(comparable)
    findings = [
        finding
        for test in tested
        for finding in (
            *_failures(test.pair),
            *_latency(test, limit_percent),
            *_accuracy(test),
            *_single_figures(test.pair, limit_percent),
        )
    ]
    return Verdict("", tuple(tested), tuple(findings), other_work)


def _refusals(base: Side, later: Side) -> Iterator[str]:
    prints = [side.run.machine.get("fingerprint") for side in (base, later)]
    if None in prints or prints[0] != prints[1]:
        yield _unlike(base, later)
    before, after = base.run.data, later.run.data
    if before.fingerprint != after.fingerprint:
        yield f"{base.letter} and {later.letter} are of other comments or labels"
    elif before.key != after.key:
        sizes = [f"{data.step('train').comments:,}" for data in (before, after)]
        of = f", {' and '.join(sizes)} comments to train on" if sizes[0] != sizes[1] else ""
        yield f"{base.letter} and {later.letter} are of different splits{of}"


def _unlike(base: Side, later: Side) -> str:
    """In what the machines of two runs differ, as far as is recorded."""
    before, after = base.run.machine, later.run.machine
    known = [key for key in FINGERPRINT_KEYS if key in before and key in after]
    differing = [_key(key, before[key], after[key]) for key in known if before[key] != after[key]]
    said = [f"the machines of {base.letter} and {later.letter} differ in {', '.join(differing)}"]
    if not differing:
        said = [f"the machines of {base.letter} and {later.letter} may differ"]
    for side in (base, later):
        unrecorded = [key for key in FINGERPRINT_KEYS if key not in side.run.machine]
        if unrecorded:
            said.append(f"{side.letter} does not record {', '.join(map(_words, unrecorded))}")
        elif "fingerprint" not in side.run.machine:
            said.append(f"{side.letter} has no fingerprint")
    return ", and ".join(said)


def _key(key: str, before: Any, after: Any) -> str:
    if key != "libraries":
        return _words(key)
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return f"libraries ({', '.join(names)})"


def _words(key: str) -> str:
    return key.replace("_", " ")


def _tested(pairs: Sequence[Pair]) -> list[Tested]:
    shifts = [_shift(pair) for pair in pairs]
    shift_p = iter(holm([found.p_value for found in shifts if found]))
    accuracies = [_same_comments(pair) for pair in pairs]
    exchange_p = iter(holm([found[1].p_value for found in accuracies if found]))
    return [
        Tested(
            pair,
            latency_interval(pair, LATENCY_P50),
            shift,
            next(shift_p) if shift else 1.0,
            accuracy[0] if accuracy else None,
            accuracy[1] if accuracy else None,
            next(exchange_p) if accuracy else 1.0,
        )
        for pair, shift, accuracy in zip(pairs, shifts, accuracies, strict=True)
    ]


def latency_interval(pair: Pair, metric: Metric) -> Interval | None:
    """Of the ratio of a quantile of latency; None where either run has not that quantile."""
    share, before, after = metric.latency_quantile, pair.base.latency, pair.later.latency
    if share is None or before is None or after is None:
        return None
    if figure(pair.base, metric).value is None or figure(pair.later, metric).value is None:
        return None
    return differences.ratio_interval(before.samples_ms, after.samples_ms, share)


def _shift(pair: Pair) -> Shift | None:
    before, after = pair.base.latency, pair.later.latency
    if before is None or after is None:
        return None
    return differences.shift(before.samples_ms, after.samples_ms)


def _same_comments(pair: Pair) -> tuple[Difference, Exchange] | None:
    found = scored(pair)
    if found is None or found[2]:
        return None
    before, after, _ = found
    return differences.accuracy_difference(before, after, paired=True), differences.exchange(
        before, after
    )


def _failures(pair: Pair) -> Iterator[Finding]:
    if pair.later.skipped and not pair.base.skipped:
        yield _finding("regression", pair, "skipped", pair.later.skipped)
    known = {reason.partition(":")[0] for reason in pair.base.failures}
    for reason in pair.later.failures:
        if reason.partition(":")[0] not in known:
            yield _finding("regression", pair, "failed", reason)


def _latency(test: Tested, limit_percent: float) -> Iterator[Finding]:
    if test.interval is None or test.shift_p >= metrics.ALPHA:
        return
    found = ratio(figure(test.pair.base, LATENCY_P50), figure(test.pair.later, LATENCY_P50)).value
    how = (
        f"×{found:.2f} ({test.interval.low:.2f} to {test.interval.high:.2f}), "
        f"p {p_value(test.shift_p, sign=True)}"
    )
    if test.interval.low > 1 + limit_percent / 100:
        yield _finding("regression", test.pair, "latency p50", how)
    elif test.interval.high < 1 / (1 + limit_percent / 100):
        yield _finding("improvement", test.pair, "latency p50", how)


def _accuracy(test: Tested) -> Iterator[Finding]:
    found = test.accuracy
    if found is None or test.exchange_p >= metrics.ALPHA or abs(found.points) <= _ACCURACY_POINTS:
        return
    how = (
        f"{found.points:+z.1f} points ({found.interval.low:+z.1f} to "
        f"{found.interval.high:+z.1f}), p {p_value(test.exchange_p, sign=True)}"
    )
    if found.interval.high < 0:
        yield _finding("regression", test.pair, "test accuracy", how)
    elif found.interval.low > 0:
        yield _finding("improvement", test.pair, "test accuracy", how)


def _single_figures(pair: Pair, limit_percent: float) -> Iterator[Finding]:
    noise = _noise_percent(pair.base_run, pair.side.run)
    for metric in METRICS:
        found = ratio(figure(pair.base, metric), figure(pair.later, metric))
        if metric.checked == "no" or found.value is None or found.origin != "measured":
            continue
        by_chance = noise if metric.checked == "beyond noise" else 100 * bounds.MEMORY_OFF
        if by_chance is None:
            continue
        beyond = max(limit_percent, by_chance)
        worse = found.value if metric.better == "lower" else 1 / found.value
        what, how = metric.heading.partition(",")[0], f"×{found.value:.2f}, one sample each"
        if worse > 1 + beyond / 100:
            yield _finding("regression", pair, what, how)
        elif worse < 1 / (1 + beyond / 100):
            yield _finding("improvement", pair, what, how)


def _noise_percent(*runs: Run) -> float | None:
    """The larger noise of the runs' machines; None where it was not measured on each."""
    values = [run.noise.value for run in runs]
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(runs) else None


def _finding(
    kind: Literal["regression", "improvement"], pair: Pair, figure_name: str, how: str
) -> Finding:
    return Finding(kind, pair.side.letter, f"{pair.later.name} {figure_name}", how)


def p_value(value: float, *, sign: bool = False) -> str:
    """As a table shows it, or as a sentence does, with a sign."""
    if value < 0.001:
        return "< 0.001"
    return f"{'= ' if sign else ''}{value:.3f}"

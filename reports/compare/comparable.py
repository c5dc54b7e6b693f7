"""What can be compared of two counterparts: ratios of figures, and scores of the same comments."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from worthit.bench.saved.data import Data
from worthit.bench.saved.record import CellRecord, Figure, unavailable
from worthit.reports.analysis.run_view import calibrated, scores, truth
from worthit.reports.compare.matching import ComparedRun, Counterparts
from worthit.reports.compare.statistics import ScoredComments
from worthit.reports.statistics import bootstrap
from worthit.reports.text import class_names


@dataclass(frozen=True)
class ScoredPair:
    """The test comments as both counterparts scored them."""

    base: ScoredComments
    later: ScoredComments  # in the order of the base, if paired
    unpaired: str  # why the comments or their labels differ; empty if they are the same


def ratio(base: Figure, later: Figure) -> Figure:
    """Later / base: cached or disturbed if either is, unavailable if either is.

    There is no ratio of estimates: it would compare assumptions.
    """
    for figure in (base, later):
        if figure.value is None:
            return unavailable("", figure.reason)
    if not base.value or later.value is None:
        return unavailable("", "the first figure is 0, so there is no ratio")
    if any("estimated" in (figure.origin, figure.was) for figure in (base, later)):
        return unavailable("", "one is an estimate: their ratio would compare assumptions")
    disturbed = base.disturbed or later.disturbed
    times = Figure(later.value / base.value, "", "measured", "ratio", disturbed=disturbed)
    cached = "cached" in (base.origin, later.origin)
    return replace(times, origin="cached", was="measured") if cached else times


def scored_pairs(pairs: Sequence[Counterparts]) -> list[ScoredPair | None]:
    """The scores of all counterparts; None where either has no scores.

    Paired runs share resamples. Unpaired ones are resampled independently.
    """
    counts = functools.cache(bootstrap.counts)

    def scored(
        compared: ComparedRun, cell: CellRecord, rows: list[int], seed: int
    ) -> ScoredComments:
        labels = truth(compared.run)[rows]
        drawn = counts(len(rows), seed=seed)
        decided, own = (scores(compared.run, of)[rows] for of in (cell, calibrated(cell)))
        return ScoredComments(decided, own, labels, drawn)

    def scored_pair(pair: Counterparts) -> ScoredPair | None:
        if pair.base.quality is None or pair.later.quality is None:
            return None
        before, after = pair.base_run.run.data, pair.later_run.run.data
        reason = why_other_comments(before, after)
        rows = {comment: row for row, comment in enumerate(after.test.ids)}
        later_rows = list(rows.values()) if reason else [rows[one] for one in before.test.ids]
        base_rows = list(range(len(before.test.ids)))
        return ScoredPair(
            scored(pair.base_run, pair.base, base_rows, seed=0),
            scored(pair.later_run, pair.later, later_rows, seed=1 if reason else 0),
            f"{reason}, so not paired" if reason else "",
        )

    return [scored_pair(pair) for pair in pairs]


def labels_by_id(data: Data) -> dict[str, object]:
    """The label of each test comment; of several labels a list."""
    truth = class_names.truth(data, data.test)
    return dict(zip(data.test.ids, truth.tolist(), strict=True))


def why_other_comments(before: Data, after: Data) -> str:
    """In what the test comments of two runs or their labels differ; empty if they are the same."""
    if before.classes != after.classes:
        return "the classes of the runs differ"
    labels = [labels_by_id(data) for data in (before, after)]
    numbers = {len(ids) for ids in (*labels, before.test.ids, after.test.ids)}
    if len(numbers) > 1 or labels[0].keys() != labels[1].keys():
        return "the test comments of the runs differ"
    if labels[0] != labels[1]:
        return "labels of the same test comments differ"
    return ""

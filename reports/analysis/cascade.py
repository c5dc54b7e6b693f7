"""Cascades: a cheap model answers when it is confident, and passes the rest to an expensive one.

Threshold and cheap model are chosen on validation comments, which no model was trained or tested on;
all reported figures are of the test comments. Cascades of classifiers go back to Viola and Jones
(2001); FrugalGPT (Chen et al. 2023) ends them with language models.

The threshold is the lowest from which on no threshold loses accuracy on validation comments, and the
cheap model the most accurate one of those that cost less than half. The lowest threshold that loses
nothing and the cheapest cascade would be the luckiest of many. In 1,000 constructed runs
(`tests/reports/analysis/test_cascade_selection.py`: 300 validation, 2,000 test comments, three cheap
models), 40 % of cascades so selected are less accurate than their expensive model on the test comments
beyond the 95 % interval, 19 % of those selected here. In re-splits of a published run with 2,000 test
comments, 23 and 31 % are significantly less accurate, here 3 and 6 %. The standing is therefore that of
the test comments only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import costs
from worthit.reports.analysis.figure_spec import Values
from worthit.reports.analysis.paired_tests import Difference, holm, mcnemar_p
from worthit.reports.analysis.run_view import by_model, scores, truth
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names

#: shares of validation comments passed on, between which a sweep draws its line
SWEPT = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
#: how many times as much the expensive model costs, at least
LEAST_TIMES_CHEAPER = 2.0
_DEVIATIONS = 1.96  # of a 95 % interval

Mask = npt.NDArray[np.bool_]

AccuracyStanding = Literal[
    "less accurate",  # than the expensive model
    "undecided",  # it may lose more than the margin against the expensive model
    "no gain",  # not shown to be more accurate than the cheap model
    "replaces",  # it loses less than the margin, and is more accurate than the cheap model
]


@dataclass(frozen=True)
class Cascade:
    """Two cells and a threshold, with the figures on the test comments."""

    cheap: CellRecord
    expensive: CellRecord
    threshold: float  # probability of the predicted class from which on the cheap model answers
    passed_share: float  # of the test comments
    accuracy: metrics.Share
    core_ms: float  # per comment, at the best batch sizes of both
    device_ms: float  # per comment; 0 without an accelerator
    compute_ms: float  # both, as the figure of this name
    saved_share: float  # of the expensive model's compute, at least


@dataclass(frozen=True)
class CascadeTest:
    """A cascade compared with each of its models alone, on the same test comments."""

    cascade: Cascade
    difference: Difference  # in accuracy, cascade minus expensive model; its p is not corrected
    gain: float  # in accuracy, cascade minus cheap model
    p_cheap: float
    margin: float  # what a cascade may lose and still replace its expensive model, in accuracy

    @property
    def standing(self) -> AccuracyStanding:
        """By the interval of the difference, and the test against the cheap model."""
        if self.difference.high < 0:
            return "less accurate"
        if not (self.p_cheap < metrics.ALPHA and self.gain > 0):
            return "no gain"
        return "replaces" if self.difference.low >= -self.margin else "undecided"

    @property
    def replaces(self) -> bool:
        """True if it can replace the expensive model and beats the cheap one."""
        return self.standing == "replaces"


def select(run: Run, values: Values, margin: float) -> tuple[CascadeTest, ...]:
    """For each model, the cascade with the most accurate of the models that cost less than half of it.

    A cheap model takes part if `lowest_safe_threshold` has a threshold for it. Its accuracy, like the
    threshold, is that on validation comments. The p values against the cheap models are Holm-corrected
    over the result.

    Args:
        values: with the costs that `costs` compares.
        margin: the smallest worthwhile difference of accuracies, as a share.
    """
    selected, usable = [], _usable(run, values)
    for expensive in usable:
        candidates = [
            (_validated(run, cheap).mean(), _at(run, values, cheap, expensive, threshold))
            for cheap in usable
            if _is_much_cheaper(values, cheap, expensive)
            and (threshold := _threshold(run, cheap, expensive)) is not None
        ]
        if candidates:
            selected.append(max(candidates, key=lambda candidate: candidate[0])[1])
    return _corrected([_test(run, one, margin) for one in selected])


def lowest_safe_threshold(
    confidence: npt.NDArray[np.float64], correct_cheap: Mask, correct_expensive: Mask
) -> float | None:
    """The lowest threshold such that neither it nor any higher one loses accuracy.

    None if the cheap model would never answer, or always: that is not a cascade.

    Args:
        confidence: of the cheap model, in each comment, shape (n,).
        correct_cheap, correct_expensive: whether each model classifies each comment correctly, (n,).
    """
    order = np.argsort(-confidence)
    thresholds = confidence[order]
    gains = np.cumsum(correct_cheap[order].astype(int) - correct_expensive[order])
    last_of_ties = np.flatnonzero(np.append(thresholds[1:] < thresholds[:-1], True))
    losses = np.flatnonzero(gains[last_of_ties] < 0)
    if not len(losses) or not losses[0]:
        return None
    return float(thresholds[last_of_ties[losses[0] - 1]])


def sweep(run: Run, values: Values, cheap: CellRecord, expensive: CellRecord) -> list[Cascade]:
    """From the cheap model alone to the expensive one alone, by shares of comments passed on."""
    confidence = metrics.confidence(scores(run, cheap, "validation"))
    thresholds = [float(np.quantile(confidence, share)) for share in SWEPT[1:-1]]
    return [
        _at(run, values, cheap, expensive, threshold) for threshold in (0.0, *thresholds, np.inf)
    ]


def why_none(run: Run, values: Values) -> str:
    """Why a run has no cascade."""
    if class_names.of_labels(run):
        return (
            "With several labels, a model has no single confidence by which to pass a comment on."
        )
    if not run.data.validation.labels:
        return "This run has no validation comments, on which a threshold could be chosen."
    if len(_usable(run, values)) < 2:
        return "A cascade needs two models with scores and an undisturbed throughput."
    return (
        "No cascade keeps a model's accuracy on the validation comments with a model that costs less than "
        "half."
    )


def _usable(run: Run, values: Values) -> list[CellRecord]:
    """Cells with scores on validation comments and an undisturbed throughput; the first of several seeds.

    None for several labels: a model then has a confidence for each label, and no single one to pass on by.
    """
    if not run.data.validation.labels or class_names.of_labels(run):
        return []
    return [
        cells[0]
        for cells in by_model(run).values()
        if cells[0].quality is not None
        and cells[0].quality.validation
        and (cost := values[cells[0].name, costs.KEY]).value
        and not cost.disturbed
    ]


def _is_much_cheaper(values: Values, cheap: CellRecord, expensive: CellRecord) -> bool:
    """True if a cascade of both may save half of the expensive model's compute."""
    times = costs.times_cheaper(values, cheap.name, expensive.name)
    return (
        times is not None
        and times > LEAST_TIMES_CHEAPER
        and costs.is_cheaper(values, cheap.name, expensive.name)
    )


def _threshold(run: Run, cheap: CellRecord, expensive: CellRecord) -> float | None:
    confidence = metrics.confidence(scores(run, cheap, "validation"))
    return lowest_safe_threshold(confidence, _validated(run, cheap), _validated(run, expensive))


def _validated(run: Run, cell: CellRecord) -> Mask:
    """Which validation comments a cell classifies correctly, shape (n,)."""
    return metrics.correct(scores(run, cell, "validation"), truth(run, "validation"))


def _at(
    run: Run, values: Values, cheap: CellRecord, expensive: CellRecord, threshold: float
) -> Cascade:
    """The cascade with this threshold, on the test comments."""
    correct, passed = _correct(run, cheap, expensive, threshold)
    share = metrics.share(int(correct.sum()), len(correct))
    assert share is not None
    passed_share = float(passed.mean())

    def both(key: str) -> float:
        first, second = (values[cell.name, key].value or 0.0 for cell in (cheap, expensive))
        return first + passed_share * second

    return Cascade(
        cheap,
        expensive,
        threshold,
        passed_share,
        share,
        core_ms=both("core_ms"),
        device_ms=both("device_ms"),
        compute_ms=both(costs.KEY),
        saved_share=costs.saved_share(values, cheap.name, expensive.name, passed_share),
    )


def _test(run: Run, cascade: Cascade, margin: float) -> CascadeTest:
    """The p value is not yet corrected."""
    cheap, expensive = cascade.cheap, cascade.expensive
    correct, _ = _correct(run, cheap, expensive, cascade.threshold)
    by_cheap, _ = _correct(run, cheap, expensive, 0.0)
    by_expensive, _ = _correct(run, cheap, expensive, np.inf)
    return CascadeTest(
        cascade,
        difference(correct, by_expensive),
        gain=float(correct.mean() - by_cheap.mean()),
        p_cheap=mcnemar_p(correct, by_cheap),
        margin=margin,
    )


def difference(first: Mask, second: Mask) -> Difference:
    """First minus second, in accuracy on the same comments, with a 95 % interval.

    The interval is Wald's with half a comment added to each of the four outcomes (Agresti and Min
    2005). The bootstrap has an interval of no width if a cascade never errs alone.

    Args:
        first, second: whether each classifies each comment correctly, shape (n,).
    """
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    comments = len(first) + 2
    centre = (gained - lost) / comments
    half = _DEVIATIONS * math.sqrt((gained + lost + 1) / comments - centre**2) / math.sqrt(comments)
    return Difference(
        (gained - lost) / len(first), centre - half, centre + half, mcnemar_p(first, second)
    )


def _correct(
    run: Run, cheap: CellRecord, expensive: CellRecord, threshold: float
) -> tuple[Mask, Mask]:
    """Which test comments a cascade classifies correctly, and which it passes on; (n,) each."""
    labels, by_cheap, by_expensive = truth(run), scores(run, cheap), scores(run, expensive)
    passed = metrics.confidence(by_cheap) < threshold
    correct = np.where(
        passed, metrics.correct(by_expensive, labels), metrics.correct(by_cheap, labels)
    )
    return correct, passed


def _corrected(tests: Sequence[CascadeTest]) -> tuple[CascadeTest, ...]:
    p_values = holm([test.p_cheap for test in tests])
    return tuple(replace(test, p_cheap=p) for test, p in zip(tests, p_values, strict=True))

"""Cascades: a cheap model answers when it is confident, and passes the rest to an expensive one.

The threshold is chosen on validation comments, which neither model was trained or tested on. All
reported figures are of the test comments. Cascades of classifiers go back to Viola and Jones (2001);
FrugalGPT (Chen et al. 2023) ends them with language models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import metrics
from worthit.reports.analysis.bootstrap import interval
from worthit.reports.analysis.figures import Values
from worthit.reports.analysis.paired_tests import Difference, holm, mcnemar_p
from worthit.reports.analysis.ranking_curve import Matrix
from worthit.reports.analysis.run_view import by_model, scores

#: shares of validation comments passed on, between which a sweep draws its line
SWEPT = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cascade:
    """Two cells and a threshold, with the figures on the test comments."""

    cheap: CellRecord
    expensive: CellRecord
    threshold: float  # probability of the predicted class from which on the cheap model answers
    passed_share: float  # of the test comments
    accuracy: metrics.Share
    compute_ms: float  # per comment, at the best batch sizes of both
    saved_share: float  # of the expensive model's compute


@dataclass(frozen=True)
class CascadeTest:
    """A cascade compared with each of its models alone, on the same test comments."""

    cascade: Cascade
    difference: Difference  # in accuracy, cascade minus expensive model
    gain: float  # in accuracy, cascade minus cheap model
    p_cheap: float

    @property
    def loses(self) -> bool:
        """True if it is less accurate than the expensive model."""
        return self.difference.is_significant and self.difference.value < 0

    @property
    def replaces(self) -> bool:
        """True if it can replace the expensive model and beats the cheap one."""
        return not self.loses and self.p_cheap < metrics.ALPHA and self.gain > 0


def select(run: Run, values: Values, resamples: Matrix) -> tuple[CascadeTest, ...]:
    """For each model, the cheapest cascade that loses no accuracy on validation comments.

    The p values are Holm-corrected over the result.

    Args:
        values: with `compute_ms` of all cells.
        resamples: of the test comments, see `bootstrap.counts`.
    """
    selected, usable = [], _usable(run, values)
    for expensive in usable:
        candidates = [
            _at(run, values, cheap, expensive, threshold)
            for cheap in usable
            if values[cheap.name, "compute_ms"].below(values[expensive.name, "compute_ms"])
            and (threshold := _threshold(run, cheap, expensive)) is not None
        ]
        if candidates:
            selected.append(min(candidates, key=lambda cascade: cascade.compute_ms))
    return _corrected([_test(run, one, resamples) for one in selected if one.saved_share > 0])


def sweep(run: Run, values: Values, cheap: CellRecord, expensive: CellRecord) -> list[Cascade]:
    """From the cheap model alone to the expensive one alone, by shares of comments passed on."""
    confidence = metrics.confidence(scores(run, cheap, "validation"))
    thresholds = [float(np.quantile(confidence, share)) for share in SWEPT[1:-1]]
    return [
        _at(run, values, cheap, expensive, threshold) for threshold in (0.0, *thresholds, np.inf)
    ]


def why_none(run: Run, values: Values) -> str:
    """Why a run has no cascade."""
    if not run.data.validation.labels:
        return "This run has no validation comments, on which a threshold could be chosen."
    if len(_usable(run, values)) < 2:
        return "A cascade needs two models with scores and a throughput."
    return "No cascade keeps a model's accuracy on the validation comments and saves compute."


def _usable(run: Run, values: Values) -> list[CellRecord]:
    """Cells with scores on validation comments and a throughput; the first of several seeds."""
    if not run.data.validation.labels:
        return []
    return [
        cells[0]
        for cells in by_model(run).values()
        if cells[0].quality is not None
        and cells[0].quality.validation
        and values[cells[0].name, "compute_ms"].value
    ]


def _threshold(run: Run, cheap: CellRecord, expensive: CellRecord) -> float | None:
    """The lowest threshold that keeps the expensive model's accuracy on validation comments.

    None if the cheap model would never answer, or always: that is not a cascade.
    """
    labels = np.asarray(run.data.validation.labels)
    by_cheap = scores(run, cheap, "validation")
    correct_cheap = metrics.predicted(by_cheap) == labels
    correct_expensive = metrics.predicted(scores(run, expensive, "validation")) == labels
    confidence = metrics.confidence(by_cheap)
    for threshold in np.unique(confidence):
        answers = confidence >= threshold
        correct = np.where(answers, correct_cheap, correct_expensive)
        if correct.sum() >= correct_expensive.sum():
            return None if answers.all() else float(threshold)
    return None


def _at(
    run: Run, values: Values, cheap: CellRecord, expensive: CellRecord, threshold: float
) -> Cascade:
    """The cascade with this threshold, on the test comments."""
    correct, passed = _correct(run, cheap, expensive, threshold)
    share = metrics.share(int(correct.sum()), len(correct))
    assert share is not None
    expensive_ms = values[expensive.name, "compute_ms"].value or 0.0
    compute_ms = (values[cheap.name, "compute_ms"].value or 0.0) + passed.mean() * expensive_ms
    return Cascade(
        cheap,
        expensive,
        threshold,
        passed_share=float(passed.mean()),
        accuracy=share,
        compute_ms=float(compute_ms),
        saved_share=float(1 - compute_ms / expensive_ms),
    )


def _test(run: Run, cascade: Cascade, resamples: Matrix) -> CascadeTest:
    """The p values are not yet corrected."""
    cheap, expensive = cascade.cheap, cascade.expensive
    correct, _ = _correct(run, cheap, expensive, cascade.threshold)
    by_cheap, _ = _correct(run, cheap, expensive, 0.0)
    by_expensive, _ = _correct(run, cheap, expensive, np.inf)
    gaps = correct.astype(np.float32) - by_expensive
    return CascadeTest(
        cascade,
        Difference(
            float(gaps.mean()),
            *interval(gaps @ resamples / len(gaps)),
            mcnemar_p(correct, by_expensive),
        ),
        gain=float(correct.mean() - by_cheap.mean()),
        p_cheap=mcnemar_p(correct, by_cheap),
    )


def _correct(
    run: Run, cheap: CellRecord, expensive: CellRecord, threshold: float
) -> tuple[Mask, Mask]:
    """Which test comments a cascade classifies correctly, and which it passes on; (n,) each."""
    labels = np.asarray(run.data.test.labels)
    by_cheap, by_expensive = scores(run, cheap), scores(run, expensive)
    passed = metrics.confidence(by_cheap) < threshold
    predicted = np.where(passed, metrics.predicted(by_expensive), metrics.predicted(by_cheap))
    return predicted == labels, passed


def _corrected(tests: Sequence[CascadeTest]) -> tuple[CascadeTest, ...]:
    p_values = iter(holm([p for test in tests for p in (test.difference.p, test.p_cheap)]))
    return tuple(
        replace(test, difference=replace(test.difference, p=next(p_values)), p_cheap=next(p_values))
        for test in tests
    )

"""reports/compare/statistics.py: differences of samples, and intervals that cover the true values."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.compare import statistics
from worthit.reports.compare.statistics import ScoredComments
from worthit.reports.statistics import bootstrap, metrics

COMMENTS = 400
LABELS = np.arange(COMMENTS) % 2
RESAMPLES = bootstrap.counts(COMMENTS)


def scored(probabilities: npt.ArrayLike, labels: Sequence[int] = ()) -> ScoredComments:
    truth = np.asarray(labels) if len(labels) else LABELS
    own = np.asarray(probabilities, float)
    return ScoredComments(own, own, truth, RESAMPLES)


def coverage(
    truth: float, interval: Callable[[np.random.Generator], statistics.Change], runs: int = 300
) -> float:
    rng = np.random.default_rng(0)
    intervals = [interval(rng) for _ in range(runs)]
    return sum(one.low <= truth <= one.high for one in intervals) / len(intervals)


def timed(logs: npt.NDArray[np.float64], comments: int, first_length: int = 9) -> record.Latency:
    """Latencies of comments in turn, of which the first has this length."""
    unused = [measured(1.0, "ms", "clock")] * 3
    samples = tuple(np.exp(logs).tolist())
    characters = tuple(first_length if i % comments == 0 else 9 for i in range(len(samples)))
    return factories.latency(samples, *unused, comments=comments, characters=characters)


@pytest.mark.parametrize("drift", [0.0, 0.1])
@pytest.mark.parametrize("passes", [1, 5])
def test_the_interval_of_a_ratio_of_medians_covers_the_true_ratio(
    passes: int, drift: float
) -> None:
    """The speed of each tenth of a pass, or of each pass, differs. So do comments, equally in both runs."""

    def interval(rng: np.random.Generator) -> statistics.Change:
        comments = np.tile(rng.normal(0, 0.6, 300), passes)
        blocks = 10 if passes == 1 else passes

        def run(shift: float) -> record.Latency:
            speeds = np.repeat(rng.normal(0, drift, blocks), comments.size // blocks)
            return timed(shift + comments + speeds + rng.normal(0, 0.05, comments.size), 300)

        found = statistics.paired_ratio(run(0.0), run(math.log(1.2)), 0.975)
        assert found is not None
        return found

    assert coverage(1.2, interval, runs=60) >= 0.95 - 0.09  # three standard errors


def test_a_paired_ratio_is_known_better_than_each_median() -> None:
    rng = np.random.default_rng(0)
    comments = np.tile(rng.normal(0, 0.6, 300), 5)
    base, later = (timed(comments + rng.normal(0, 0.02, 1_500), 300) for _ in range(2))
    paired = statistics.paired_ratio(base, later, 0.975)
    unpaired = statistics.unpaired_ratio(base, later, 0.5, 0.975)
    assert paired is not None
    assert unpaired is not None
    assert paired.low < 1 < paired.high
    assert 5 * math.log(paired.high / paired.low) < math.log(unpaired.high / unpaired.low)


def test_a_run_that_ended_early_is_compared_on_the_comments_that_it_timed() -> None:
    logs = np.random.default_rng(0).normal(0, 0.6, 300)
    whole, part = timed(np.tile(logs, 4), 300), timed(logs[:200] + 0.1, 200)
    found = statistics.paired_ratio(whole, part, 0.975)
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx([math.exp(0.1)] * 3)


def test_comments_of_other_lengths_are_not_the_same() -> None:
    logs = np.zeros(60)
    assert statistics.share_comments(timed(logs, 30), timed(logs, 30))
    assert not statistics.share_comments(timed(logs, 30), timed(logs, 30, first_length=8))


def test_too_few_samples_have_no_interval() -> None:
    few = timed(np.zeros(19), 19)
    assert statistics.paired_ratio(few, few, 0.975) is None
    assert statistics.unpaired_ratio(few, few, 0.5, 0.975) is None


def test_the_interval_of_an_unpaired_ratio_covers_the_true_ratio() -> None:
    def interval(rng: np.random.Generator) -> statistics.Change:
        base, later = (timed(shift + rng.normal(0, 0.4, 300), 300) for shift in (0, math.log(1.2)))
        found = statistics.unpaired_ratio(base, later, 0.5, 0.975)
        assert found is not None
        return found

    assert coverage(1.2, interval) >= 0.92


def test_the_interval_of_a_paired_difference_covers_the_true_difference() -> None:
    def interval(rng: np.random.Generator) -> statistics.Change:
        base = np.where(rng.random(COMMENTS) < 0.9, LABELS, 1 - LABELS)
        later = np.where(rng.random(COMMENTS) < 0.1, 1 - base, base)  # 90 % becomes 82 %
        return statistics.accuracy_difference(scored(base), scored(later))

    assert 0.92 <= coverage(-8.0, interval) <= 0.98


def test_unpaired_runs_are_resampled_independently() -> None:
    probabilities = np.where(np.arange(COMMENTS) < 80, 1 - LABELS, LABELS)
    base = scored(probabilities)
    later = dataclasses.replace(base, resamples=bootstrap.counts(COMMENTS, seed=1))
    difference = statistics.accuracy_difference(base, later)
    assert difference.value == 0
    # two shares of 80 % of 400 differ by 1.96 x sqrt(2 x 0.16 / 400) = 5.5 points, either way
    assert (difference.low, difference.high) == pytest.approx((-5.5, 5.5), abs=0.5)


def test_the_difference_in_auc_is_that_of_the_report() -> None:
    rng = np.random.default_rng(0)
    before, after = (scored(rng.normal(LABELS, spread).round(1)) for spread in (1.0, 1.5))
    difference = statistics.auc_difference(before, after)
    areas = [metrics.roc_auc(one.probabilities, LABELS.tolist()) for one in (before, after)]
    assert difference is not None
    assert difference.value == pytest.approx(((areas[1] or 0) - (areas[0] or 0)) * 100)
    assert difference.low < difference.value < difference.high
    one_class = scored(before.probabilities, [1] * COMMENTS)
    assert statistics.auc_difference(before, one_class) is None


def test_mcnemar_by_hand() -> None:
    before, after = scored(np.ones(10), [1] * 10), scored(np.zeros(10), [1] * 10)
    assert statistics.changed_predictions(before, after) == statistics.ChangedPredictions(
        10, 0, pytest.approx(2 / 2**10)
    )
    assert statistics.changed_predictions(before, before) == statistics.ChangedPredictions(
        0, 0, 1.0
    )

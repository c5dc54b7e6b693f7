"""reports/statistics/trainings.py: variances over comments and trainings."""

import numpy as np
import pytest

from worthit.reports.statistics.trainings import Spread, of_shares


def test_the_interval_is_that_of_welch_if_only_trainings_differ() -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = (0.91, 0.93, 0.92), (0.88, 0.90, 0.86, 0.87)
    welch = stats.ttest_ind(first, second, equal_var=False)
    value = np.mean(first) - np.mean(second)
    spread = Spread.of(0.0, [first, second])
    low, high = welch.confidence_interval()
    assert (value - spread.reach, value + spread.reach) == pytest.approx((low, high))
    assert spread.p(value) == pytest.approx(welch.pvalue)


def test_one_training_has_the_normal_interval_of_the_comments() -> None:
    spread = Spread.of(0.01**2, [(0.9,), (0.8,)])
    assert spread.reach == pytest.approx(0.0196, abs=1e-5)
    assert spread.stretch == 1.0


def test_trainings_widen_an_interval_and_more_of_them_narrow_it() -> None:
    widths = [float(Spread.of(0.01**2, [(0.9, 0.92) * k]).reach) for k in (1, 2, 5, 50)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(0.0196, abs=1e-3)


def test_models_that_agree_on_all_comments_differ_by_up_to_two_of_them() -> None:
    reach = Spread.of(of_shares(np.zeros(20)), ()).reach
    assert reach == pytest.approx(1.96 / 20, abs=1e-3)


def test_without_any_variance_only_a_difference_of_0_is_possible() -> None:
    spread = Spread.of(0.0, ())
    assert (spread.p(0.0), spread.p(0.1)) == (1.0, 0.0)

"""reports/analysis/serving.py, compared with queueing theory."""

import numpy as np
import pytest

from worthit.reports.analysis.serving import highest_rate_per_s, response_ms


def test_waiting_by_hand() -> None:
    served = np.array([10.0, 10.0, 10.0, 1.0])
    gaps = np.array([0.0, 5.0, 20.0, 2.0])  # waits of 0, 5, 0 and 8
    assert response_ms(served, gaps).tolist() == [10.0, 15.0, 10.0, 9.0]


def test_the_mean_wait_follows_pollaczek_and_khinchine() -> None:
    rng = np.random.default_rng(1)
    requests, load = 400_000, 0.5
    responses = response_ms(np.full(requests, 1.0), rng.exponential(1 / load, requests))
    expected = 1 + load / (2 * (1 - load))  # M/D/1, in units of the service time
    assert responses.mean() == pytest.approx(expected, rel=0.02)


def test_the_highest_rate_stays_within_the_limit_and_a_higher_one_does_not() -> None:
    rate = highest_rate_per_s([10.0] * 50, 50.0)
    assert rate is not None
    assert 50 < rate < 100  # at 100 per second the queue would grow without end
    rng = np.random.default_rng(2)
    gaps = rng.exponential(1.0, 200_000) * 1e3
    served = np.full(200_000, 10.0)
    assert np.percentile(response_ms(served, gaps / (rate * 0.97)), 99) < 50
    assert np.percentile(response_ms(served, gaps / (rate * 1.03)), 99) > 50


def test_a_wider_limit_allows_a_higher_rate_and_an_impossible_one_none() -> None:
    narrow, wide = highest_rate_per_s([10.0, 20.0], 40.0), highest_rate_per_s([10.0, 20.0], 200.0)
    assert narrow is not None
    assert wide is not None
    assert narrow < wide < 1e3 / 15
    assert highest_rate_per_s([10.0, 20.0], 15.0) is None

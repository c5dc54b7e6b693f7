"""reports/analysis/serving.py, compared with queueing theory."""

import dataclasses

import numpy as np
import pytest

from tests import factories, small_runs
from worthit.bench.saved.record import BatchTime, MachineRate, measured
from worthit.reports.analysis.serving import (
    Server,
    batched_response_ms,
    highest_rate_per_s,
    response_ms,
    server,
    simulated_ms,
)


def test_waiting_by_hand() -> None:
    served = np.array([10.0, 10.0, 10.0, 1.0])
    gaps = np.array([0.0, 5.0, 20.0, 2.0])  # waits of 0, 5, 0 and 8
    assert response_ms(served, gaps).tolist() == [10.0, 15.0, 10.0, 9.0]


def test_waiting_in_batches_by_hand() -> None:
    served = np.array([10.0, 10.0, 20.0, 30.0, 10.0])
    gaps = np.array([0.0, 5.0, 1.0, 1.0, 100.0])  # the second and third share a batch
    answered = batched_response_ms(served, gaps, (0.0, 1.0, 1.2))
    assert answered.tolist() == pytest.approx([10.0, 23.0, 22.0, 51.0, 10.0])


def test_a_batch_without_gain_takes_no_less_time_than_its_comments_one_by_one() -> None:
    rng = np.random.default_rng(0)
    served, gaps = rng.exponential(1.0, 5_000), rng.exponential(1.5, 5_000)
    alone = response_ms(served, gaps)
    batched = batched_response_ms(served, gaps, (0.0, 1.0, 2.0, 3.0))
    assert batched.mean() > alone.mean()
    assert batched_response_ms(served, gaps, (0.0, 1.0)) == pytest.approx(alone)


def test_the_mean_wait_follows_pollaczek_and_khinchine() -> None:
    rng = np.random.default_rng(1)
    requests, load = 400_000, 0.5
    responses = response_ms(np.full(requests, 1.0), rng.exponential(1 / load, requests))
    expected = 1 + load / (2 * (1 - load))  # M/D/1, in units of the service time
    assert responses.mean() == pytest.approx(expected, rel=0.02)


def test_the_highest_rate_stays_within_the_limit_and_a_higher_one_does_not() -> None:
    ten = Server([10.0] * 50)
    rate = highest_rate_per_s(ten, 50.0)
    assert rate is not None
    assert 50 < rate < 100  # at 100 per second the queue would grow without end
    rng = np.random.default_rng(2)
    gaps = rng.exponential(1.0, 200_000) * 1e3
    served = np.full(200_000, 10.0)
    assert np.percentile(response_ms(served, gaps / (rate * 0.97)), 99) < 50
    assert np.percentile(response_ms(served, gaps / (rate * 1.03)), 99) > 50
    assert np.percentile(simulated_ms(ten, rate), 99) == pytest.approx(50, rel=0.02)


def test_a_wider_limit_allows_a_higher_rate_and_an_impossible_one_none() -> None:
    two = Server([10.0, 20.0])
    narrow, wide = highest_rate_per_s(two, 40.0), highest_rate_per_s(two, 200.0)
    assert narrow is not None
    assert wide is not None
    assert narrow < wide < 1e3 / 15
    assert highest_rate_per_s(two, 15.0) is None


def test_workers_that_take_turns_serve_more_than_workers_that_draw_lots() -> None:
    """Requests in turn arrive more evenly at each worker than those of a worker of its own."""
    alone = highest_rate_per_s(Server([10.0, 20.0]), 60.0)
    four = highest_rate_per_s(Server([10.0, 20.0], workers=4), 60.0)
    assert alone is not None
    assert four is not None
    assert 4 * alone < four < 4 * 1e3 / 15


def test_workers_in_turn_wait_as_if_simulated_one_by_one() -> None:
    rng = np.random.default_rng(3)
    requests, workers, rate_per_s = 300_000, 3, 250.0
    arrived = np.cumsum(rng.exponential(1e3 / rate_per_s, requests))
    served = rng.choice([5.0, 15.0], requests)
    each = [
        response_ms(served[one::workers], np.diff(arrived[one::workers], prepend=0.0))
        for one in range(workers)
    ]
    found = simulated_ms(Server([5.0, 15.0], workers), rate_per_s)
    for percent in (50, 99):
        expected = np.percentile(np.concatenate(each), percent)
        assert np.percentile(found, percent) == pytest.approx(expected, rel=0.05)


def test_batches_that_gain_time_allow_a_higher_rate() -> None:
    gaining = Server([10.0], batch_factors=(0.5, 1.0, 1.2, 1.4, 1.6))
    alone, batched = (
        highest_rate_per_s(gaining, 60.0, in_batches=in_batches) for in_batches in (False, True)
    )
    assert alone is not None
    assert batched is not None
    assert 1.5 * alone < batched < 4e3 / 16


def test_a_cell_gives_its_processes_their_mutual_slowdown_and_the_time_of_batches() -> None:
    sweep = factories.throughput(200.0)
    machine = MachineRate(2, measured(320.0, "comments/s", "clock"), sweep.best.core_ms)
    calls = (BatchTime(2, measured(24.0, "ms", "c")), BatchTime(4, measured(40.0, "ms", "c")))
    timed = factories.latency((20.0, 20.0), *[measured(20.0, "ms", "c")] * 3, batches=calls)
    cell = small_runs.cell(latency=timed, throughput=dataclasses.replace(sweep, machine=machine))
    found = server(cell)
    assert found is not None
    assert found.workers == 2
    assert found.service_ms == pytest.approx([25.0, 25.0])  # 2 x 200 / 320
    assert found.batch_factors[1:] == pytest.approx([1.0, 1.2, 1.6, 2.0])
    assert server(small_runs.cell(latency=None)) is None
    guessed = dataclasses.replace(machine.comments_per_s, origin="estimated")
    failed = dataclasses.replace(
        sweep, machine=dataclasses.replace(machine, comments_per_s=guessed)
    )
    one = server(small_runs.cell(latency=timed, throughput=failed))
    assert one is not None
    assert (one.workers, one.service_ms) == (1, [20.0, 20.0])  # two were not measured
    alone = dataclasses.replace(timed, batches=())
    without = server(small_runs.cell(latency=alone, throughput=None))
    assert without == Server([20.0, 20.0])
    assert without.largest_batch == 1

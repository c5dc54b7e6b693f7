"""The main job: every cell trained once and measured. `pytest bench/ --benchmark-only`

Durations are measured in the cell's own process and replayed here by a clock that only they
advance, so pytest-benchmark's statistics, storage and comparisons show them free of any cost of
passing messages.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from worthit.bench.cells.cell_run import CellRun
from worthit.bench.saved.record import Figure
from worthit.datasets.errors import CellError, DeviceError


class WorkerClock:
    """A timer in seconds that stands still until it is told how long something took."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


clock = WorkerClock()
pytestmark = pytest.mark.benchmark(timer=clock)


def replay(benchmark: Any, seconds: Sequence[float], **facts: Any) -> None:
    """Hand measured durations to pytest-benchmark, one a round, and figures as extra_info."""
    durations = iter(seconds)
    benchmark.extra_info.update(facts)
    benchmark.pedantic(
        lambda: clock.advance(next(durations, 0.0)), rounds=len(seconds), iterations=1
    )


def plain(part: Any) -> dict[str, Any]:
    """The figures of a record, by name, with their provenance."""
    return {
        field.name: dataclasses.asdict(value)
        for field in dataclasses.fields(part)
        if isinstance(value := getattr(part, field.name), Figure)
    }


@contextmanager
def one_line() -> Iterator[None]:
    """End a test without a traceback: skipped if the cell has no place here, failed otherwise."""
    try:
        yield
    except DeviceError as error:
        pytest.skip(str(error))
    except CellError as error:
        pytest.fail(str(error), pytrace=False)


def test_train(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        training = cell.train()
    if training.train_s.value is None:
        pytest.skip(f"{cell.cell.model} is {training.train_s.reason}")
    replay(benchmark, [training.train_s.value], trained_at=training.trained_at, **plain(training))


def test_latency(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        latency = cell.latency()
    replay(benchmark, [sample / 1e3 for sample in latency.samples_ms], **plain(latency))


def test_throughput(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        throughput = cell.throughput()
    rates = {rate.batch_size: rate.comments_per_s.value or 0.0 for rate in throughput.batches}
    replay(benchmark, [1 / max(rates.values())], comments_per_s_by_batch_size=rates)


def test_energy(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        energy = cell.energy()
    replay(benchmark, [energy.window_s / energy.comments], **plain(energy))


def test_accuracy(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        quality = cell.quality()
    replay(benchmark, [quality.scoring_s], truncated_share=quality.truncated_share)


def test_memory(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        memory = cell.memory()
    replay(benchmark, [cell.seconds], **plain(memory))


@pytest.mark.learning_curve
def test_learning_curve(benchmark: Any, cell: CellRun) -> None:
    with one_line():
        training = cell.train()
        if training.train_s.value is None:
            pytest.skip(f"{cell.cell.model} is {training.train_s.reason}")
        points = cell.learning_curve()
    if not points:
        pytest.skip("too few training comments to leave some out")
    replay(benchmark, [point.train_s.value or 0.0 for point in points])

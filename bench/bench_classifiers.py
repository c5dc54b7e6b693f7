"""The benchmark: trains and measures every cell. `pytest bench/ --benchmark-only`

Durations are measured in the cell's process. Here a simulated clock replays them, so pytest-benchmark's
statistics, storage and comparisons exclude the time of passing messages.
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
    """A timer in seconds that only `advance` moves."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


clock = WorkerClock()
pytestmark = pytest.mark.benchmark(timer=clock)


def replay(benchmark: Any, seconds: Sequence[float], **figures: Any) -> None:
    """Pass measured durations to pytest-benchmark, one per round, and figures as extra_info."""
    durations = iter(seconds)
    benchmark.extra_info.update(figures)
    benchmark.pedantic(
        lambda: clock.advance(next(durations, 0.0)), rounds=len(seconds), iterations=1
    )


def figures_of(part: Any) -> dict[str, Any]:
    """The figures of a record by name, with their provenance."""
    return {
        field.name: dataclasses.asdict(value)
        for field in dataclasses.fields(part)
        if isinstance(value := getattr(part, field.name), Figure)
    }


@contextmanager
def one_line(cell: CellRun) -> Iterator[None]:
    """Skip or fail the test in one line, without a traceback. A cell fails once: one block tells all."""
    try:
        yield
    except DeviceError as error:
        pytest.skip(str(error))
    except CellError as error:
        if cell.reported:
            pytest.skip(f"{cell.cell.name} has failed: {cell.reported}")
        cell.reported = cell.record.failures[0]
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def test_train(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        training = cell.train()
    if training.train_s.value is None:
        pytest.skip(f"{cell.cell.model} is {training.train_s.reason}")
    replay(
        benchmark, [training.train_s.value], trained_at=training.trained_at, **figures_of(training)
    )


@pytest.mark.first_seed
def test_latency(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        latency = cell.latency()
    replay(benchmark, [sample / 1e3 for sample in latency.samples_ms], **figures_of(latency))


@pytest.mark.first_seed
def test_throughput(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        throughput = cell.throughput()
    rates = {rate.batch_size: rate.comments_per_s.value or 0.0 for rate in throughput.batches}
    replay(benchmark, [1 / max(rates.values())], comments_per_s_by_batch_size=rates)


@pytest.mark.first_seed
def test_energy(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        energy = cell.energy()
    replay(benchmark, [energy.window_s / energy.comments], **figures_of(energy))


def test_accuracy(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        quality = cell.quality()
    replay(benchmark, [quality.scoring_s], truncated_share=quality.truncated_share)


@pytest.mark.first_seed
def test_memory(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        memory = cell.memory()
    replay(benchmark, [cell.seconds], **figures_of(memory))


@pytest.mark.first_seed
@pytest.mark.learning_curve
def test_learning_curve(benchmark: Any, cell: CellRun) -> None:
    with one_line(cell):
        training = cell.train()
        if training.train_s.value is None:
            pytest.skip(f"{cell.cell.model} is {training.train_s.reason}")
        points = cell.learning_curve()
    if not points:
        pytest.skip("too few training comments to leave some out")
    replay(benchmark, [point.train_s.value or 0.0 for point in points])

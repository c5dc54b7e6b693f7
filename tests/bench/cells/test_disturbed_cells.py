"""bench/cells: measurements that other work on the machine disturbs, and what each process scores."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.bench.cells.test_cells import SHORT, one_cell
from tests.in_process_worker import InProcessWorker
from worthit.bench.cell import Cell
from worthit.bench.cells import cell_run, curve_sizes, work
from worthit.bench.cells.work import Work
from worthit.bench.instruments import request_batches
from worthit.bench.saved import record
from worthit.datasets.errors import CellError


@pytest.fixture(autouse=True)
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each latency also times five sizes of batches for half a second."""
    monkeypatch.setattr(request_batches, "_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("most", "reasons", "kept", "attempts"),
    [
        (2, [()], (), 1),
        (1, [("a busy program",)], ("a busy program",), 1),
        (2, [("a busy program",), ()], (), 2),
        (2, [("a busy program",), ("another",)], ("a busy program",), 2),
        (3, [("a busy program",), ("a busy program",), ()], (), 3),
    ],
)
def test_a_disturbed_measurement_is_repeated_and_the_quieter_one_kept(
    split: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    reasons: list[tuple[str, ...]],
    kept: tuple[str, ...],
    attempts: int,
) -> None:
    left = [(), *reasons]  # of training, then of each latency

    class Watch:
        """Has seen what the test says."""

        def __init__(self, device: str) -> None: ...

        def end(self) -> record.Disturbance:
            given = left.pop(0)
            others = record.measured(50.0 if given else 0.1, "%", "/proc/stat")
            return factories.disturbance(*given, others=others)

    monkeypatch.setattr(work, "Watch", Watch)
    monkeypatch.setattr(cell_run, "_PAUSE_S", 0.0)
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    with one_cell(split, tmp_path, most) as run:
        found = run.latency()
        run.close()
    assert found.disturbance is not None
    assert found.disturbance.reasons == kept
    assert found.disturbance.attempts == attempts
    assert found.p50_ms.disturbed == "; ".join(kept)
    # The first call of a process cannot be repeated.
    assert found.cold_start_s.value is not None
    assert run.record.latency == found
    printed = (tmp_path / "progress").read_text()
    repeated = "latency is measured again, since a busy program"
    assert printed.count(repeated) == attempts - 1


def test_the_first_result_stands_if_measuring_again_fails(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Once(InProcessWorker):
        """Measures latency once."""

        asked = 0

        def ask(self, operation: str, *arguments: Any, **more: Any) -> Any:
            Once.asked += operation == "latency"
            if Once.asked > 1:
                raise CellError("out of memory")
            return super().ask(operation, *arguments, **more)

    monkeypatch.setattr(cell_run, "_disturbed_by", lambda result: ("a busy program",))
    monkeypatch.setattr(cell_run, "_PAUSE_S", 0.0)
    monkeypatch.setattr(cell_run, "Worker", Once)
    with one_cell(split, tmp_path, attempts=2) as run:
        found = run.latency()
        run.close()
    assert run.record.latency == found
    assert not run.record.failures
    assert "measuring latency again failed: out of memory" in (tmp_path / "progress").read_text()


def test_every_measurement_of_time_records_what_else_the_machine_did(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_run, "_PAUSE_S", 0.0)
    monkeypatch.setattr(curve_sizes, "_FEWEST_COMMENTS", 40)
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    with one_cell(split, tmp_path, attempts=2) as run:
        parts = (run.train(), run.latency(), run.throughput(), run.energy(), *run.learning_curve())
        run.close()
    for part in parts:
        assert part.disturbance is not None
        assert part.disturbance.window_s > 0


def test_processes_at_the_same_time_score_distinct_comments(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples: list[list[str]] = []

    def score(texts: list[str], batch_size: int) -> None:
        samples.append(texts)

    effort = dataclasses.replace(SHORT, largest_batch=4)
    cell = Cell("tfidf", "cpu", 0, split, effort=effort)
    for number in range(3):
        part = Work(cell, lambda done, total: None)
        monkeypatch.setattr(part, "_baseline_bytes", 0, raising=False)
        monkeypatch.setattr(part, "_synchronize", lambda: None, raising=False)
        monkeypatch.setattr(part, "_score", score)
        part.rate_of_part(4, number, 3)
        assert len(set(samples[-1])) == len(samples[-1]) == 4
    assert len({text for sample in samples for text in sample}) == 3 * 4

"""bench/cells/all_cores.py: one process per core, for models that leave cores idle."""

from typing import Any, ClassVar

import pytest

from tests import factories
from worthit.bench.cell import Cell
from worthit.bench.cells import all_cores
from worthit.bench.saved.record import BatchRate, MachineRate
from worthit.datasets.errors import CellError

CELL = Cell("tfidf", "cpu", 0, "split")
ALONE = factories.throughput(factories.rate(900, 1), factories.rate(1000, 8))


class FakeWorker:
    """Scores 950 comments/s at 1.05 core-ms; notes what it is asked."""

    asked: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    error: Exception | None = None

    def __init__(self, cell: Cell, log: None, progress: Any, threads: int) -> None:
        self.asked.append(("new", {"threads": threads}))

    def start(self, *arguments: Any) -> None: ...

    def ask(self, operation: str, answer: Any, limit: Any, **arguments: Any) -> BatchRate | None:
        self.asked.append((operation, arguments))
        if operation != "rate_of_part":
            return None
        if self.error is not None:
            raise self.error
        return factories.rate(950, arguments["batch_size"], core_ms=1.05)

    def close(self) -> None:
        self.asked.append(("close", {}))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What fake workers on a machine of three cores are asked."""
    monkeypatch.setattr(FakeWorker, "asked", [])
    monkeypatch.setattr(all_cores, "Worker", FakeWorker)
    for count in ("allowed_cores", "allowed_cpus"):
        monkeypatch.setattr(all_cores.processor, count, lambda: 3)
    monkeypatch.setattr(all_cores, "_that_fit", lambda: 100)
    return FakeWorker.asked


def test_one_process_per_core_scores_its_own_part(asked: list[tuple[str, dict[str, Any]]]) -> None:
    found = all_cores.with_all_cores(ALONE, CELL, "artifact")
    assert found.batches == ALONE.batches
    assert found.machine.processes == 3
    assert found.machine.comments_per_s.value == pytest.approx(3 * 950)
    assert found.machine.core_ms.value == pytest.approx(1.05)
    assert found.machine.comments_per_s.origin == "measured"
    parts = [arguments for operation, arguments in asked if operation == "rate_of_part"]
    assert sorted(part["number"] for part in parts) == [0, 1, 2]
    assert {(part["batch_size"], part["parts"]) for part in parts} == {(8, 3)}
    assert [operation for operation, _ in asked].count("close") == 3
    assert ("new", {"threads": 1}) in asked


@pytest.mark.parametrize(
    ("measured", "core_ms", "fit"),
    [
        (CELL, 2.5, 100),  # one process keeps 2.5 cores busy
        (Cell("tfidf", "cuda", 0, "split"), 1.0, 100),  # the accelerator is busy
        (CELL, 1.0, 1),  # memory holds one process only
    ],
)
def test_the_rate_of_one_process_stands_where_more_would_not_help(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, measured: Cell, core_ms: float, fit: int
) -> None:
    monkeypatch.setattr(all_cores, "_that_fit", lambda: fit)
    alone = factories.throughput(factories.rate(1000, core_ms=core_ms))
    assert all_cores.with_all_cores(alone, measured, "artifact") == alone
    assert asked == []


def test_where_processes_fail_the_rate_of_the_machine_is_an_estimate_that_says_so(
    asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeWorker, "error", CellError("the process was killed"))
    machine: MachineRate = all_cores.with_all_cores(ALONE, CELL, "artifact").machine
    assert machine.comments_per_s.value == 3000
    assert machine.comments_per_s.origin == "estimated"
    assert (
        "could not be measured: CellError: the process was killed" in machine.comments_per_s.reason
    )
    assert machine.core_ms == ALONE.best.core_ms
    assert [operation for operation, _ in asked].count("close") == 3


def test_each_hyper_thread_gets_a_process(
    asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_cores.processor, "allowed_cpus", lambda: 6)
    assert all_cores.with_all_cores(ALONE, CELL, "artifact").machine.processes == 6

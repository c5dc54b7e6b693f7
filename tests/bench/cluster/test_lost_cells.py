"""bench/cluster/dispatch.py: where a cell goes whose process, node or memory is lost; without a cluster."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests import factories
from worthit.bench.cell import Cell
from worthit.bench.cluster import dispatch, on_node
from worthit.bench.cluster.dispatch import CellKey, Dispatch, Try
from worthit.bench.cluster.kinds import Kind
from worthit.bench.cluster.on_node import Begun, Done, Order
from worthit.bench.saved.record import CellRecord, Figure, measured
from worthit.models.cluster.connection import Node

exceptions = pytest.importorskip("ray.exceptions", reason="pip install 'worthit[cluster]'")

NODES = tuple(Node(f"{name}-id", name, 1.0, 0.0, {}) for name in ("one", "two", "three"))


class Ended:
    """Reports of a cell that ends with an error."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __next__(self) -> Any:
        raise self._error


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Dispatch:
    """Hands nothing to Ray: what it would is in `_tries`."""
    made = object.__new__(Dispatch)
    made._kinds = {"": Kind("", NODES, {}, ("cpu",))}
    made._names = {node.node_id: node.name for node in NODES}
    made._tries, made._ended = [], []

    def begin(key: CellKey, order: Order, allowed: Any, failed_on: Any) -> None:
        error = exceptions.OutOfMemoryError("")
        made._tries.append(Try(key, order, tuple(allowed), Ended(error), failed_on))

    monkeypatch.setattr(made, "_begin", begin)
    monkeypatch.setattr(made, "_alive", lambda: {node.node_id for node in NODES})
    return made


def test_a_cell_that_ray_ends_for_memory_is_tried_on_another_node_and_then_is_a_row(
    given: Dispatch,
) -> None:
    given.submit(CellKey("", "bert", "cpu", 0), Cell("bert", "cpu", 0, "split"), (), 1.0)
    for node_id in ("two-id", "three-id"):
        (one,) = given._tries
        one.node_id = node_id
        given._advance(one)
    assert one.allowed == ("one-id", "three-id")
    _, outcome = given.next_outcome()
    (failure,) = outcome.done.record.failures
    why = "ran out of memory, and Ray ended the cell"
    assert failure == f"training: two {why}; then three {why}"
    assert given.is_idle


def test_a_cell_that_is_lost_before_its_first_report_is_not_tried_on_the_same_node(
    given: Dispatch,
) -> None:
    cell = Cell("bert", "cpu", 0, "split")
    given.submit(CellKey("", "bert", "cpu", 0), cell, (), 1.0, home="two-id")
    given._advance(given._tries[0])
    assert given._tries.pop().allowed == ("one-id", "three-id")

    given._kinds = {"": Kind("", NODES[:1], {}, ("cpu",))}
    given.submit(CellKey("", "bert", "cpu", 0), cell, (), 1.0)
    given._advance(given._tries[0])
    (failure,) = given.next_outcome()[1].done.record.failures
    assert failure == "training: one ran out of memory, and Ray ended the cell"


def test_what_a_full_node_gave_is_kept_if_the_second_try_is_lost(
    given: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "get", lambda report: report)
    record = CellRecord(
        "bert", "cpu", 0, training=factories.training(1.0), failures=("memory: out of memory",)
    )
    given.submit(CellKey("", "bert", "cpu", 0), Cell("bert", "cpu", 0, "split"), (), 1.0)
    (one,) = given._tries
    one.reports = iter([Begun("two-id"), Done(record, {"train": 1.0}, "", b"")])
    for _ in range(2):
        given._advance(one)
    (again,) = given._tries
    again.node_id = "one-id"
    given._advance(again)
    _, outcome = given.next_outcome()
    assert outcome.done.record.training is record.training
    assert outcome.done.record.failures == (
        "memory: out of memory",
        "memory: tried again: one ran out of memory, and Ray ended the cell",
    )
    assert (outcome.node, outcome.begun) == ("two", Begun("two-id"))
    assert outcome.remarks == ("two: memory: out of memory",)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("OutOfDiskError", "has a full disk"),
        ("ObjectStoreFullError", "has a full object store"),
        ("WorkerCrashedError", "lost the cell's process"),
        ("NodeDiedError", "died, or was drained"),
    ],
)
def test_each_loss_has_a_reason_in_plain_words(kind: str, reason: str) -> None:
    error_class = getattr(exceptions, kind)
    error = error_class.__new__(error_class)  # their constructors differ
    assert dispatch._reason(error) == reason


def test_a_node_is_known_before_its_noise_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    seen: list[Figure] = []

    def measure_noise() -> Figure:
        seen.append(measured(2.0, "%", "a test"))
        return seen[0]

    context = SimpleNamespace(get_node_id=lambda: "one-id")
    done = Done(CellRecord("bert", "cpu", 0), {}, "", b"")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(on_node, "_noise", measure_noise)
    monkeypatch.setattr(on_node, "run_cell", lambda *_: done)
    reports = on_node.measure(Order(Cell("bert", "cpu", 0, "split"), (), 1.0), {})
    assert next(reports) == Begun("one-id")
    assert not seen
    assert list(reports) == [replace(done, noise=measured(2.0, "%", "a test"))]

"""bench/cells/trainers.py: the cell's process and the others that share its training."""

import math
import queue
import threading
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from worthit.bench.cell import Cell
from worthit.bench.cells import trainers
from worthit.bench.cells.cell_model import CellModel
from worthit.bench.cells.engine import Limit
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, DeviceError
from worthit.models.contract import silent
from worthit.models.hardware import processor
from worthit.models.registry import MODELS, model_class
from worthit.models.transformer.place import LOST


@pytest.fixture
def shared_cell(small_split: str, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A tiny BERT that two processes train, on a machine said to have two cores."""
    monkeypatch.setattr(processor, "allowed_cores", lambda: 2)
    settings = {"checkpoint": str(tiny_bert), "precision": "fp32", "dropout": 0.0, "epochs": 2}
    return Cell("bert", "cpu", 0, small_split, settings, processes=2)


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_two_processes_train_one_model_and_its_costs_are_those_of_both(shared_cell: Cell) -> None:
    before = {child.pid for child in children()}
    alone = Work(Cell(**vars(shared_cell) | {"processes": 1}), silent)
    alone.setup()
    one = alone.train()
    work = Work(shared_cell, silent)
    work.setup()
    two = work.train()
    assert {child.pid for child in children()} <= before
    assert (one.processes, two.processes) == (1, 2)
    assert one.artifact != two.artifact  # so neither is taken from the cache for the other
    weights = [
        load_file(cache_folder("artifacts", each.artifact) / "model.safetensors")
        for each in (one, two)
    ]
    for name, values in weights[0].items():
        assert weights[1][name] == pytest.approx(values, abs=1e-5)
    # Other tests in this process may have left children, which count too, and may end meanwhile.
    assert two.memory.processes > 1
    if before == {child.pid for child in children()}:
        assert two.memory.processes == one.memory.processes + 1
    assert f"{two.memory.processes} processes added up" in two.memory.peak_mb.instrument
    assert two.memory.baseline_mb.value > one.memory.baseline_mb.value  # it has its own libraries
    kept = artifacts.read_record(cache_folder("artifacts", two.artifact))
    assert kept is not None
    assert kept.processes == 2


def test_a_process_that_dies_fails_the_training_in_one_line_and_leaves_none(
    shared_cell: Cell, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {child.pid for child in children()}
    endless = Cell(**vars(shared_cell) | {"settings": shared_cell.settings | {"epochs": 10_000}})
    killed = threading.Event()

    def kill_the_other(done: int, total: int) -> None:
        if not killed.is_set():
            killed.set()
            (other,) = (child for child in children() if child.pid not in before)
            other.kill()

    work = Work(endless, kill_the_other)
    work.setup()
    with pytest.raises(CellError) as raised:
        work.train()
    assert str(raised.value) == (
        "process 2 of 2: the process was killed, most likely because the machine ran out of memory"
    )
    assert {child.pid for child in children()} <= before
    assert not any(cache_folder("artifacts").glob("bert-*"))


class FailingWorker:
    """Another process whose training fails."""

    def __init__(self, error: str) -> None:
        self.error, self.closed = error, False

    def ask(self, *_: object, **__: object) -> None:
        raise CellError(self.error)

    def close(self) -> None:
        self.closed = True


def test_the_cause_is_told_rather_than_what_the_others_say_of_it() -> None:
    workers = [FailingWorker(LOST), FailingWorker("out of memory"), FailingWorker("exit code 1")]
    training = trainers._SharedTraining(workers, lambda reason: None)  # type: ignore[arg-type]

    def lose_the_others() -> None:
        with training.followed("", 1):
            training._failed.wait(10)
            raise CellError(LOST)

    with pytest.raises(CellError, match=r"^process 3 of 4: out of memory$"):
        lose_the_others()
    assert all(worker.closed for worker in workers)


def test_only_the_limit_of_the_cell_ends_a_shared_training() -> None:
    limits: list[float] = []

    class Recording(FailingWorker):
        """Records how long it may train."""

        def ask(self, operation: str, answer: object, limit: Limit, **_: object) -> None:
            limits.append(limit.seconds)

    training = trainers._SharedTraining([Recording("")], lambda reason: None)  # type: ignore[list-item]
    with training.followed("", 1):
        pass
    assert limits == [math.inf]


def test_a_first_process_that_waits_for_ever_is_ended_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainers, "_GRACE_S", 0.01)
    reasons: queue.SimpleQueue[str] = queue.SimpleQueue()
    training = trainers._SharedTraining([FailingWorker("out of memory")], reasons.put)  # type: ignore[list-item]
    with pytest.raises(CellError), training.followed("", 1):
        assert reasons.get(timeout=10) == "process 2 of 2: out of memory"


def test_an_error_of_the_first_process_is_its_own() -> None:
    training = trainers._SharedTraining([FailingWorker(LOST)], lambda reason: None)  # type: ignore[list-item]
    with pytest.raises(CellError, match=r"^diverged$"), training.followed("", 1):
        raise CellError("diverged")


@pytest.mark.parametrize(
    ("device", "most", "reason"),
    [
        (
            "cpu",
            2,
            "which has 2 physical cores that this process may use; give at most --processes 2",
        ),
        ("cuda", 0, "which has 0 visible CUDA GPUs"),
        ("mps", 1, "cannot train on mps, which has one GPU; give at most --processes 1"),
    ],
)
def test_more_processes_than_places_are_refused(device: str, most: int, reason: str) -> None:
    with pytest.raises(DeviceError) as raised:
        trainers.require(device, 3, most)
    assert reason in str(raised.value)
    trainers.require(device, most, most)


def test_models_that_cannot_share_a_training_ignore_the_option(
    small_split: str,
) -> None:
    cell = Cell("tfidf", "cpu", 0, small_split, processes=999)
    made = CellModel(cell)
    assert made.processes == 1
    assert made.fingerprint() == CellModel(Cell("tfidf", "cpu", 0, small_split)).fingerprint()


def test_a_cell_with_more_processes_than_cores_is_skipped_before_training(
    shared_cell: Cell,
) -> None:
    with pytest.raises(DeviceError, match="3 processes cannot train on cpu"):
        Work(Cell(**vars(shared_cell) | {"processes": 3}), silent).setup()


def test_the_models_that_share_a_training_are_those_with_the_training_loop() -> None:
    shared = {name for name, entry in MODELS.items() if entry.shares_training}
    assert shared == {"bert", "llama", "llama-head", "llama-qlora"}
    assert all("place" in dir(model_class(name)) for name in shared)

"""The processes that share one training. The cell's own process is the first, and starts the others.

Each of the others has the same cell and comments, and is asked to train along. If one fails, all end:
their input is closed, which ends also those that wait for a device or for each other.
"""

import dataclasses
import math
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from worthit.bench.cell import Cell
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.saved.record import Memory, Setup
from worthit.datasets.errors import CellError, DeviceError, WorthitError
from worthit.models.hardware import processor
from worthit.models.transformer.place import LOST, Place

#: the limit of the whole training ends this process, and with it the others
_LIMIT = Limit(math.inf, "")
CLOCK = "perf_counter, device synchronised"
#: for the first process to notice that another one has failed; NCCL may wait for ever
_GRACE_S = 5.0


def require(device: str, processes: int, most: int) -> None:
    """Raise DeviceError unless so many processes can train on a device.

    Args:
        most: GPUs or physical cores, as fits the device.
    """
    if processes <= most:
        return
    several = "" if most == 1 else "s"
    has = {
        "cpu": f"{most} physical core{several} that this process may use",
        "cuda": f"{most} visible CUDA GPU{several}",
    }
    raise DeviceError(
        f"{processes} processes cannot train on {device}, which has {has.get(device, 'one GPU')}; give "
        f"at most --processes {max(most, 1)}, or other --devices"
    )


def threads(processes: int) -> int:
    """Threads of each process."""
    return max(processor.allowed_cores() // processes, 1)


class Trainers:
    """The other processes of a training, from start to end; with one process there are none.

    Args:
        cell: of this process.
        processes: that share the training, this one included.
        end: ends this process with a reason, whatever it waits for.
    """

    def __init__(self, cell: Cell, processes: int, end: Callable[[str], None]) -> None:
        self.processes = processes
        self.resident_bytes = 0  # of the others, with all libraries and before any training
        self._cell, self._end = cell, end
        self._workers: list[Worker] = []
        self._trainings = 0

    def __enter__(self) -> Self:
        """Start the others, and let them read the comments.

        Raises:
            CellError, DeviceError: one could not start.
        """
        if self.processes == 1:
            return self
        self._folder = tempfile.TemporaryDirectory(prefix="worthit-")
        try:
            for rank in range(1, self.processes):
                cell = dataclasses.replace(self._cell, rank=rank, processes=self.processes)
                self._workers.append(
                    Worker(cell, None, lambda done, total: None, threads=threads(self.processes))
                )
            with ThreadPoolExecutor(len(self._workers)) as pool:
                self.resident_bytes = sum(pool.map(_get_ready, self._workers))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.processes > 1:
            self._close()

    def fit(self, model: Any, texts: Sequence[str], labels: Any, progress: Any) -> None:
        """Train with the first `len(texts)` training comments, which each process has.

        Raises:
            CellError: a process failed; the message says which, and why.
        """
        if self.processes == 1:
            model.fit(texts, labels, progress)
            return
        self._trainings += 1
        meeting = Path(self._folder.name) / f"{self._trainings}"
        model.place = Place(0, self.processes, meeting)
        shared = _SharedTraining(self._workers, self._end)
        with _fewer_threads(self.processes), shared.followed(str(meeting), len(texts)):
            model.fit(texts, labels, progress)

    @property
    def clock(self) -> str:
        """The instrument of the training's time."""
        if self.processes == 1:
            return CLOCK
        # A recorded step must not wait for other processes.
        plain = ", without CUDA graphs" if self._cell.device == "cuda" else ""
        return f"{CLOCK}, {self.processes} processes{plain}"

    def described(self, memory: Memory) -> Memory:
        """The memory of a training; what one card has says of which of several it is."""
        if self.processes == 1 or memory.accelerator_peak_mb.value is None:
            return memory
        first = f", on the first of {self.processes} cards"
        names = ("accelerator_peak_mb", "accelerator_reserved_mb", "accelerator_used_mb")
        figures = {name: getattr(memory, name) for name in names}
        return dataclasses.replace(memory, **{
            name: dataclasses.replace(figure, instrument=figure.instrument + first)
            for name, figure in figures.items()
        })  # fmt: skip

    def _close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers = []
        self._folder.cleanup()


def _get_ready(worker: Worker) -> int:
    worker.start(Setup, _LIMIT)
    return worker.ask("get_ready", int, _LIMIT)


@contextmanager
def _fewer_threads(processes: int) -> Iterator[None]:
    """Share the cores with the other processes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads(processes))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _SharedTraining:
    """One training. The first failure of another process ends all of them."""

    def __init__(self, workers: Sequence[Worker], end: Callable[[str], None]) -> None:
        self._workers, self._end = workers, end
        self._failures: list[tuple[int, WorthitError]] = []  # rank, error
        self._failed, self._over = threading.Event(), threading.Event()

    @contextmanager
    def followed(self, meeting: str, comments: int) -> Iterator[None]:
        """Have the others train along during the block.

        Raises:
            CellError: one of them failed.
        """
        pool = ThreadPoolExecutor(len(self._workers))
        following = [
            pool.submit(self._follow, rank, worker, meeting, comments)
            for rank, worker in enumerate(self._workers, 1)
        ]
        try:
            yield
            wait(following)
            if self._failures:
                raise self._failure()
        except CellError as error:
            if str(error) == LOST and self._failed.wait(_GRACE_S):
                raise self._failure() from error
            raise
        finally:
            self._over.set()
            pool.shutdown(wait=False)

    def _follow(self, rank: int, worker: Worker, meeting: str, comments: int) -> None:
        try:
            worker.ask("train_along", type(None), _LIMIT, meeting=meeting, comments=comments)
        except WorthitError as error:
            self._failures.append((rank, error))
            if str(error) != LOST:
                self._failed.set()
                for each in self._workers:
                    each.close()
            if not self._over.wait(_GRACE_S):
                self._end(str(self._failure()))

    def _failure(self) -> CellError:
        """The cause: not what the other processes say of a process that ended."""
        causes = [each for each in self._failures if str(each[1]) != LOST]
        rank, error = (causes or self._failures)[0]
        return CellError(f"process {rank + 1} of {len(self._workers) + 1}: {error}")

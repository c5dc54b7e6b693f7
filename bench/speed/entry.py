"""A process of the yardstick: a contestant, which works slice by slice, or what prepares for them.

See `worker` for how it is asked. It works only while asked, so that contestants can take turns on
one machine.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from worthit.bench.cells import worker
from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.saved.record import Memory
from worthit.bench.speed import implementations
from worthit.bench.speed.implementations import Task
from worthit.datasets import prepare
from worthit.models.contract import Progress


@dataclass(frozen=True)
class Outcome:
    """What is left when all slices are done."""

    scores: tuple[
        float, ...
    ]  # probabilities of toxic: of all but the warm-up, or the test comments
    memory: Memory  # from loading to the last slice


class Contestant:
    """A way at work on a task, in this process.

    Slice 0 warms it up, before anything is timed: what is imported, loaded, compiled or, for
    training, tokenised once is no part of any slice.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._scores: list[float] = []

    def setup(self) -> dict[str, Any]:
        """Load and warm up; the settings of our own model, which others are to follow."""
        task = self._task
        part = prepare.comments(task.split, "train" if task.trains else "test")
        self._texts, self._labels = part.texts[: task.comments], part.labels[: task.comments]
        self._way = implementations.named(task.way)(task)
        self._stack = contextlib.ExitStack()
        self._window = self._stack.enter_context(peak_memory(task.device, resident_bytes()))
        if task.trains:
            self._training = Sliced(lambda told: self._way.fit(self._texts, self._labels, told))
        else:
            self._way.load()
        self.slice(0)
        self._scores.clear()
        return (
            dict(self._way.model.get_params())
            if isinstance(self._way, implementations.Ours)
            else {}
        )

    def slice(self, number: int) -> int:
        """Work on one slice; how many comments that were."""
        task = self._task
        first, end = (step * task.slice_comments for step in (number, number + 1))
        if task.trains:
            done = self._training.advance(end)
        else:
            scores = self._way.score(self._texts[first:end])
            self._scores += scores.tolist()
            done = len(scores)
        if task.device != "cpu":
            from worthit.models.hardware import devices

            devices.synchronize(task.device)
        return done

    def finish(self) -> Outcome:
        self._stack.close()
        task = self._task
        if task.trains:
            self._training.advance(task.comments)  # where fewer slices were asked for
            test = prepare.comments(task.split, "test").texts[: task.test_comments]
            self._scores = self._way.score(test).tolist()
        assert self._window.memory is not None
        return Outcome(tuple(self._scores), self._window.memory)


class Sliced:
    """A training that stands still between slices.

    It runs in a thread of its own and blocks where it reports its progress, so that nothing about
    it has to change.
    """

    def __init__(self, fit: Callable[[Progress], None]) -> None:
        self._fit = fit
        self._done = self._target = 0
        self._ended = False
        self._error: Exception | None = None
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def advance(self, target: int) -> int:
        """Train until `target` comments are done, and at least one step; how many were new.

        What ends a training belongs to its last slice.

        Raises:
            CellError: it had ended.
        """
        before, self._target = self._done, max(target, self._done + 1)
        if not self._ended:
            self._go.release()
            self._stopped.acquire()
        if self._error is not None:
            raise self._error
        return self._done - before

    def _progress(self, done: int, total: int) -> None:
        self._done = done
        if self._target <= done < total:
            self._stopped.release()
            self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._fit(self._progress)
        except Exception as error:
            self._error = error
        self._ended = True
        self._stopped.release()


def _opened(given: Any, progress: Progress) -> Any:
    task = msgspec.convert(given, Task)
    if task.way == "gauge":
        from worthit.bench.speed.gemm import Gauge

        return Gauge(task)
    if task.way == "tuner":
        from worthit.bench.speed.trained_weights import Tuner

        return Tuner(task, progress)
    return Contestant(task)


if __name__ == "__main__":
    worker.serve(_opened)

"""The process of an entry: one implementation, which works slice by slice.

It works only on request (see `worker`), so that entries can take turns on one machine.
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
    """The result of all slices.

    Scores are probabilities of toxic: of the test comments after a training, otherwise of all timed
    comments.
    """

    scores: tuple[float, ...]
    memory: Memory  # from loading to the last slice


class EntryWork:
    """One implementation at work on a task, in this process.

    Slice 0 is the warm-up, before anything is timed. No timed slice includes importing, loading,
    compiling or, for training, tokenizing.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._scores: list[float] = []

    def setup(self) -> dict[str, Any]:
        """Load and warm up. Returns the settings of our model, or nothing for other entries."""
        task = self._task
        part = prepare.comments(task.split, "train" if task.trains else "test")
        self._texts, self._labels = part.texts[: task.comments], part.labels[: task.comments]
        self._implementation = implementations.implementation_class(task.implementation)(task)
        self._stack = contextlib.ExitStack()
        self._window = self._stack.enter_context(peak_memory(task.device, resident_bytes()))
        if task.trains:
            self._training = PausableTraining(
                lambda progress: self._implementation.fit(self._texts, self._labels, progress)
            )
        else:
            self._implementation.load()
        self.slice(0)
        self._scores.clear()
        if isinstance(self._implementation, implementations.Ours):
            return dict(self._implementation.model.get_params())
        return {}

    def slice(self, number: int) -> int:
        """Work on one slice. Returns its number of comments."""
        task = self._task
        first, end = (step * task.slice_comments for step in (number, number + 1))
        if task.trains:
            count = self._training.advance(end)
        else:
            scores = self._implementation.score(self._texts[first:end])
            self._scores += scores.tolist()
            count = len(scores)
        if task.device != "cpu":
            from worthit.models.hardware import devices

            devices.synchronize(task.device)
        return count

    def finish(self) -> Outcome:
        """End the memory measurement and, after a training, score the test comments."""
        self._stack.close()
        task = self._task
        if task.trains:
            self._training.advance(task.comments)  # if not all slices were requested
            test = prepare.comments(task.split, "test").texts[: task.test_comments]
            self._scores = self._implementation.score(test).tolist()
        assert self._window.memory is not None
        return Outcome(tuple(self._scores), self._window.memory)


class PausableTraining:
    """A training that pauses between slices.

    It runs in its own thread and blocks where it reports progress, so the training code does not
    have to change.
    """

    def __init__(self, fit: Callable[[Progress], None]) -> None:
        self._fit = fit
        self._done = self._target = 0
        self._ended = False
        self._error: Exception | None = None
        self._resume, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def advance(self, target: int) -> int:
        """Train until `target` comments are done, and for at least one step.

        The last slice includes the end of the training.

        Returns:
            The number of comments trained on by this call; 0 if the training had ended before.
        """
        before, self._target = self._done, max(target, self._done + 1)
        if not self._ended:
            self._resume.release()
            self._paused.acquire()
        if self._error is not None:
            raise self._error
        return self._done - before

    def _progress(self, done: int, total: int) -> None:
        self._done = done
        if self._target <= done < total:
            self._paused.release()
            self._resume.acquire()

    def _run(self) -> None:
        self._resume.acquire()
        try:
            self._fit(self._progress)
        except Exception as error:
            self._error = error
        self._ended = True
        self._paused.release()


if __name__ == "__main__":
    worker.serve(lambda task, progress: EntryWork(msgspec.convert(task, Task)))

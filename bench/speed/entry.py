"""The process of an entry: one implementation, which works slice by slice.

It works only on request (see `worker`), so that entries can take turns on one machine.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from worthit.bench.cells import worker
from worthit.bench.instruments.disturbance import Watch
from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.saved.record import Memory
from worthit.bench.speed import implementations
from worthit.bench.speed.implementations import Task
from worthit.datasets import prepare
from worthit.models.contract import Progress

_CHUNK = 128  # comments scored between two looks at the clock


@dataclass(frozen=True)
class Outcome:
    """The result of all slices.

    A slow entry may have scored fewer comments than `Task.for_accuracy` has.
    """

    numbers: tuple[int, ...]  # of the test comments
    scores: tuple[float, ...]  # their probabilities of toxic
    memory: Memory  # from loading to the last slice


class EntryWork:
    """One implementation at work on a task, in this process.

    Slice 0 is the warm-up, before anything is timed. No timed slice includes importing, loading,
    compiling or, for training, tokenizing.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._scores: dict[int, float] = {}

    def setup(self) -> dict[str, Any]:
        """Load and warm up. Returns the settings of our model, or nothing for other entries."""
        task = self._task
        self._test = prepare.comments(task.split, "test").texts
        self._implementation = implementations.implementation_class(task.implementation)(task)
        self._stack = contextlib.ExitStack()
        self._window = self._stack.enter_context(peak_memory(task.device, resident_bytes()))
        if task.trains:
            train = prepare.comments(task.split, "train")
            texts, labels = train.texts[: task.comments], train.labels[: task.comments]
            self._training = PausableTraining(
                lambda progress: self._implementation.fit(texts, labels, progress)
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
        if task.trains:
            count = self._training.advance((number + 1) * task.slice_comments)
        else:
            count = self._score(task.of_slice(number))
        if task.device != "cpu":
            from worthit.models.hardware import devices

            devices.synchronize(task.device)
        return count

    def watch(self) -> None:
        """Watch the machine for other work, until `disturbed_by`; outside the time of a slice."""
        self._watch = Watch(self._task.device)

    def disturbed_by(self) -> tuple[str, ...]:
        """What disturbed this process since `watch`."""
        return self._watch.end().reasons

    def finish(self) -> Outcome:
        """End the memory measurement, and score more comments for the accuracy."""
        self._stack.close()
        task = self._task
        if task.trains:
            self._training.advance(task.comments)  # if not all slices were requested
        self._score_more()
        assert self._window.memory is not None
        return Outcome(tuple(self._scores), tuple(self._scores.values()), self._window.memory)

    def _score(self, numbers: Sequence[int]) -> int:
        scores = self._implementation.score([self._test[number] for number in numbers])
        self._scores.update(zip(numbers, scores.tolist(), strict=True))
        return len(scores)

    def _score_more(self) -> None:
        """Score untimed comments until all for the accuracy are scored, or the time is over."""
        task, start = self._task, time.perf_counter()
        wanted = range(len(self._test))[task.for_accuracy.start : task.for_accuracy.stop]
        missing = [number for number in wanted if number not in self._scores]
        for first in range(0, len(missing), _CHUNK):
            if time.perf_counter() - start >= task.accuracy_seconds:
                return
            self._score(missing[first : first + _CHUNK])


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

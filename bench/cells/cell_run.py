"""One cell from training to its last measurement, and the record that comes of it."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from worthit.bench.cell import Cell
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.cells.progress import Progress, shown
from worthit.bench.instruments.latency import drawn_by_length
from worthit.bench.saved import consistency
from worthit.bench.saved.record import (
    CellRecord,
    Converted,
    CurvePoint,
    Energy,
    Latency,
    Memory,
    Quality,
    Setup,
    Throughput,
    Training,
    probabilities_per_comment,
)
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, DataError, DeviceError
from worthit.datasets.splits import manifest
from worthit.models.contract import Labels
from worthit.models.registry import entry

T = TypeVar("T")

# Setting up may download weights, which is not the cell's fault.
_SETUP_LIMIT = Limit(3600.0, "try again on a faster network, or give weights by --checkpoint")
_REMEDY = "give a longer --cell-limit, or less to do by --train-size and --test-size"
# A learning curve's points: each on half as many comments as the next, down to what says little.
_CURVE_POINTS = 5
_FEWEST_COMMENTS = 60


def curve_sizes(labels: Labels) -> list[int]:
    """Numbers of training comments of a learning curve below the whole set, largest first.

    Args:
        labels: of all training comments; it is their head that is trained on, none of which may
            lack a class.
    """
    halves = [len(labels) >> halvings for halvings in range(1, _CURVE_POINTS + 1)]
    _, firsts = np.unique(labels, return_index=True)
    return [size for size in halves if size >= max(_FEWEST_COMMENTS, firsts.max() + 1)]


def _require_distributions(scored: Quality | CurvePoint, each: int) -> None:
    """Keep out of the run what would make it unreadable: a user's own model may give anything.

    Raises:
        CellError: some are no probabilities.
    """
    parts = [scored.test]
    if isinstance(scored, Quality):
        parts += [scored.train, scored.natural, scored.validation]
        parts += [other.probabilities for other in scored.out_of_domain]
    for part in parts:
        for misfit in consistency.of_distributions("predict_proba", part, each):
            raise CellError(misfit)


class CellRun:
    """Trains in one process, and measures in another that has only loaded the artifact.

    If nothing had to be trained the first process serves for both. Memory is measured in a process
    of its own, since what any other measurement leaves behind would count.

    Args:
        limit_s: for training, and for each measurement.
        finished: given the record whenever it has grown.
    """

    def __init__(
        self,
        cell: Cell,
        log: Path,
        limit_s: float,
        progress: Progress,
        finished: Callable[[CellRecord], None],
    ) -> None:
        self.cell = cell
        self.record = CellRecord(cell.model, cell.device, cell.seed)
        self.seconds = 0.0  # that the last operation took where it ran
        self._log, self._progress, self._finished = log, progress, finished
        self._limit = Limit(limit_s, _REMEDY)
        self._worker: Worker | None = None
        self._refused: CellError | DeviceError | None = None
        self._loaded = False
        self._started = time.monotonic()

    def train(self) -> Training:
        """Train, or find the artifact of an earlier run; once, however often it is asked.

        Raises:
            DeviceError: the cell has no place here and is to be skipped.
            CellError: training failed; asked again it fails at once, with the same reason.
        """
        if self._refused is not None:
            raise self._refused
        if self.record.training is None:
            try:
                self._train()
            except DeviceError as error:
                self._refused = error
                self._note(skipped=str(error))
                self._progress.result(f"skipped: {error}")
                raise
            except CellError as error:
                self._refused = error
                self._failed("training", error)
                raise
        assert self.record.training is not None
        return self.record.training

    def latency(self) -> Latency:
        latency = self._measured("latency", Latency, lambda figure: (
            f"p50 {shown(figure.p50_ms)}, p99 {shown(figure.p99_ms)}"
        ), arguments=self._latency_texts)  # fmt: skip
        if latency.cold_start_s is not None and latency.cold_start_s.value is not None:
            # The process's start and loading are that figure, beyond the first call.
            started_s = latency.cold_start_s.value - (latency.first_call_ms.value or 0.0) / 1e3
            self._note(measured_s=self.record.measured_s + started_s)
        return latency

    def throughput(self) -> Throughput:
        return self._measured("throughput", Throughput, lambda figure: (
            f"{shown(figure.best.comments_per_s)} at batch size {figure.best.batch_size}"
        ))  # fmt: skip

    def energy(self) -> Energy:
        return self._measured("energy", Energy, lambda figure: (
            f"CPU {shown(figure.cpu_j_per_comment)} a comment, {figure.cpu_j_per_comment.origin}"
        ))  # fmt: skip

    def quality(self) -> Quality:
        each = probabilities_per_comment(manifest.read(self.cell.split).classes)
        return self._measured("quality", Quality, lambda figure: (
            f"{len(figure.test) // each:,} + {len(figure.natural) // each:,} test comments scored"
        ), check=lambda figure: _require_distributions(figure, each))  # fmt: skip

    def learning_curve(self) -> tuple[CurvePoint, ...]:
        """Train on a half, a quarter and so on of the training comments; each point is kept at once.

        Raises:
            DeviceError, CellError: as `train`.
        """
        self.train()
        labels = prepare.comments(self.cell.split, "train").labels
        each = probabilities_per_comment(manifest.read(self.cell.split).classes)
        with self._own_process("curve") as worker:
            for comments in curve_sizes(labels):
                point = worker.ask("curve_point", CurvePoint, self._limit, comments=comments)
                _require_distributions(point, each)
                self._finish(
                    "learning_curve",
                    (point, *self.record.learning_curve),
                    worker.seconds,
                    f"{shown(point.train_s)} for {comments:,} comments",
                )
        return self.record.learning_curve

    def memory(self) -> Memory:
        artifact = self.train().artifact
        started = time.monotonic()
        with self._own_process("memory") as worker:
            result = worker.ask("memory", Memory, self._limit, artifact=artifact)
        # All of that process is the measurement: its start is the baseline.
        self._finish("memory", result, time.monotonic() - started, f"peak {shown(result.peak_mb)}")
        return result

    def close(self) -> None:
        self._stop()
        self._note(wall_s=time.monotonic() - self._started)

    def _train(self) -> None:
        self._progress.stage("setting up")  # weights are downloaded and converted, once
        trained_as = entry(self.cell.location or self.cell.model).trained_as
        training = self._converted(trained_as) if trained_as else self._fitted(self.cell)
        self._note(training=training)
        when = f" (cached, trained on {training.trained_at[:10]})" if training.cached else ""
        text = (
            training.train_s.reason
            or f"{shown(training.train_s)} for {training.comments:,} comments"
        )
        self._progress.result(text + when)

    def _fitted(self, cell: Cell) -> Training:
        """Train in a process that goes on to serve if it had nothing to do."""
        self._worker = Worker(cell, self._log, self._progress.trained)
        self._note(setup=self._worker.start(Setup, _SETUP_LIMIT))
        self._progress.stage("training")
        training = self._worker.ask("train", Training, self._limit)
        self._note(measured_s=self._worker.seconds)
        if not training.cached:
            self._stop()
        return training

    def _converted(self, trained_as: str) -> Training:
        """Train, as the other model's own cell would or has, and convert: each in its own process.

        So what one imports does not count for the other, and whichever cell comes first trains for
        both. Figures of training are the other model's; converting takes seconds and is left out.
        """
        converter = Worker(self.cell, self._log, self._progress.trained)
        try:
            # First, so that what it lacks is said before anything is trained.
            setup = converter.start(Setup, _SETUP_LIMIT)
            training = self._fitted(dataclasses.replace(self.cell, model=trained_as))
            self._stop()
            self._note(setup=setup)
            self._progress.stage("converting")
            converted = converter.ask("convert", Converted, self._limit, artifact=training.artifact)
            self._note(measured_s=self.record.measured_s + converter.seconds)
        finally:
            converter.close()
        return dataclasses.replace(training, artifact=converted.artifact, disk_mb=converted.disk_mb)

    def _latency_texts(self) -> dict[str, Any]:
        """What latency is taken of, read here: the first answer of a process is not to wait for it."""
        try:
            test = prepare.comments(self.cell.split, "test").texts
        except DataError as error:
            raise CellError(str(error)) from error
        return {"texts": drawn_by_length(test, self.cell.effort.latency_samples)}

    def _measured(
        self,
        name: str,
        kind: type[T],
        summary: Callable[[T], str],
        check: Callable[[T], None] = lambda result: None,
        arguments: Callable[[], dict[str, Any]] = dict,
    ) -> T:
        artifact = self.train().artifact
        self._progress.stage(name)
        try:
            given = arguments()
            worker = self._serving(artifact)
            result = worker.ask(name, kind, self._limit, **given)
            seconds = worker.seconds
            check(result)
        except CellError as error:
            if self._worker and not (self._loaded and self._worker.alive()):
                self._stop()
            self._failed(name, error)
            raise
        self._finish(name, result, seconds, summary(result))
        return result

    def _finish(self, name: str, result: object, seconds: float, summary: str) -> None:
        self.seconds = seconds
        self._note(**{name: result}, measured_s=self.record.measured_s + seconds)
        self._progress.result(summary)

    @contextmanager
    def _own_process(self, name: str) -> Iterator[Worker]:
        """A fresh process for one measurement; the serving one ends, as two models may not fit."""
        self._progress.stage(name)
        self._stop()
        worker = Worker(self.cell, self._log, self._progress.trained)
        try:
            self._start(worker)
            yield worker
        except CellError as error:
            self._failed(name, error)
            raise
        finally:
            worker.close()

    def _start(self, worker: Worker) -> None:
        setup, trained = worker.start(Setup, _SETUP_LIMIT), self.record.setup
        if trained and setup.checkpoint_identity != trained.checkpoint_identity:
            raise CellError("the checkpoint changed between training and scoring; run again")

    def _serving(self, artifact: str) -> Worker:
        """The process that has loaded the artifact, started anew if it is not there."""
        if self._worker is None:
            self._worker = Worker(self.cell, self._log, self._progress.trained)
            self._start(self._worker)
        if not self._loaded:
            self._worker.ask("load", type(None), self._limit, artifact=artifact)
            self._loaded = True
        return self._worker

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker, self._loaded = None, False

    def _failed(self, what: str, error: CellError) -> None:
        self._note(failures=(*self.record.failures, f"{what}: {error}"))
        self._progress.result(f"FAILED: {error}")

    def _note(self, **parts: Any) -> None:
        self.record = dataclasses.replace(self.record, **parts)
        self._finished(self.record)

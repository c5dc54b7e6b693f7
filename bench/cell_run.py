"""One cell from training to its last measurement, and the record that comes of it."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from worthit.bench.cell import Cell
from worthit.bench.engine import Worker
from worthit.bench.progress import Progress, shown
from worthit.bench.record import (
    CellRecord,
    Energy,
    Latency,
    Memory,
    Quality,
    Setup,
    Throughput,
    Training,
)
from worthit.datasets.errors import CellError, DeviceError

T = TypeVar("T")

# Setting up may download weights, which is not the cell's fault.
_SETUP_LIMIT_S = 3600.0


class CellRun:
    """Trains in one process, and measures in another that has only loaded the artifact.

    So nothing that training leaves in memory counts against scoring. If nothing had to be trained
    the first process serves for both.

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
        self._log, self._limit_s, self._progress, self._finished = log, limit_s, progress, finished
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
        return self._measured("latency", Latency, lambda figure: (
            f"p50 {shown(figure.p50_ms)}, p99 {shown(figure.p99_ms)}"
        ))  # fmt: skip

    def throughput(self) -> Throughput:
        return self._measured("throughput", Throughput, lambda figure: (
            f"{shown(figure.best.comments_per_s)} at batch size {figure.best.batch_size}"
        ))  # fmt: skip

    def memory(self) -> Memory:
        return self._measured("memory", Memory, lambda figure: f"peak {shown(figure.peak_mb)}")

    def energy(self) -> Energy:
        return self._measured("energy", Energy, lambda figure: (
            f"CPU {shown(figure.cpu_j_per_comment)} a comment, {figure.cpu_j_per_comment.origin}"
        ))  # fmt: skip

    def quality(self) -> Quality:
        return self._measured("quality", Quality, lambda figure: (
            f"{len(figure.test):,} + {len(figure.natural):,} test comments scored"
        ))  # fmt: skip

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._note(wall_s=time.monotonic() - self._started)

    def _train(self) -> None:
        self._progress.stage("setting up")  # weights are downloaded and converted, once
        self._worker = Worker(self.cell, self._log, self._progress.trained)
        self._note(setup=self._worker.start(Setup, _SETUP_LIMIT_S))
        self._progress.stage("training")
        training = self._worker.ask("train", Training, self._limit_s)
        self._note(training=training, measured_s=self._worker.seconds)
        if not training.cached:
            self._worker.close()
            self._worker = None
        when = f" (cached, trained on {training.trained_at[:10]})" if training.cached else ""
        text = (
            training.train_s.reason
            or f"{shown(training.train_s)} for {training.comments:,} comments"
        )
        self._progress.result(text + when)

    def _measured(self, name: str, kind: type[T], summary: Callable[[T], str]) -> T:
        artifact = self.train().artifact
        self._progress.stage(name)
        try:
            worker = self._serving(artifact)
            result = worker.ask(name, kind, self._limit_s)
            self.seconds = worker.seconds
        except CellError as error:
            if self._worker and not (self._loaded and self._worker.alive()):
                self._worker.close()
                self._worker, self._loaded = None, False
            self._failed(name, error)
            raise
        self._note(**{name: result}, measured_s=self.record.measured_s + self.seconds)
        self._progress.result(summary(result))
        return result

    def _serving(self, artifact: str) -> Worker:
        """The process that has loaded the artifact, started anew if it is not there."""
        if self._worker is None:
            self._worker = Worker(self.cell, self._log, self._progress.trained)
            setup = self._worker.start(Setup, _SETUP_LIMIT_S)
            if (
                self.record.setup
                and setup.checkpoint_identity != self.record.setup.checkpoint_identity
            ):
                raise CellError("the checkpoint changed between training and scoring; run again")
        if not self._loaded:
            self._worker.ask("load", type(None), self._limit_s, artifact=artifact)
            self._loaded = True
        return self._worker

    def _failed(self, what: str, error: CellError) -> None:
        self._note(failures=(*self.record.failures, f"{what}: {error}"))
        self._progress.result(f"FAILED: {error}")

    def _note(self, **parts: Any) -> None:
        self.record = dataclasses.replace(self.record, **parts)
        self._finished(self.record)

"""Runs one cell, from training to the last measurement, and fills its record."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from worthit.bench.cell import Cell
from worthit.bench.cells.curve_sizes import curve_sizes
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.cells.progress import Progress, figure_text, shortened
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.instruments.disturbance import quieter
from worthit.bench.saved import consistency, record
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, DataError, DeviceError
from worthit.datasets.splits import manifest
from worthit.models.registry import entry, is_endpoint

T = TypeVar("T")

# The setup may download weights, so --cell-limit does not apply to it.
_SETUP_LIMIT = Limit(3600.0, "use a faster network, or local weights with --checkpoint")
_PAUSE_S = 2.0  # before a disturbed measurement is repeated
_REMEDY = "give a longer --cell-limit, or a smaller --train-size and --test-size"


def _changes(tuning: record.Tuning) -> str:
    """What a search chose, in a few words."""
    if not tuning.chosen:
        return f"given settings stay: {tuning.reason}"
    changes = ", ".join(f"{name} {value}" for name, value in tuning.chosen.items())
    return f"{changes}; {tuning.tried:,} settings tried"


def _disturbed_by(result: object) -> tuple[str, ...]:
    """Why a measurement should be repeated; scores do not depend on time."""
    if not isinstance(result, record.Latency | record.Throughput | record.Energy):
        return ()
    return result.disturbance.reasons if result.disturbance else ()


def _less_disturbed(first: Any, second: Any) -> Any:
    """The less disturbed of two measurements in one process."""
    kept = second if quieter(second.disturbance, first.disturbance) else first
    attempts = first.disturbance.attempts + 1
    seen = dataclasses.replace(kept.disturbance, attempts=attempts)
    kept = dataclasses.replace(kept, disturbance=seen)
    if not isinstance(kept, record.Latency):
        return kept
    # Only the first measurement has the first call, and the first of each shape.
    firsts = (*record.BEFORE_FIRST_ANSWER, "first_shape_ms")
    return dataclasses.replace(kept, **{name: getattr(first, name) for name in firsts})


def _require_distributions(
    scored: record.Quality | record.CurvePoint, prepared: manifest.Prepared
) -> None:
    """Reject what would make the saved run unreadable; the user's own model may return anything.

    Raises:
        CellError: the scores are not probabilities.
    """
    parts = [scored.test]
    if isinstance(scored, record.Quality):
        parts += [scored.train, scored.natural, scored.validation]
        parts += [other.probabilities for other in scored.out_of_domain]
    for part in parts:
        for misfit in consistency.of_distributions("predict_proba", part, prepared):
            raise CellError(misfit)


class CellRun:
    """Trains in one process, and measures in another one that only loads the artifact.

    If the artifact is cached, one process does both. Memory is measured in a separate process, since
    other measurements leave memory behind.

    Args:
        limit_s: time limit of training, and of each measurement.
        save: called with the record after each change.
    """

    def __init__(
        self,
        cell: Cell,
        log: Path,
        limit_s: float,
        progress: Progress,
        save: Callable[[record.CellRecord], None],
    ) -> None:
        self.cell = cell
        self.record = record.CellRecord(cell.model, cell.device, cell.seed)
        self.seconds = 0.0  # of the last operation, measured in its process
        self.reported = ""  # the failure that the user has been shown
        self._log, self._progress, self._save = log, progress, save
        self._limit = Limit(limit_s, _REMEDY)
        self._worker: Worker | None = None
        self._error: CellError | DeviceError | None = None  # of training
        self._loaded = False
        self._started = time.monotonic()

    def train(self) -> record.Training:
        """Train, or find the artifact of an earlier run. Later calls return the first result.

        Raises:
            DeviceError: the model cannot run here; the cell is skipped.
            CellError: training failed. Later calls raise the same error.
        """
        if self._error is not None:
            raise self._error
        if self.record.training is None:
            try:
                self._train()
            except DeviceError as error:
                self._error = error
                self._note(skipped=str(error))
                self._progress.result(f"skipped: {error}")
                raise
            except CellError as error:
                self._error = error
                self._fail("training", error)
                raise
        assert self.record.training is not None
        return self.record.training

    def latency(self) -> record.Latency:
        latency = self._measure("latency", record.Latency, lambda figure: (
            f"p50 {figure_text(figure.p50_ms)}, p99 {figure_text(figure.p99_ms)}"
        ), make_arguments=self._latency_texts)  # fmt: skip
        if latency.cold_start_s is not None and latency.cold_start_s.value is not None:
            # A cold start is the start of the process, loading, and the first call.
            started_s = latency.cold_start_s.value - (latency.first_call_ms.value or 0.0) / 1e3
            self._note(measured_s=self.record.measured_s + started_s)
        return latency

    def throughput(self) -> record.Throughput:
        how = "with {} requests at once" if self._on_server else "at batch size {}"
        return self._measure("throughput", record.Throughput, lambda figure: (
            f"{figure_text(figure.best.comments_per_s)} {how.format(figure.best.batch_size)}"
        ))  # fmt: skip

    def energy(self) -> record.Energy:
        self._require_model_here("energy")

        def summary(energy: record.Energy) -> str:
            joules = energy.cpu_j_per_comment
            text = "energy unavailable"
            if joules.value is not None:
                text = f"CPU energy {figure_text(joules)} ({joules.origin})"
            return f"CPU time {figure_text(energy.cpu_s_per_comment)} per comment, {text}"

        return self._measure("energy", record.Energy, summary)

    def quality(self) -> record.Quality:
        def summary(figure: record.Quality) -> str:
            prepared = self._read(manifest.read)
            each = record.probabilities_per_comment(prepared.classes, prepared.multilabel)
            return f"{len(figure.test) // each:,} + {len(figure.natural) // each:,} test comments scored"

        return self._measure("quality", record.Quality, summary, check=lambda figure: (
            _require_distributions(figure, self._read(manifest.read))
        ))  # fmt: skip

    def learning_curve(self) -> tuple[record.CurvePoint, ...]:
        """Train on a half, a quarter, … of the training comments; each point is saved at once.

        Raises:
            DeviceError, CellError: as `train`.
        """
        self.train()
        with self._own_process("curve") as worker:
            labels = self._read(prepare.comments, "train").labels
            prepared = self._read(manifest.read)
            for comments in curve_sizes(labels):
                point = worker.ask("curve_point", record.CurvePoint, self._limit, comments=comments)
                _require_distributions(point, prepared)
                self._finish(
                    "learning_curve",
                    (point, *self.record.learning_curve),
                    worker.seconds,
                    f"{figure_text(point.train_s)} for {comments:,} comments",
                )
        return self.record.learning_curve

    def memory(self) -> record.Memory:
        self._require_model_here("memory")
        artifact = self.train().artifact
        started = time.monotonic()
        with self._own_process("memory") as worker:
            result = worker.ask("memory", record.Memory, self._limit, artifact=artifact)
        # The whole process is the measurement, since its start is the baseline.
        self._finish(
            "memory", result, time.monotonic() - started, f"peak {figure_text(result.peak_mb)}"
        )
        return result

    @property
    def _on_server(self) -> bool:
        return is_endpoint(self.cell.location)

    def _require_model_here(self, figure: str) -> None:
        """Raises DeviceError if only the server could measure a figure."""
        if self._on_server:
            raise DeviceError(f"{self.cell.model} has no {figure} here: {record.ON_SERVER}")

    def close(self) -> None:
        self._stop()
        self._note(wall_s=time.monotonic() - self._started)

    def _train(self) -> None:
        self._progress.stage("setting up")  # the first time, this downloads and converts weights
        trained_as = entry(self.cell.location or self.cell.model).trained_as
        if self.cell.tune_s is not None:
            if trained_as:
                self._require_variant()
            self._tune(trained_as, self.cell.tune_s)
        training = self._fit_and_convert(trained_as) if trained_as else self._fit(self.cell)
        self._note(training=training)
        if cut := shortened(self.record.setup, training):
            self._progress.line(f"  {cut}")
        when = f" (cached, trained on {training.trained_at[:10]})" if training.cached else ""
        text = (
            training.train_s.reason
            or f"{figure_text(training.train_s)} for {training.comments:,} comments"
        )
        self._progress.result(text + when + self._unweighted(training))

    def _unweighted(self, training: record.Training) -> str:
        """What to add if class weights are wanted, and a trained model takes none."""
        wanted = self._read(manifest.read).weighted and training.comments
        return "; it takes no class weights" if wanted and not training.weighted else ""

    def _require_variant(self) -> None:
        """Raise DeviceError or CellError if a variant cannot run here, before a search is spent on it."""
        worker = Worker(self.cell, self._log, lambda done, total: None)
        try:
            worker.start(record.Setup, _SETUP_LIMIT)
        finally:
            worker.close()

    def _tune(self, trained_as: str | None, budget_s: float) -> None:
        """Search better settings in a process of its own, and train with them; or with the given ones.

        A variant gets the settings of the model that it is trained as.
        """
        labels = self._read(prepare.comments, "train").labels
        sizes = [*reversed(curve_sizes(labels)), len(labels)]
        cell = dataclasses.replace(self.cell, model=trained_as or self.cell.model)
        worker = Worker(cell, self._log, lambda done, total: None)
        limit = Limit(budget_s + self._limit.seconds, _REMEDY)  # not all models can stop in time
        try:
            worker.start(record.Setup, _SETUP_LIMIT)
            self._progress.stage("tuning")
            tuning = worker.ask("tune", record.Tuning, limit, sizes=sizes)
        except CellError as error:
            self._fail("tuning", error)
        else:
            self._note(tuning=tuning, measured_s=self.record.measured_s + worker.seconds)
            self._progress.result(_changes(tuning))
            settings = self.cell.settings | tuning.chosen
            self.cell = dataclasses.replace(self.cell, settings=settings, tune_s=None)
        finally:
            worker.close()

    def _fit(self, cell: Cell) -> record.Training:
        """Train in a process that also measures if the artifact is cached."""
        self._worker = Worker(cell, self._log, self._progress.advance)
        self._note(setup=self._worker.start(record.Setup, _SETUP_LIMIT))
        self._progress.stage("training")
        training = self._worker.ask("train", record.Training, self._limit)
        self._note(measured_s=self.record.measured_s + self._worker.seconds)
        if not training.cached:
            self._stop()
        return training

    def _fit_and_convert(self, trained_as: str) -> record.Training:
        """Train the other model as its own cell does, and convert it, in two processes.

        So the imports of one model do not count for the other, and the first of the two cells trains
        for both. Training figures are the other model's; they exclude converting, which takes seconds.
        """
        converter = Worker(self.cell, self._log, self._progress.advance)
        try:
            # First, so that a missing package is reported before training.
            setup = converter.start(record.Setup, _SETUP_LIMIT)
            training = self._fit(dataclasses.replace(self.cell, model=trained_as))
            self._stop()
            self._note(setup=setup)
            self._progress.stage("converting")
            converted = converter.ask(
                "convert", record.Converted, self._limit, artifact=training.artifact
            )
            self._note(measured_s=self.record.measured_s + converter.seconds)
        finally:
            converter.close()
        return dataclasses.replace(training, artifact=converted.artifact, disk_mb=converted.disk_mb)

    def _read(self, read: Callable[..., T], *names: str) -> T:
        """What the cache has of the comments; raises CellError if it has lost them."""
        try:
            return read(self.cell.split, *names)
        except DataError as error:
            raise CellError(str(error)) from error

    def _latency_texts(self) -> dict[str, Any]:
        """Comments to measure latency on. Read here, so the first answer does not wait for them."""
        test = self._read(prepare.comments, "test").texts
        return {"texts": sample_by_length(test, self.cell.effort.latency_samples)}

    def _measure(
        self,
        name: str,
        kind: type[T],
        summary: Callable[[T], str],
        check: Callable[[T], None] = lambda result: None,
        make_arguments: Callable[[], dict[str, Any]] = dict,
    ) -> T:
        artifact = self.train().artifact
        self._progress.stage(name)
        try:
            arguments = make_arguments()
            worker = self._serving(artifact)
            result = worker.ask(name, kind, self._limit, **arguments)
            seconds = worker.seconds
            check(result)
        except CellError as error:
            if self._worker and not (self._loaded and self._worker.alive()):
                self._stop()
            self._fail(name, error)
            raise
        for _ in range(1, self.cell.effort.attempts):
            if not (reasons := _disturbed_by(result)):
                break
            self._progress.line(f"  {name} is measured again, since {'; '.join(reasons)}")
            time.sleep(_PAUSE_S)
            try:
                again = worker.ask(name, kind, self._limit, **arguments)
                check(again)
                result = _less_disturbed(result, again)
                seconds += worker.seconds
            except CellError as error:  # the first result stands, with its flags
                self._progress.line(f"  measuring {name} again failed: {error}")
                if self._worker and not (self._loaded and self._worker.alive()):
                    self._stop()
                break
        self._finish(name, result, seconds, summary(result))
        return result

    def _finish(self, name: str, result: object, seconds: float, summary: str) -> None:
        self.seconds = seconds
        self._note(**{name: result}, measured_s=self.record.measured_s + seconds)
        self._progress.result(summary)

    @contextmanager
    def _own_process(self, name: str) -> Iterator[Worker]:
        """A new process for one measurement. The serving one ends: memory may not fit two models."""
        self._progress.stage(name)
        self._stop()
        try:
            with closing(Worker(self.cell, self._log, self._progress.advance)) as worker:
                self._start(worker)
                yield worker
        except CellError as error:
            self._fail(name, error)
            raise

    def _start(self, worker: Worker) -> None:
        setup, earlier = worker.start(record.Setup, _SETUP_LIMIT), self.record.setup
        if earlier and setup.checkpoint_identity != earlier.checkpoint_identity:
            raise CellError("the checkpoint changed between training and scoring; run again")

    def _serving(self, artifact: str) -> Worker:
        """The process that has loaded the artifact; started again if it has ended."""
        if self._worker is None:
            self._worker = Worker(self.cell, self._log, self._progress.advance)
            try:
                self._start(self._worker)
            except DeviceError:  # else the next measurement would ask a process without a model
                self._stop()
                raise
        if not self._loaded:
            self._worker.ask("load", type(None), self._limit, artifact=artifact)
            self._loaded = True
        return self._worker

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker, self._loaded = None, False

    def _fail(self, name: str, error: CellError) -> None:
        self._note(failures=(*self.record.failures, f"{name}: {error}"))
        self._progress.result(f"failed: {error}")

    def _note(self, **parts: Any) -> None:
        self.record = dataclasses.replace(self.record, **parts)
        self._save(self.record)

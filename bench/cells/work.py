"""The operations of a cell's process: train, convert, load, and each measurement."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worthit.bench.cell import Cell, file_name
from worthit.bench.cells import all_cores, vocabulary
from worthit.bench.cells.cell_model import CellModel, without_paths
from worthit.bench.cells.trainers import CLOCK, Trainers
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.instruments.cpu_watts import estimate_energy
from worthit.bench.instruments.disturbance import Watch, flag
from worthit.bench.instruments.energy import measure_energy
from worthit.bench.instruments.latency import measure_latency, process_age_s
from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.instruments.meter import Meter
from worthit.bench.instruments.readings import COMPONENTS
from worthit.bench.instruments.request_batches import measure_batches
from worthit.bench.instruments.throughput import measure_rate, measure_throughput, repeated
from worthit.bench.saved import artifacts, record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash
from worthit.datasets.errors import CellError
from worthit.models.transformer.place import Place

if TYPE_CHECKING:  # a model's cold start needs none of the libraries that read comments
    from worthit.datasets.prepare import Comments


class Work:
    """One cell in this process.

    Args:
        cell: what to train and measure.
        progress: called with (done, total) while training.
        end: ends this process with a reason, whatever it waits for.
        waited_s: how long this process has waited for requests so far.
    """

    def __init__(
        self,
        cell: Cell,
        progress: Callable[[int, int], None],
        end: Callable[[str], None] = lambda reason: None,
        waited_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._cell = cell
        self._progress = progress
        self._end = end
        self._waited_s = waited_s
        self._load_s = 0.0
        self._has_answered = False

    def setup(self) -> record.Setup:
        """Fetch everything that the cell needs, before anything is timed.

        Raises:
            DeviceError, CheckpointError, DownloadError, CacheError: as for `CellModel`.
        """
        self._cell_model = CellModel(self._cell)
        self._synchronize = self._cell_model.synchronize
        self._baseline_bytes = resident_bytes()
        return self._cell_model.setup

    def train(self) -> record.Training:
        """Fit and save the model; a model that an earlier run has trained is not trained again."""
        folder = self._artifact_folder(self._cell_model.fingerprint())
        earlier = None if self._cell.retrain else artifacts.read_record(folder)
        training = self._fit_and_save(folder) if earlier is None else artifacts.mark_cached(earlier)
        # The cache has no estimates: the watts may change from run to run.
        cpu_j = estimate_energy(training.cpu_j, training.cpu_s, self._cell.cpu_watts)
        return dataclasses.replace(training, cpu_j=cpu_j)

    def get_ready(self) -> int:
        """Read the training comments; returns the resident bytes."""
        self._comments("train")
        return resident_bytes()

    def train_along(self, meeting: str, comments: int) -> None:
        """Compute a part of the training that the first process saves and measures."""
        model, train = self._cell_model.make(), self._comments("train")
        model.place = Place(self._cell.rank, self._cell.processes, Path(meeting))
        model.fit(train.texts[:comments], train.labels[:comments])
        self._synchronize()

    def tune(self, sizes: Sequence[int]) -> record.Tuning:
        """Search better settings, unless an earlier run has with the same budget; reads no test comment.

        Args:
            sizes: numbers of training comments to try settings on, growing.
        """
        from worthit.bench.cells import trials, tuning

        cell = self._cell
        assert cell.tune_s is not None
        code = [sha256_of(Path(module.__file__ or "")) for module in (trials, tuning)]
        key = short_hash(self._cell_model.fingerprint(), f"{cell.tune_s} {sizes}", *code)
        file = cache_folder("tunings", f"{file_name(cell.model)}-{key}.json")
        earlier = None if cell.retrain else artifacts.read_tuning(file)
        if earlier is not None:
            return earlier
        found = trials.tune(
            cell, self._cell_model, self._comments("train"), self._comments("validation"), sizes
        )
        artifacts.write_tuning(found, file)
        return found

    def convert(self, artifact: str) -> record.Converted:
        """Convert a trained artifact into one of this cell's model, unless the cache has that.

        Raises:
            CellError: the cache has no such artifact.
            CheckpointError, ModelError: it cannot be converted, or not on this machine.
        """
        source = cache_folder("artifacts", artifact)
        training = artifacts.read_record(source)
        if training is None:
            raise CellError(f"the cache no longer holds {artifact}; run again")
        # Training again does not change the artifact's name, so its time belongs to the key.
        fingerprint = self._cell_model.fingerprint()
        folder = self._artifact_folder(short_hash(fingerprint, artifact, training.trained_at))
        if not folder.is_dir():
            converted = self._cell_model.unfitted.convert(source)
            with new_folder(folder) as scratch:
                converted.save(scratch)
        return record.Converted(folder.name, artifacts.disk_mb(folder))

    def load(self, artifact: str) -> None:
        self._artifact = artifact
        start = time.perf_counter()
        self._model = self._cell_model.load(artifact)
        self._load_s = time.perf_counter() - start

    def latency(self, texts: Sequence[str]) -> record.Latency:
        """Measure latency on these comments; the caller reads them, so the first answer does not wait."""
        is_first = not self._has_answered
        watches: list[Watch] = []

        def cold_start() -> Figure:
            age_s = self._worked_s()
            watches.append(self._watch())  # from now on, since it would delay the first answer
            if not is_first:
                return unavailable("s", "the process had scored comments before")
            return measured(age_s, "s", "process start to first answer")

        latency = measure_latency(
            self._score,
            self._synchronize,
            texts,
            self._cell.effort.latency_limit_s,
            self._load_s,
            cold_start,
            self._model.input_shape,
        )
        batches = measure_batches(self._score, self._synchronize, texts)
        whole = dataclasses.replace(latency, batches=batches)
        return flag(whole, watches[0].end(), apart=record.BEFORE_FIRST_ANSWER)

    def _worked_s(self) -> float:
        """Since this process started, without waiting: while a cached training is saved and shown."""
        return process_age_s() - self._waited_s()

    def throughput(self) -> record.Throughput:
        effort, watch = self._cell.effort, self._watch()
        alone = measure_throughput(
            self._score,
            self._synchronize,
            self._throughput_texts(),
            effort.throughput_s,
            effort.largest_batch,
            warms_up=self._cell.device != "cpu",
        )
        whole = all_cores.with_all_cores(alone, self._cell, self._artifact)
        return flag(whole, watch.end())

    def rate_of_part(self, batch_size: int, number: int, parts: int) -> record.BatchRate:
        """Score one of `parts` disjoint samples, each as large as that of `throughput`."""
        effort, test = self._cell.effort, self._comments("test").texts
        # Not parts of one sample: a comment that occurs twice in a batch takes less time.
        texts = sample_by_length(test, parts * effort.largest_batch)
        sample = repeated(texts[number::parts] or texts, effort.largest_batch)
        return measure_rate(self._score, self._synchronize, sample, batch_size, effort.throughput_s)

    def warm_up(self, batch_size: int) -> None:
        """Read the comments and score some, so that measuring need not wait for either."""
        self._score(self._throughput_texts()[:batch_size], batch_size)

    def _throughput_texts(self) -> Sequence[str]:
        return sample_by_length(self._comments("test").texts, self._cell.effort.largest_batch)

    def memory(self, artifact: str) -> record.Memory:
        """Load and score in one pass, in a process that has done neither before."""
        texts = self._few_comments()
        with peak_memory(self._cell.device, self._baseline_bytes) as window:
            self._model = self._cell_model.load(artifact)
            self._score(texts)
            self._synchronize()
        return window.memory

    def energy(self) -> record.Energy:
        effort, watch = self._cell.effort, self._watch()
        texts = sample_by_length(self._comments("test").texts, effort.memory_comments)
        energy = measure_energy(
            self._score, self._synchronize, texts, effort.energy_window_s, effort.idle_window_s,
            self._cell.device, self._cell.cpu_watts,
        )  # fmt: skip
        return flag(energy, watch.end())

    def quality(self) -> record.Quality:
        """Score each distinct comment once: test sets have comments in common."""
        test, natural, validation = (
            self._comments(part).texts for part in ("test", "natural", "validation")
        )
        train = self._comments("train").texts[: len(test)]
        out_of_domain = {name: self._comments("test", key).texts for name, key in self._cell.also}
        parts = (train, test, natural, validation, *out_of_domain.values())
        texts = list(dict.fromkeys(itertools.chain(*parts)))
        start = time.perf_counter()
        scores = self._score(texts)
        scoring_s = time.perf_counter() - start
        row_of = {text: row for row, text in enumerate(texts)}

        def probabilities(part: Sequence[str]) -> tuple[float, ...]:
            return self._probabilities(scores[[row_of[text] for text in part]])

        return record.Quality(
            train=probabilities(train),
            test=probabilities(test),
            natural=probabilities(natural),
            validation=probabilities(validation),
            scoring_s=scoring_s,
            truncated_share=self._model.truncated_share(test),
            out_of_domain=tuple(
                record.OutOfDomainScores(name, probabilities(part))
                for name, part in out_of_domain.items()
            ),
            vocabulary=vocabulary.fit(self._model, test),
        )

    def curve_point(self, comments: int) -> record.CurvePoint:
        """Train a new model on the first `comments` training comments, and score the test set."""
        model, train = self._cell_model.make(), self._comments("train")
        self._choose(model)
        with self._trainers() as trainers:
            watch = self._watch()
            start = time.perf_counter()
            texts, labels = train.texts[:comments], train.labels[:comments]
            trainers.fit(model, texts, labels, self._progress)
            self._synchronize()
            train_s = time.perf_counter() - start
            seen = watch.end()
        scores = model.predict_proba(self._comments("test").texts)
        point = record.CurvePoint(
            comments, measured(train_s, "s", trainers.clock), self._probabilities(scores)
        )
        return flag(point, seen)

    def _trainers(self) -> Trainers:
        return Trainers(self._cell, self._cell_model.processes, self._end)

    def _watch(self) -> Watch:
        return Watch(self._cell.device)

    def _artifact_folder(self, key: str) -> Path:
        return cache_folder("artifacts", f"{file_name(self._cell.model)}-{key}")

    def _fit_and_save(self, folder: Path) -> record.Training:
        model, comments = self._cell_model.make(), self._comments("train")
        choosing_s, tried = self._choose(model)

        def fit() -> None:
            trainers.fit(model, comments.texts, comments.labels, self._progress)
            self._synchronize()

        # Training is slow, so time, memory and energy are measured in one go. codecarbon's thread
        # wakes once a second meanwhile; its libraries belong to the baseline of memory. Its set-up,
        # about a second, is watched too, else fast trainings were too short to tell.
        with self._trainers() as trainers:
            watch = self._watch()
            with self._in_baseline():
                meter = Meter(self._cell.device, trainers.processes)
            baseline_bytes = self._baseline_bytes + trainers.resident_bytes
            with peak_memory(self._cell.device, baseline_bytes) as window:
                self._synchronize()
                spent = meter.over(fit)
            seen = watch.end()
        size = model.size()
        if model.trains:
            train_s, cpu_s = measured(spent.seconds, "s", trainers.clock), spent.cpu_s
            joules = spent.long_enough().joules
        else:
            train_s = cpu_s = unavailable("s", record.NOT_TUNED)
            joules = dict.fromkeys(COMPONENTS, unavailable("J", record.NOT_TUNED))
            if choosing_s.value is not None:  # such a model may choose in `fit`, too
                choosing_s = measured(choosing_s.value + spent.seconds, "s", CLOCK)
        with new_folder(folder, replace=True) as scratch:
            model.save(scratch)
            training = record.Training(
                train_s=train_s,
                memory=trainers.described(window.memory),
                trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
                settings=without_paths(model.get_params()),
                artifact=folder.name,
                disk_mb=artifacts.disk_mb(scratch),
                parameters=size.parameters,
                trained_parameters=size.trained_parameters,
                comments=len(comments) if model.trains else 0,
                truncated_share=model.truncated_share(comments.texts),
                cpu_s=cpu_s,
                cpu_j=joules["CPU"],
                ram_j=joules["RAM"],
                gpu_j=joules["GPU"],
                choosing_s=choosing_s,
                tried=tried,
                weighted=model.is_weighted,
                processes=trainers.processes,
                disturbance=seen,
            )
            training = flag(training, seen)
            artifacts.write_record(training, scratch)
        return training

    def _choose(self, model: Any) -> tuple[Figure, int]:
        """Let a model choose settings on the validation comments: the seconds, and how many it tried."""
        validation = self._comments("validation")
        start = time.perf_counter()
        tried = model.choose(validation.texts, validation.labels, self._progress)
        self._synchronize()
        choosing_s = time.perf_counter() - start
        if tried:
            return measured(choosing_s, "s", CLOCK), tried
        return unavailable("s", record.NOTHING_CHOSEN), 0

    def _probabilities(self, scores: Any) -> tuple[float, ...]:
        """Scores of shape (comments, classes) as a record has them.

        Raises:
            CellError: some are not finite numbers.
        """
        if not np.isfinite(scores).all():
            raise CellError(
                f"{self._cell.model} gave probabilities that are not numbers; training diverged"
            )
        # Of two classes, the second.
        each = record.probabilities_per_comment(
            self._cell_model.classes, self._cell_model.multilabel
        )
        return tuple(np.round(scores[:, -each:], 6).ravel().tolist())

    def _score(self, texts: Sequence[str], batch_size: int | None = None) -> Any:
        self._has_answered = True
        return self._model.predict_proba(texts, batch_size)

    @functools.cache  # noqa: B019  (this object lives as long as its process)
    def _comments(self, part: str, split: str = "") -> "Comments":
        """One part of the cell's split, or of another one."""
        with self._in_baseline():
            from worthit.datasets import prepare
        return prepare.comments(split or self._cell.split, part)

    def _few_comments(self) -> Sequence[str]:
        return sample_by_length(self._comments("test").texts, self._cell.effort.memory_comments)

    @contextmanager
    def _in_baseline(self) -> Iterator[None]:
        """Count the memory of libraries that the block loads to the baseline."""
        before_bytes = resident_bytes()
        yield
        self._baseline_bytes += max(resident_bytes() - before_bytes, 0)

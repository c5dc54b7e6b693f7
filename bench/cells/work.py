"""What a cell's process can be asked to do: train, load, and each measurement."""

import functools
import json
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from worthit.bench.cell import Cell, file_name
from worthit.bench.instruments import machine
from worthit.bench.instruments.energy import COMPONENTS, Meter, long_enough, measure_energy
from worthit.bench.instruments.latency import measure_latency, process_age_s
from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.instruments.throughput import measure_throughput
from worthit.bench.saved import artifacts
from worthit.bench.saved.record import (
    NOT_TUNED,
    Converted,
    CurvePoint,
    Energy,
    Figure,
    Latency,
    Memory,
    OtherScores,
    Quality,
    Setup,
    Throughput,
    Training,
    measured,
    probabilities_per_comment,
    unavailable,
)
from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash
from worthit.datasets.errors import CellError
from worthit.datasets.splits import manifest
from worthit.models.hardware import processor
from worthit.models.registry import entry, is_user_code, model_class, require_able

if TYPE_CHECKING:  # reading comments takes libraries that are no part of a model's cold start
    from worthit.datasets.prepare import Comments

_CLOCK = "perf_counter, device synchronised"


class Work:
    """One cell at work in this process.

    Args:
        cell: what to train and measure.
        progress: told (done, total) while training.
    """

    def __init__(self, cell: Cell, progress: Callable[[int, int], None]) -> None:
        self._cell = cell
        self._progress = progress
        self._location = cell.location or cell.model
        self._class = model_class(self._location)
        self._load_s = 0.0
        self._has_answered = False
        self._decided: dict[str, Any] = {}  # settings that this machine decides

    def setup(self) -> Setup:
        """Bring all that is needed here, checkpoint included, before anything is timed.

        Raises:
            DeviceError: this model cannot run on this device, or not here.
            CheckpointError, DownloadError, CacheError: the weights cannot be had.
        """
        require_able(self._location, self._cell.device)
        self._model = self._fresh_model()
        self._dtype = self._class.dtype_note or None
        self._threads = processor.allowed_cores()
        torch_pools = {}
        if "torch" in self._class.libraries:
            torch_pools = self._prepare_torch()
        checkpoint = self._resolved_checkpoint()
        self._model.prepare()
        self._baseline_bytes = resident_bytes()
        self._setup = Setup(
            settings=_without_paths(self._model.get_params()),
            checkpoint=checkpoint and checkpoint.origin,
            checkpoint_identity=checkpoint and checkpoint.identity,
            device_name=self._device_name(),
            dtype=self._dtype,
            threads=self._threads,
            python=platform.python_version(),
            versions=machine.library_versions(self._class.libraries),
            thread_pools=machine.thread_pools() | torch_pools,
            kind=entry(self._class.name).kind,
            code=self._location if is_user_code(self._location) else None,
        )
        return self._setup

    def train(self) -> Training:
        """Fit once and keep the artifact; where it is kept already, say so and train nothing."""
        folder = cache_folder("artifacts", f"{file_name(self._cell.model)}-{self._fingerprint()}")
        record = None if self._cell.retrain else artifacts.recorded(folder)
        return self._trained(folder) if record is None else artifacts.cached(record)

    def convert(self, artifact: str) -> Converted:
        """Make a variant of a trained artifact, unless that is done; it becomes one of its own.

        Raises:
            CellError: the artifact has gone.
            CheckpointError, ModelError: it cannot be converted, or not here.
        """
        source = cache_folder("artifacts", artifact)
        record = artifacts.recorded(source)
        if record is None:
            raise CellError(f"the cache no longer holds {artifact}; run again")
        # Trained again, an artifact keeps its name.
        key = short_hash(self._fingerprint(), artifact, record.trained_at)
        folder = cache_folder("artifacts", f"{file_name(self._cell.model)}-{key}")
        if not folder.is_dir():
            variant = self._model.convert(source)
            with new_folder(folder) as scratch:
                variant.save(scratch)
        return Converted(folder.name, artifacts.disk_mb(folder))

    def load(self, artifact: str) -> None:
        start = time.perf_counter()
        self._load(artifact)
        self._load_s = time.perf_counter() - start

    def _load(self, artifact: str) -> None:
        self._model = self._class.load(cache_folder("artifacts", artifact), self._cell.device)
        self._synchronize()

    def latency(self, texts: Sequence[str]) -> Latency:
        """Of these comments, handed over so that the first answer waits for no data to be read."""
        is_first = not self._has_answered

        def cold_start() -> Figure:
            if not is_first:
                return unavailable("s", "the process had scored comments before")
            return measured(process_age_s(), "s", "process start to first answer")

        return measure_latency(
            self._score,
            self._synchronize,
            texts,
            self._cell.effort.latency_limit_s,
            self._load_s,
            cold_start,
        )

    def throughput(self) -> Throughput:
        effort = self._cell.effort
        return measure_throughput(
            self._score,
            self._synchronize,
            self._comments("test").texts,
            effort.throughput_s,
            effort.largest_batch,
        )

    def memory(self, artifact: str) -> Memory:
        """Load and score in one pass, in a process that has done neither before."""
        texts = self._some_comments()
        with peak_memory(self._cell.device, self._baseline_bytes) as window:
            self._load(artifact)
            self._score(texts)
            self._synchronize()
        assert window.memory is not None
        return window.memory

    def energy(self) -> Energy:
        effort = self._cell.effort
        return measure_energy(
            self._score,
            self._synchronize,
            self._some_comments(),
            effort.energy_window_s,
            effort.idle_window_s,
        )

    def quality(self) -> Quality:
        """Score each distinct comment once: the two test sets share some."""
        test, natural, validation = (
            self._comments(part).texts for part in ("test", "natural", "validation")
        )
        train = self._comments("train").texts[: len(test)]
        also = [
            (name, self._comments("test", key).texts) for name, key in self._cell.also
        ]  # of other origin
        elsewhere = (text for _, others in also for text in others)
        texts = list(dict.fromkeys((*train, *test, *natural, *validation, *elsewhere)))
        start = time.perf_counter()
        scores = self._score(texts)
        scoring_s = time.perf_counter() - start
        row_of = {text: row for row, text in enumerate(texts)}

        def of(part: Sequence[str]) -> tuple[float, ...]:
            return self._kept(scores[[row_of[text] for text in part]])

        return Quality(
            train=of(train),
            test=of(test),
            natural=of(natural),
            validation=of(validation),
            scoring_s=scoring_s,
            truncated_share=self._model.truncated_share(test),
            also=tuple(OtherScores(name, of(others)) for name, others in also),
        )

    def curve_point(self, comments: int) -> CurvePoint:
        """Train anew on the first so many training comments, and score the test set."""
        model, train = self._fresh_model(), self._comments("train")
        start = time.perf_counter()
        model.fit(train.texts[:comments], train.labels[:comments], self._progress)
        self._synchronize()
        train_s = time.perf_counter() - start
        scores = model.predict_proba(self._comments("test").texts)
        return CurvePoint(comments, measured(train_s, "s", _CLOCK), self._kept(scores))

    def _kept(self, scores: Any) -> tuple[float, ...]:
        """Probabilities of shape (n, k) as a record keeps them.

        Raises:
            CellError: some are no numbers.
        """
        if not np.isfinite(scores).all():
            raise CellError(
                f"{self._cell.model} gave probabilities that are not numbers; training diverged"
            )
        each = probabilities_per_comment(self._class_names)  # of two classes the second's alone
        return tuple(np.round(scores[:, -each:], 6).ravel().tolist())

    def _score(self, texts: Sequence[str], batch_size: int | None = None) -> Any:
        self._has_answered = True
        return self._model.predict_proba(texts, batch_size)

    def _trained(self, folder: Path) -> Training:
        model, comments = self._fresh_model(), self._comments("train")

        def fit() -> None:
            model.fit(comments.texts, comments.labels, self._progress)
            self._synchronize()

        # Trained once, so timed and metered at once; codecarbon's thread looks at the load once a
        # second meanwhile. Its libraries count to the baseline of memory.
        before_meter = resident_bytes()
        meter = Meter()
        baseline_bytes = self._baseline_bytes + max(resident_bytes() - before_meter, 0)
        with peak_memory(self._cell.device, baseline_bytes) as window:
            self._synchronize()
            spent = meter.over(fit)
        joules = (
            long_enough(spent).joules
            if model.trains
            else dict.fromkeys(COMPONENTS, unavailable("J", NOT_TUNED))
        )
        size = model.size()
        assert window.memory is not None
        with new_folder(folder, replace=True) as scratch:
            model.save(scratch)
            record = Training(
                train_s=measured(spent.seconds, "s", _CLOCK)
                if model.trains
                else unavailable("s", NOT_TUNED),
                memory=window.memory,
                trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
                settings=_without_paths(model.get_params()),
                artifact=folder.name,
                disk_mb=artifacts.disk_mb(scratch),
                parameters=size.parameters,
                trained_parameters=size.trained_parameters,
                comments=len(comments) if model.trains else 0,
                truncated_share=model.truncated_share(comments.texts),
                cpu_j=joules["CPU"],
                ram_j=joules["RAM"],
                gpu_j=joules["GPU"],
            )
            artifacts.write_record(record, scratch)
        return record

    def _fingerprint(self) -> str:
        """All that decides what training yields; the models' own code included."""
        code = artifacts.model_code()
        if is_user_code(self._location):
            from worthit.models import user_model

            code += user_model.source_files(self._location)
        return short_hash(
            self._cell.model,
            self._cell.split,
            self._cell.device,
            str(self._cell.seed),
            json.dumps(self._class_names),
            json.dumps(msgspec.to_builtins(self._setup), sort_keys=True),
            *(sha256_of(file) for file in code),
        )

    def _fresh_model(self) -> Any:
        model = self._class(
            device=self._cell.device, seed=self._cell.seed, classes=self._class_names
        )
        return model.set_params(**self._cell.settings | self._decided)

    @functools.cached_property
    def _class_names(self) -> tuple[str, ...]:
        return manifest.classes(self._cell.split)

    def _prepare_torch(self) -> dict[str, int]:
        """Decide on threads and precision; returns how many threads torch's own pools have."""
        import torch

        from worthit.models.hardware import devices

        devices.require(self._cell.device)
        torch.set_num_threads(self._threads)
        pools = {
            "torch": torch.get_num_threads(),
            "torch between operators": torch.get_num_interop_threads(),
        }
        precision = self._model.get_params().get("precision")
        if precision is None:  # the user's own model, which decides by itself
            return pools
        dtype = str(devices.dtype_for(precision, self._cell.device)).removeprefix("torch.")
        # Decided once and kept with the artifact: a later process might measure otherwise.
        self._decided = {"precision": {"bfloat16": "bf16", "float32": "fp32"}[dtype]}
        self._model.set_params(**self._decided)
        self._dtype = ", ".join(filter(None, (dtype, self._class.dtype_note)))
        return pools

    def _resolved_checkpoint(self) -> Any:
        given = self._model.get_params().get("checkpoint")
        if given is None:
            return None
        from worthit.models.weights import checkpoints

        return checkpoints.resolve(given)

    def _device_name(self) -> str:
        if self._cell.device == "cpu":
            return processor.cpu_name()
        from worthit.models.hardware import devices

        return devices.name(self._cell.device) or self._cell.device

    def _synchronize(self) -> None:
        if self._cell.device != "cpu":
            from worthit.models.hardware import devices

            devices.synchronize(self._cell.device)

    @functools.cache  # noqa: B019  (this object lives as long as its process)
    def _comments(self, part: str, split: str = "") -> "Comments":
        """One part of the cell's own split, or of another."""
        before = resident_bytes()
        from worthit.datasets import prepare

        self._baseline_bytes += max(resident_bytes() - before, 0)  # libraries count to it
        return prepare.comments(split or self._cell.split, part)

    def _some_comments(self) -> Sequence[str]:
        return self._comments("test").texts[: self._cell.effort.memory_comments]


def _without_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Records are shared: where a user keeps a checkpoint is nobody else's business."""
    checkpoint = settings.get("checkpoint")
    if checkpoint is None or not Path(checkpoint).is_absolute():
        return settings
    return settings | {"checkpoint": Path(checkpoint).name}

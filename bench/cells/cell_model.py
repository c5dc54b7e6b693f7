"""A cell's model on this machine: its settings, checkpoint, precision and threads."""

import functools
import json
import platform
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.cell import Cell
from worthit.bench.cells import trainers
from worthit.bench.instruments import machine
from worthit.bench.saved import artifacts, record
from worthit.bench.saved.record import Setup
from worthit.datasets.cache import cache_folder, sha256_of, short_hash
from worthit.datasets.splits import manifest
from worthit.models.chat import address
from worthit.models.hardware import processor
from worthit.models.registry import entry, is_endpoint, is_user_code, model_class, require_able


class CellModel:
    """Makes and loads the model of one cell.

    Raises:
        DeviceError: the model cannot run on the cell's device, or not on this machine.
        CheckpointError, DownloadError, CacheError: its weights are not available.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._location = cell.location or cell.model
        self._class = model_class(self._location)
        require_able(self._location, cell.device)
        if cell.device != "cpu":  # a user's class may not say that it uses torch
            from worthit.models.hardware import devices

            devices.require(cell.device)
        self._dtype = ""
        self._settled: dict[str, Any] = {}  # settings that depend on this machine
        self.unfitted = self.make()
        #: that share the training
        self.processes = cell.processes if entry(self._class.name).shares_training else 1
        self._threads = processor.allowed_cores()
        if cell.rank:
            self._threads = trainers.threads(cell.processes)
        self._torch_pools = self._prepare_torch() if "torch" in self._class.libraries else {}
        self._checkpoint = self._resolve_checkpoint()
        self.unfitted.prepare()

    @property
    def classes(self) -> tuple[str, ...]:
        return self._prepared.classes

    @property
    def multilabel(self) -> bool:
        return self._prepared.multilabel

    @functools.cached_property
    def _prepared(self) -> manifest.Prepared:
        return manifest.read(self._cell.split)

    @functools.cached_property
    def setup(self) -> Setup:
        notes = (self._dtype, self.unfitted.dtype_note)
        return Setup(
            settings=without_paths(self.unfitted.get_params()),
            checkpoint=self._origin(),
            checkpoint_identity=self._checkpoint and self._checkpoint.identity,
            device_name=self._device_name(),
            dtype=", ".join(filter(None, notes)) or None,
            threads=self._threads,
            python=platform.python_version(),
            versions=machine.library_versions(self._class.libraries),
            thread_pools=machine.thread_pools() | self._torch_pools,
            kind=entry(self._class.name).kind,
            seeded=entry(self._class.name).seeded,
            code=self._location if is_user_code(self._location) else None,
            languages=self._checkpoint.languages if self._checkpoint else (),
        )

    def make(self) -> Any:
        """A new model, not yet fitted."""
        cell = self._cell
        model = self._class(
            device=cell.device, seed=cell.seed, classes=self.classes, multilabel=self.multilabel
        )
        model.may_send_comments = cell.may_send_comments
        model.weighs_classes = self._prepared.weighted
        return model.set_params(**cell.settings | self._settled)

    def load(self, artifact: str) -> Any:
        model = self._class.load(cache_folder("artifacts", artifact), self._cell.device)
        model.may_send_comments = self._cell.may_send_comments
        self.synchronize()
        return model

    def synchronize(self) -> None:
        """Wait until the device is idle."""
        if self._cell.device != "cpu":
            from worthit.models.hardware import devices

            devices.synchronize(self._cell.device)

    def fingerprint(self) -> str:
        """Changes with everything that affects the trained model, such as the models' code."""
        code = artifacts.model_code()
        if is_user_code(self._location):
            from worthit.models import user_model

            code += user_model.source_files(self._location)
        return short_hash(
            self._cell.model,
            self._cell.split,
            self._cell.device,
            str(self._cell.seed),
            str(self.processes),
            json.dumps(self.classes),
            json.dumps(msgspec.to_builtins(self.setup), sort_keys=True),
            str(self.unfitted.get_params().get("url")),  # of which the setup has the host at most
            *(sha256_of(file) for file in code),
        )

    def _prepare_torch(self) -> dict[str, int]:
        """Set the number of threads and the precision; returns the size of torch's thread pools."""
        import torch

        from worthit.models.hardware import devices

        device = self._cell.device
        devices.require(device)
        if not self._cell.rank:
            trainers.require(device, self.processes, devices.places(device))
        devices.choose(device, self._cell.rank)
        torch.set_num_threads(self._threads)
        precision = self.unfitted.get_params().get("precision")
        if precision is not None:  # a model of the user's may have none
            dtype = str(devices.dtype_for(precision, self._cell.device))
            self._dtype = dtype.removeprefix("torch.")
            # Settled here, since a later process might choose another one.
            self._settled = {"precision": {"bfloat16": "bf16", "float32": "fp32"}[self._dtype]}
            self.unfitted.set_params(**self._settled)
        return {
            "torch": torch.get_num_threads(),
            "torch between operators": torch.get_num_interop_threads(),
        }

    def _resolve_checkpoint(self) -> Any:
        checkpoint = self.unfitted.get_params().get("checkpoint")
        if checkpoint is None:
            return None
        from worthit.models.weights import checkpoints

        return checkpoints.resolve(checkpoint)

    def _origin(self) -> str | None:
        """For people: where the weights are from."""
        if is_endpoint(self._location):
            settings = without_paths(self.unfitted.get_params())
            return f"{settings['model']} on {settings['url']}"
        return str(self._checkpoint.origin) if self._checkpoint else None

    def _device_name(self) -> str:
        if is_endpoint(self._location):
            return record.ON_SERVER
        if self._cell.device == "cpu":
            return processor.cpu_name()
        from worthit.models.hardware import devices

        return devices.name(self._cell.device) or self._cell.device


def without_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings for a record, which may be shared: paths and addresses are shortened to names."""
    shortened = {
        name: Path(settings[name]).name
        for name in ("checkpoint", "model")
        if isinstance(settings.get(name), str) and Path(settings[name]).is_absolute()
    }
    if settings.get("url"):
        shortened["url"] = address.parse(settings["url"]).shown
    return settings | shortened

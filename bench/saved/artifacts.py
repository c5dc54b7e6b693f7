"""Trained models as the cache keeps them: the code that decides one, and the record beside it."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.saved.record import Figure, Memory, Training, measured

_RECORD = "training.json"
#: folders of models/ that score or check a trained model: no model imports them
NO_TRAINING = ("contract_check", "scoring")


def model_code() -> list[Path]:
    """The files of ours that decide what training yields."""
    models = Path(__file__).resolve().parents[2] / "models"
    # Some editors lock a file by a link to nowhere beside it.
    files = (file for file in models.rglob("*.py") if file.is_file())
    return sorted(file for file in files if file.relative_to(models).parts[0] not in NO_TRAINING)


def write_record(training: Training, folder: Path) -> None:
    (folder / _RECORD).write_bytes(msgspec.json.encode(training))


def recorded(folder: Path) -> Training | None:
    """The record of a finished training; None if there is none that this version can read."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError, ValueError):
        return None


def disk_mb(folder: Path) -> Figure:
    size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return measured(size_bytes / 1e6, "MB", "file sizes")


def cached(training: Training) -> Training:
    """The record of a training in an earlier process, its figures marked so."""
    return dataclasses.replace(
        training,
        train_s=_cached(training.train_s),
        memory=_cached_memory(training.memory),
        cached=True,
        cpu_j=_cached(training.cpu_j),
        ram_j=_cached(training.ram_j),
        gpu_j=_cached(training.gpu_j),
    )


def _cached(figure: Figure) -> Figure:
    if figure.value is None:
        return figure
    return dataclasses.replace(figure, origin="cached", was=figure.origin)


def _cached_memory(memory: Memory) -> Memory:
    values = {field.name: getattr(memory, field.name) for field in dataclasses.fields(memory)}
    figures: dict[str, Any] = {
        name: _cached(value) for name, value in values.items() if isinstance(value, Figure)
    }
    return dataclasses.replace(memory, **figures)

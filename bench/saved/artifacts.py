"""Trained models in the cache: the code that decides their content, and the record beside each."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.saved.record import Figure, Memory, Training, measured

_RECORD = "training.json"
#: folders of models/ that score or check trained models: no model imports them
NO_TRAINING = ("contract_check", "scoring")


def model_code() -> list[Path]:
    """The files of worthit that decide the result of training."""
    models = Path(__file__).resolve().parents[2] / "models"
    # Some editors lock a file with a dangling link beside it.
    files = (file for file in models.rglob("*.py") if file.is_file())
    return sorted(file for file in files if file.relative_to(models).parts[0] not in NO_TRAINING)


def write_record(training: Training, folder: Path) -> None:
    (folder / _RECORD).write_bytes(msgspec.json.encode(training))


def read_record(folder: Path) -> Training | None:
    """The record of a finished training; None if this version can read none."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError, ValueError):
        return None


def disk_mb(folder: Path) -> Figure:
    size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return measured(size_bytes / 1e6, "MB", "file sizes")


def mark_cached(training: Training) -> Training:
    """The record of a training in an earlier process, with its costs marked as cached."""
    return dataclasses.replace(
        training,
        train_s=_mark(training.train_s),
        memory=_mark_memory(training.memory),
        cpu_j=_mark(training.cpu_j),
        ram_j=_mark(training.ram_j),
        gpu_j=_mark(training.gpu_j),
        cached=True,
    )


def _mark(figure: Figure) -> Figure:
    if figure.value is None:
        return figure
    return dataclasses.replace(figure, origin="cached", was=figure.origin)


def _mark_memory(memory: Memory) -> Memory:
    figures: dict[str, Any] = {
        name: _mark(value) for name, value in vars(memory).items() if isinstance(value, Figure)
    }
    return dataclasses.replace(memory, **figures)

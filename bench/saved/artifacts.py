"""Trained models in the cache: the code that decides their content, and the record beside each."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.saved.record import Figure, Memory, Training, Tuning, measured
from worthit.datasets.cache import room_in_cache, write_whole

#: the file of a training's record, beside the trained model
RECORD = "training.json"
#: folders of models/ that do not decide what a training results in: no model imports them
NO_TRAINING = ("cluster", "contract_check", "scoring")


def model_code() -> list[Path]:
    """The files of worthit that decide the result of training."""
    root = Path(__file__).resolve().parents[2]
    models, words = root / "models", root / "datasets" / "words.py"
    # Some editors lock a file with a dangling link beside it.
    files = (file for file in models.rglob("*.py") if file.is_file())
    deciding = (file for file in files if file.relative_to(models).parts[0] not in NO_TRAINING)
    return sorted([*deciding, words])


def write_record(training: Training, folder: Path) -> None:
    (folder / RECORD).write_bytes(msgspec.json.encode(training))


def read_record(folder: Path) -> Training | None:
    """The record of a finished training; None if this version can read none."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError, ValueError):
        return None


def write_tuning(tuning: Tuning, file: Path) -> None:
    with room_in_cache():
        write_whole(file, msgspec.json.encode(tuning))


def read_tuning(file: Path) -> Tuning | None:
    """The result of an earlier search, with its time marked as cached; None if there is none."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Tuning)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    marked: Tuning = _mark(found)
    return marked


def disk_mb(folder: Path) -> Figure:
    size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return measured(size_bytes / 1e6, "MB", "file sizes")


def mark_cached(training: Training) -> Training:
    """The record of a training in an earlier process, with its costs marked as cached."""
    marked: Training = _mark(training)
    return dataclasses.replace(marked, disk_mb=training.disk_mb, cached=True)


def _mark(part: Any) -> Any:
    if isinstance(part, Figure):
        is_known = part.value is not None
        return dataclasses.replace(part, origin="cached", was=part.origin) if is_known else part
    inner = {
        name: value for name, value in vars(part).items() if isinstance(value, Figure | Memory)
    }
    return dataclasses.replace(part, **{name: _mark(value) for name, value in inner.items()})

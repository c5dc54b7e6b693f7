"""The process that trains the weights of a scoring comparison, in the formats of all entries."""

import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.cells import worker
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.int8 import int8_name
from worthit.bench.speed.llm import save_merged
from worthit.datasets import prepare
from worthit.datasets.errors import DeviceError
from worthit.models.contract import Labels, Progress
from worthit.models.registry import model_class


class WeightsTraining:
    """Trains in a process of its own, so that its memory counts towards no entry."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self._task, self._progress = task, progress

    def setup(self) -> None:
        train, size = prepare.comments(self._task.split, "train"), self._task.weights_comments
        train_and_save(self._task, train.texts[:size], train.labels[:size], self._progress)


def train_and_save(task: Task, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
    """Train our model and save it in each format that an implementation reads."""
    folder = Path(task.weights_folder)
    model = model_class(task.model)(device=task.device)
    model.set_params(checkpoint=task.checkpoint, precision=task.precision)
    model.fit(texts, labels, progress)
    for name in ("ours", "merged", "int8", "onnx"):
        (folder / name).mkdir()
    model.save(folder / "ours")
    if task.device == "cpu":
        convert_to_int8(task.model, folder / "ours", folder / "int8")
    if task.model == "llama":
        save_merged(folder / "ours", task, folder / "merged")
    elif all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
        from worthit.bench.speed import onnx

        onnx.export(folder / "ours", folder / "onnx")


def convert_to_int8(model: str, source: Path, target: Path) -> None:
    """Save the 8-bit form. Where int8 layers cannot run, `target` stays empty; the entry says why."""
    variant: Any = model_class(int8_name(model))()
    with suppress(DeviceError):
        variant.convert(source).save(target)


if __name__ == "__main__":
    worker.serve(lambda task, progress: WeightsTraining(msgspec.convert(task, Task), progress))

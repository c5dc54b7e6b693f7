"""The weights that all contestants of a scoring contest read: ours, and what others make of them."""

import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from worthit.bench.speed.implementations import Task
from worthit.bench.speed.int8 import int8_name
from worthit.bench.speed.llm import merged
from worthit.datasets import prepare
from worthit.datasets.errors import DeviceError
from worthit.models.contract import Labels, Progress
from worthit.models.registry import model_class


class Tuner:
    """Tunes our model in a process whose memory counts against nobody."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self._task, self._progress = task, progress

    def setup(self) -> None:
        train, size = prepare.comments(self._task.split, "train"), self._task.tuned_on
        lay_out(self._task, train.texts[:size], train.labels[:size], self._progress)


def lay_out(task: Task, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
    """Tune the weights that all score with, and put them where and how each way wants them."""
    folder = Path(task.fitted)
    model = model_class(task.model)(device=task.device)
    model.set_params(checkpoint=task.checkpoint, precision=task.precision)
    model.fit(texts, labels, progress)
    for name in ("ours", "merged", "int8", "onnx"):
        (folder / name).mkdir()
    model.save(folder / "ours")
    if task.device == "cpu":
        _round(task.model, folder / "ours", folder / "int8")
    if task.model == "llama":
        merged(folder / "ours", task.checkpoint, task.precision, task.device, folder / "merged")
    elif all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
        from worthit.bench.speed import onnx

        onnx.export(folder / "ours", folder / "onnx")


def _round(model: str, source: Path, target: Path) -> None:
    """Where int8 layers cannot be, the folder stays empty, and the contestant says why."""
    variant: Any = model_class(int8_name(model))()
    with suppress(DeviceError):
        variant.convert(source).save(target)

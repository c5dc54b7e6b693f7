"""The process that trains the weights of a scoring comparison, in the formats of all entries."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.cells import worker
from worthit.bench.speed.implementations import Task, encoder_limit, is_installed
from worthit.bench.speed.int8 import int8_name
from worthit.bench.speed.llm import save_merged
from worthit.datasets import prepare
from worthit.datasets.errors import CheckpointError, DeviceError
from worthit.models.contract import Labels, Progress
from worthit.models.registry import model_class
from worthit.models.weights import checkpoints


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
    model.set_params(checkpoint=task.checkpoint, precision=task.precision, epochs=1)
    model.fit(texts, labels, progress)
    for name in ("ours", "merged", "gguf", "int8", "onnx", "openvino"):
        (folder / name).mkdir()
    model.save(folder / "ours")
    if task.device == "cpu":
        convert_to_int8(task.model, folder / "ours", folder / "int8")
    if task.model == "llama":
        save_merged(folder / "ours", task, folder / "merged")
        if is_installed("llama_cpp"):
            convert_to_gguf(task, folder)
    elif task.device == "cpu":
        convert_to_runtimes(model, folder, texts)


def convert_to_runtimes(trained: Any, folder: Path, texts: Sequence[str]) -> None:
    """Save for ONNX Runtime and OpenVINO, if installed. `trained` scores no more after it."""
    ours, target = folder / "ours", folder / "openvino"
    if is_installed("openvino"):
        from worthit.bench.speed import openvino

        openvino.export(ours, target)
        if is_installed("nncf"):
            tokenizer, longest = checkpoints.tokenizer(ours), trained.get_params()["max_length"]
            openvino.quantize(ours, target, texts, encoder_limit(tokenizer, ours, longest))
    if is_installed("onnx") and is_installed("onnxruntime"):
        from worthit.bench.speed import onnx

        onnx.export(trained, folder / "onnx")


def convert_to_gguf(task: Task, folder: Path) -> None:
    """Save for llama.cpp. Of a model that cannot be converted no file is saved; the entry says so."""
    from worthit.bench.speed import gguf_weights

    dense = "BF16" if task.precision == "bf16" else "F32"
    with suppress(CheckpointError):
        gguf_weights.write(folder / "merged", folder / "gguf" / "dense.gguf", dense)
        gguf_weights.write(folder / "merged", folder / "gguf" / "q8_0.gguf", "Q8_0")


def convert_to_int8(model: str, source: Path, target: Path) -> None:
    """Save the 8-bit form. Where int8 layers cannot run, `target` stays empty; the entry says why."""
    variant: Any = model_class(int8_name(model))()
    with suppress(DeviceError):
        variant.convert(source).save(target)


if __name__ == "__main__":
    worker.serve(lambda task, progress: WeightsTraining(msgspec.convert(task, Task), progress))

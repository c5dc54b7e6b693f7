"""What a contest of the yardstick amounts to on this machine: dtype, tokens, weights, GEMM rate."""

import math
import re

import torch
import transformers

from worthit.bench.speed import llm
from worthit.bench.speed.flops import Reading
from worthit.bench.speed.implementations import Task, encoder_limit
from worthit.datasets import prepare
from worthit.models.hardware import devices
from worthit.models.registry import model_class
from worthit.models.weights import checkpoints

_LAYER = re.compile(r"(^|\.)layers?\.\d+\.")
_SIDE = {"cpu": 2048, "mps": 4096, "cuda": 8192}  # of square matrices that fill the device
_REPEATS = 3


class Gauge:
    """Measures the rate of plain matrix products between the contestants' turns."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def setup(self) -> Reading:
        task = self._task
        devices.require(task.device)
        self._dtype = devices.dtype_for(task.precision, task.device)
        self.slice(0)
        settings = model_class(task.model)().get_params()
        self._checkpoint = task.checkpoint or settings["checkpoint"]
        return Reading(
            checkpoint=self._checkpoint,
            precision={torch.bfloat16: "bf16", torch.float32: "fp32"}[self._dtype],
            max_length=settings["max_length"],
            matmul_parameters=matmul_parameters(self._checkpoint),
            tokens_per_comment=self._tokens_per_comment(settings["max_length"]),
        )

    def slice(self, number: int) -> float:
        """Operations a second of the best of a few products of two square matrices."""
        side = _SIDE[self._task.device]
        seconds = devices.gemm_seconds(self._task.device, self._dtype, side, _REPEATS)
        return 2 * side**3 / seconds

    def _tokens_per_comment(self, max_length: int | None) -> float:
        task = self._task
        texts = prepare.comments(task.split, "train" if task.trains else "test").texts
        texts = (
            texts[: task.comments] if task.trains else texts[task.slice_comments : task.comments]
        )
        folder = checkpoints.resolve(self._checkpoint).folder
        tokenizer = checkpoints.tokenizer(folder)
        if task.model == "bert":
            limit = encoder_limit(tokenizer, folder, max_length)
            tokens = tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        else:
            tokens = llm.prompts(tokenizer, texts, self._checkpoint, max_length)
        return sum(map(len, tokens)) / len(tokens)


def matmul_parameters(checkpoint: str) -> int:
    """Weights of the linear maps in a model's layers; no embeddings, no output head."""
    folder = checkpoints.resolve(checkpoint).folder
    with checkpoints.one_line_errors(checkpoint):
        model = checkpoints.without_weights(transformers.AutoModel, folder)
    return sum(
        math.prod(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and _LAYER.search(name)
    )

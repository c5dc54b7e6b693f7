"""The process that measures what a comparison computes, and how fast this machine multiplies.

The GEMM share is the utilisation of Chowdhery et al. 2022, "PaLM: Scaling Language Modeling with
Pathways" (model FLOPs utilisation, appendix B): the useful operations per second, divided by the
operations per second that the hardware can do. Here that is the rate of plain matrix products
(GEMM), measured between the entries' turns.

Useful operations are the same for every implementation. They count the comment's tokens, prompt
included, without padding: 2 operations per token and weight for the forward pass, 2 for the
gradients of activations, and 2 for the gradients of weights. LoRA keeps most weights fixed and does
not need their gradients. The count omits attention's products of activations, embeddings and the
output head, which are small at these lengths or needed once per comment. An implementation that
does less, because it reads a shared question once or ends the backward pass halfway, has a higher
share. One that pads, or computes logits that nobody reads, has a lower share.
"""

import math
import re

import msgspec
import torch
import transformers

from worthit.bench.cells import worker
from worthit.bench.speed import llm
from worthit.bench.speed.implementations import Task, encoder_limit
from worthit.bench.speed.record import Workload
from worthit.datasets import prepare
from worthit.models.hardware import devices
from worthit.models.registry import model_class
from worthit.models.weights import checkpoints

_LAYER = re.compile(r"(^|\.)layers?\.\d+\.")
SIDE = {"cpu": 2048, "mps": 4096, "cuda": 8192}  # of square matrices that fill the device
_REPEATS = 3


class WorkloadMeter:
    """Chooses the precision, measures the workload, and then the GEMM rate on request."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def setup(self) -> Workload:
        task = self._task
        devices.require(task.device)
        self._dtype = devices.dtype_for(task.precision, task.device)
        self.slice(0)
        settings = model_class(task.model)().get_params()
        checkpoint = task.checkpoint or settings["checkpoint"]
        tokens = _tokens_per_comment(task, checkpoint, settings["max_length"])
        return Workload(
            checkpoint=checkpoint,
            precision="bf16" if self._dtype == torch.bfloat16 else "fp32",
            max_length=settings["max_length"],
            tokens_per_comment=tokens,
            flops_per_comment=useful_flops(
                matmul_parameters(checkpoint),
                tokens,
                trains=task.trains,
                all_weights=task.model == "bert",
            ),
        )

    def slice(self, number: int) -> float:
        """Operations per second: the best of a few products of two square matrices."""
        side = SIDE[self._task.device]
        seconds = devices.gemm_seconds(self._task.device, self._dtype, side, _REPEATS)
        return 2 * side**3 / seconds


def _tokens_per_comment(task: Task, checkpoint: str, max_length: int | None) -> float:
    """Mean over the comments that are timed; in training the warm-up counts too."""
    texts = prepare.comments(task.split, "train" if task.trains else "test").texts
    texts = texts[: task.comments] if task.trains else texts[task.slice_comments : task.comments]
    folder = checkpoints.resolve(checkpoint).folder
    tokenizer = checkpoints.tokenizer(folder)
    if task.model == "bert":
        limit = encoder_limit(tokenizer, folder, max_length)
        tokens = tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
    else:
        tokens = llm.prompts(tokenizer, texts, checkpoint, max_length)
    return sum(map(len, tokens)) / len(tokens)


def matmul_parameters(checkpoint: str) -> int:
    """The number of weights in the linear maps of a model's layers, without embeddings and head."""
    folder = checkpoints.resolve(checkpoint).folder
    with checkpoints.one_line_errors(checkpoint):
        model = checkpoints.without_weights(transformers.AutoModel, folder)
    return sum(
        math.prod(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and _LAYER.search(name)
    )


def useful_flops(parameters: int, tokens: float, *, trains: bool, all_weights: bool) -> float:
    """Operations that one comment needs.

    Args:
        parameters: the number of weights that each token is multiplied by.
        tokens: per comment.
        trains: count the backward pass too.
        all_weights: training changes all weights, not only adapters.
    """
    passes = 1 + (1 + all_weights if trains else 0)
    return 2.0 * passes * parameters * tokens


if __name__ == "__main__":
    worker.serve(lambda task, progress: WorkloadMeter(msgspec.convert(task, Task)))

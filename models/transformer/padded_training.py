"""The training loop for accelerators: the recipe of `finetuning`, on padded batches (`padded`).

The comments of each step, their order, the learning rates and the optimizer are those of the CPU.
Everything that the epoch reads is on the device before its first step. A whole step (forward,
backward, clipping, AdamW) is one program per width (`graphs`), so the host only counts.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from worthit.datasets.errors import is_out_of_memory
from worthit.models.contract import Labels, Progress, Weights
from worthit.models.transformer import graphs, padded
from worthit.models.transformer.batches import Indices, Tokens
from worthit.models.transformer.finetuning import (
    MasterAdamW,
    OnLoss,
    Recipe,
    ignore,
    learning_rate,
    losses,
    plan,
)

T = TypeVar("T")

#: ids (rows, width) and lengths (rows,) → logits (rows, k), fp32
PaddedLogits = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Result:
    """Of a training."""

    decay: float  # what weight decay leaves of a weight of 1 that never has a gradient
    rows_at_once: int  # the batch size, or less if that did not fit into memory


def finetune(
    logits: PaddedLogits,
    parameters: Sequence[torch.nn.Parameter],
    tokens: Sequence[Tokens],
    labels: Labels,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    *,
    device: str,
    recorder: graphs.Recorder,
    fill_token: int = 0,
    widest: int | None = None,
    rows_at_once: int | None = None,
    on_loss: OnLoss = ignore,
    comment_weights: Weights | None = None,
) -> Result:
    """Minimise cross-entropy over `tokens`, changing `parameters` in place.

    Args:
        fill_token: for padding; never read.
        widest: positions of the network; None: no limit.
        rows_at_once: comments of a step that are computed at once. If they do not fit into memory,
            half as many are tried. Gradients add up, so the result is that of the whole batch.
        progress: counts steps that the device was given; it may be behind.
        comment_weights: as `finetuning.finetune` takes them.
    """
    epoch = _Epoch(tokens, labels, comment_weights, recipe, seed, device, fill_token, widest)
    trainer = _Trainer(logits, parameters, recipe, device, recorder)
    trainer.rows_at_once = min(rows_at_once or recipe.batch_size, recipe.batch_size)
    trainer.record(epoch.examples())
    done, total = 0, recipe.epochs * len(tokens)
    for number, rows in enumerate(epoch.steps):
        loss = trainer.step(epoch[number], epoch.rate(number))
        if on_loss is not ignore:
            on_loss(loss.clone())
        done += len(rows)
        progress(done, total)
    trainer.finish()
    return Result(epoch.decay, trainer.rows_at_once)


class _Epoch:
    """All batches of the training on the device: `epoch[i]` has the tensors of step i."""

    def __init__(
        self,
        tokens: Sequence[Tokens],
        labels: Labels,
        comment_weights: Weights | None,
        recipe: Recipe,
        seed: int,
        device: str,
        fill_token: int,
        widest: int | None,
    ) -> None:
        lengths = np.array([len(sequence) for sequence in tokens])
        self.steps = plan(lengths, recipe, seed)
        size = recipe.batch_size
        widths = padded.widths_for_training(self.steps, lengths, widest)
        self._shapes = [padded.Shape(width, size) for width in widths]
        self._batches = padded.DeviceBatches(
            [
                (shape, [tokens[row] for row in rows])
                for shape, rows in zip(self._shapes, self.steps, strict=True)
            ],
            fill_token,
            device,
        )
        targets, weights = _targets(self.steps, labels, comment_weights, size)
        self._targets = padded.to_device(targets, device)
        self._weights = padded.to_device(weights, device)
        rates = [learning_rate(step, len(self.steps), recipe) for step in range(len(self.steps))]
        self._rates = padded.to_device(np.array(rates, np.float32), device)
        self.decay = float(np.prod([1 - rate * recipe.weight_decay for rate in rates]))

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return self._batches[number] | {
            "targets": self._targets[number],
            "weights": self._weights[number],
        }

    def rate(self, number: int) -> torch.Tensor:
        """The learning rate of a step, shape ()."""
        return self._rates[number]

    def examples(self) -> list[dict[str, torch.Tensor]]:
        """One batch of each shape, the widest first, so that too little memory shows at once."""
        first = {shape: number for number, shape in reversed(list(enumerate(self._shapes)))}
        return [self[first[shape]] for shape in sorted(first, reverse=True)]


def _targets(
    steps: Sequence[Indices], labels: Labels, comment_weights: Weights | None, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Class and weight of each row, both of shape (steps, size); of labels (steps, size, labels).

    A row's weight is that of its comment, or 1, over the number of comments (and labels); rows without a
    comment have 0.
    """
    each = labels.shape[1:]
    targets = np.zeros((len(steps), size, *each), np.int64)
    weights = np.zeros((len(steps), size, *each), np.float32)
    for number, rows in enumerate(steps):
        targets[number, : len(rows)] = labels[rows]
        own = 1 if comment_weights is None else comment_weights[rows]
        weights[number, : len(rows)] = own / labels[rows].size
    return targets, weights


def _parts(rows: int, at_once: int) -> list[slice]:
    return [slice(start, start + at_once) for start in range(0, rows, at_once)]


class _Trainer:
    """Runs whole steps: programs per shape, with half the rows at once if memory runs out."""

    rows_at_once: int

    def __init__(
        self,
        logits: PaddedLogits,
        parameters: Sequence[torch.nn.Parameter],
        recipe: Recipe,
        device: str,
        recorder: graphs.Recorder,
    ) -> None:
        self._logits, self._recorder = logits, recorder
        self._rate = torch.tensor(0.0, device=device)
        self._optimizer = MasterAdamW(parameters, recipe, self._rate)
        self._programs: dict[torch.Size, graphs.Program] = {}

    def record(self, examples: Sequence[graphs.Tensors]) -> None:
        """Record a step for each shape. The rate is 0 until then, so that warm-ups change nothing."""
        self._with_less_memory(lambda: [self._program(example) for example in examples])
        self._optimizer.forget_steps()

    def step(self, batch: graphs.Tensors, rate: torch.Tensor) -> torch.Tensor:
        """Train on a batch. Returns the loss, shape (), which the next step may overwrite."""
        self._rate.copy_(rate)
        return self._with_less_memory(lambda: self._program(batch)(batch))

    def finish(self) -> None:
        """Release the memory of the programs."""
        self._recorder.drop(self._programs)

    def _program(self, batch: graphs.Tensors) -> graphs.Program:
        shape = batch["ids"].shape
        if shape not in self._programs:
            self._programs[shape] = self._recorder.record(self._work, batch)
        return self._programs[shape]

    def _work(self, batch: graphs.Tensors) -> torch.Tensor:
        total = torch.zeros((), device=self._rate.device)
        for rows in _parts(len(batch["ids"]), self.rows_at_once):
            with padded.kernels():
                scores = self._logits(batch["ids"][rows], batch["lengths"][rows])
                loss = (losses(scores, batch["targets"][rows]) * batch["weights"][rows]).sum()
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self._optimizer.step()
        return total

    def _with_less_memory(self, attempt: Callable[[], T]) -> T:
        """Repeat an attempt with half the rows at once while it runs out of memory.

        Memory is allocated before the optimizer changes a parameter, so a step can be repeated.
        """
        while True:
            try:
                return attempt()
            except RuntimeError as error:
                if self.rows_at_once == 1 or not is_out_of_memory(error):
                    raise
            # Outside of `except`, which keeps the tensors of the failed step.
            self.rows_at_once //= 2
            self._optimizer.drop_gradients()
            self._recorder.drop(self._programs)
            print(
                f"worthit: out of memory; trains on {self.rows_at_once} comments at once",
                file=sys.stderr,
            )

"""The training loop of the transformer models: AdamW, linear warm-up and decay, clipped gradients.

Plain torch: transformers' Trainer refuses to run where any folder named `datasets` is importable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch

from worthit.models.contract import Labels, Progress, Weights
from worthit.models.transformer import batches

#: called with the mean loss of each step, shape (), on the device
OnLoss = Callable[[torch.Tensor], None]


def ignore(loss: torch.Tensor) -> None:
    """Do nothing with a loss."""


@dataclass(frozen=True)
class Recipe:
    """The settings that the training loop needs."""

    learning_rate: float
    batch_size: int
    epochs: int
    warmup_share: float
    weight_decay: float

    @classmethod
    def of(cls, settings: Any) -> Self:
        """Copy the fields of the same names from a model's settings."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


def finetune(
    logits: batches.Logits,
    parameters: Sequence[torch.nn.Parameter],
    tokens: Sequence[batches.Tokens],
    labels: Labels,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    on_loss: OnLoss = ignore,
    weights: Weights | None = None,
) -> float:
    """Minimise cross-entropy over `tokens`, changing `parameters` in place.

    Args:
        labels: as `losses` takes them.
        weights: in their shape, how much each comment counts; None: the same. A step's loss is the sum of the
            weighted losses over the number of comments. torch's own weights divide by the sum of the
            step's weights instead; then a class that most steps lack counts less.

    Returns:
        What weight decay leaves of a weight of 1 that never has a gradient.
    """
    lengths = np.array([len(sequence) for sequence in tokens])
    steps = plan(lengths, recipe, seed)
    optimizer = MasterAdamW(parameters, recipe)
    done, total, decay = 0, recipe.epochs * len(tokens), 1.0
    for number, rows in enumerate(steps):
        targets = torch.from_numpy(labels[rows].astype(np.int64))
        scores = logits([tokens[row] for row in rows])
        each = losses(scores, targets.to(scores.device))
        if weights is not None:
            each = each * torch.from_numpy(weights[rows]).to(each)
        loss = each.mean()
        loss.backward()  # type: ignore[no-untyped-call]
        on_loss(loss.detach())
        rate = learning_rate(number, len(steps), recipe)
        optimizer.step(rate)
        decay *= 1 - rate * recipe.weight_decay
        done += len(rows)
        progress(done, total)
    return decay


def losses(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each target, in the shape of the targets.

    Args:
        scores: logits, shape (n, k).
        targets: shape (n,), class indices; or (n, k), 0 or 1 for each of k independent labels.
    """
    if targets.ndim == 1:
        return torch.nn.functional.cross_entropy(scores, targets, reduction="none")
    return torch.nn.functional.binary_cross_entropy_with_logits(
        scores, targets.to(scores.dtype), reduction="none"
    )


def plan(lengths: batches.Indices, recipe: Recipe, seed: int) -> list[batches.Indices]:
    """The comments of each step, the same on all devices.

    Args:
        lengths: shape (n,), tokens of each comment.
    """
    rng = np.random.default_rng(seed)
    return [
        rows
        for _ in range(recipe.epochs)
        for rows in batches.for_training(lengths, recipe.batch_size, rng)
    ]


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up to the full learning rate, then linear decay towards 0.

    transformers' `get_linear_schedule_with_warmup` wastes the first step on a rate of 0.
    """
    warmup = max(1.0, recipe.warmup_share * steps)
    decay = (steps - step) / max(1.0, steps - warmup)
    return recipe.learning_rate * min((step + 1) / warmup, decay, 1.0)


class MasterAdamW:
    """AdamW on fp32 copies of the parameters: in bf16, small updates would round to nothing.

    Parameters that are fp32 already are their own copies.

    Args:
        rate: a learning rate on the device, shape (), which `step` reads without the host; None if
            `step` is given one.
    """

    def __init__(
        self,
        parameters: Sequence[torch.nn.Parameter],
        recipe: Recipe,
        rate: torch.Tensor | None = None,
    ) -> None:
        self._parameters = list(parameters)
        self.masters = [p if p.dtype == torch.float32 else p.detach().float() for p in parameters]
        self._copies = [
            pair
            for pair in zip(self.masters, self._parameters, strict=True)
            if pair[0] is not pair[1]
        ]
        self._optimizer = torch.optim.AdamW(
            self.masters,
            lr=recipe.learning_rate if rate is None else rate,
            weight_decay=recipe.weight_decay,
            fused=True,
            capturable=rate is not None and rate.is_cuda,
        )

    def step(self, rate: float | None = None) -> None:
        """Clip the gradients to a norm of 1, update the parameters, and drop the gradients."""
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._move_gradients()
        if rate is not None:
            self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._copies:
            masters, parameters = zip(*self._copies, strict=True)
            with torch.no_grad():
                torch._foreach_copy_(parameters, masters)

    def _move_gradients(self) -> None:
        """Move the gradients of bf16 parameters to their masters, in as few kernels as possible."""
        reduced = []
        for master, parameter in self._copies:
            master.grad = None if parameter.grad is None else torch.empty_like(master)
            if parameter.grad is not None:
                reduced.append((master.grad, parameter.grad))
            parameter.grad = None
        if reduced:
            targets, gradients = zip(*reduced, strict=True)
            torch._foreach_copy_(targets, gradients)

    def drop_gradients(self) -> None:
        """Forget the gradients of a step that failed."""
        for parameter in (*self._parameters, *self.masters):
            parameter.grad = None

    def forget_steps(self) -> None:
        """Set moments and step counts to 0, in place: a recorded step knows their addresses."""
        for state in self._optimizer.state.values():
            for tensor in state.values():
                tensor.zero_()

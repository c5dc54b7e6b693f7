"""LoRA adapters as a model's settings describe them."""

import re
from typing import Any

import peft
import torch

from worthit.datasets.errors import CheckpointError

_LAYER = re.compile(r"\.layers\.(\d+)\.")


def config(base: Any, settings: Any) -> peft.LoraConfig:
    """What peft needs to adapt a network.

    Args:
        settings: with the fields checkpoint, r, alpha, dropout, target_modules and adapted_share.

    Raises:
        CheckpointError: it has no such layers.
    """
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=_targets(base, settings),
    )


def _targets(base: Any, settings: Any) -> list[str]:
    """The linear layers to adapt: those named in the settings, in the upper layers."""
    layers = base.config.num_hidden_layers
    first = layers - round(layers * settings.adapted_share)
    wanted = settings.target_modules
    targets = [
        name
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear)
        and (place := _LAYER.search(name))
        and int(place[1]) >= first
        and (wanted == ("all-linear",) or name.rpartition(".")[2] in wanted)
    ]
    if not targets:
        raise CheckpointError(
            f"{settings.checkpoint} has no linear layers {', '.join(wanted)} in its upper "
            "layers to adapt; use a Llama-family checkpoint"
        )
    return targets

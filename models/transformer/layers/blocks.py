"""The repeated blocks of a network of transformers."""

import re
from typing import Any

import torch

_BLOCK = re.compile(r"(^|\.)layers?\.\d+\.")


def linear_layers(network: Any) -> list[tuple[str, torch.nn.Linear]]:
    """The plain linear layers of the blocks, by name; subclasses compute something else."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if type(module) is torch.nn.Linear and _BLOCK.search(name)
    ]


def replace(network: Any, name: str, layer: torch.nn.Module) -> None:
    """Put another layer in the place of the one with that name."""
    parent, _, attribute = name.rpartition(".")
    network.get_submodule(parent).register_module(attribute, layer)

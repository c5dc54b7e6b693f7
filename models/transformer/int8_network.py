"""A network of transformers whose layers are int8, and the file that holds all of it.

Int8 are the linear layers of what is repeated, of an encoder as of a decoder; embeddings, norms and
heads stay as they are.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import safe_open

from worthit.datasets.errors import CheckpointError
from worthit.models.transformer import int8_linear

#: by name: of a network as of a file
Tensors = dict[str, torch.Tensor]

# Not model.safetensors: transformers would take the weights for a model, without their scales.
FILE = "int8.safetensors"
_LAYER = re.compile(r"(^|\.)layers?\.\d+\.")


def rounded(network: Any, checkpoint: str, variant: str, original: str) -> Tensors:
    """The linear layers' weights in int8, and their scales.

    Args:
        checkpoint, variant, original: what it was trained from, and the two models' names, to say.

    Raises:
        CheckpointError: its linear layers are no plain ones.
    """
    linear = _linear_layers(network)
    if not linear or not all(layer.weight.is_floating_point() for _, layer in linear):
        raise CheckpointError(
            f"{checkpoint} has no plain linear layers, whose weights could be rounded; leave {variant} "
            f"away, or give another one with --checkpoint {original}=ID_OR_PATH"
        )
    tensors: Tensors = {}
    for name, layer in linear:
        tensors[f"{name}.weight"], tensors[f"{name}.scales"] = int8_linear.round_weight(
            layer.weight
        )
    return tensors


def empty(kind: Any, config: Any) -> Any:
    """A network without weights, for `fill`.

    Args:
        kind: an auto class of transformers.
    """
    with init_empty_weights(include_buffers=False):
        return kind.from_config(config, dtype=config.dtype, trust_remote_code=False)


def fill(network: Any, saved: Tensors | Path, prefix: str = "") -> None:
    """Put int8 layers in place of an empty network's linear ones, and weights into the others.

    Args:
        saved: what `rounded` returns and all else of the network's state, by names that begin with
            `prefix`; or the file of it.
    """
    rounding = int8_linear.TokenRounding()
    for name, layer in _linear_layers(network):
        parts = ["weight", "scales", *(["bias"] if layer.bias is not None else [])]
        weight, *small = read(saved, [f"{prefix}{name}.{part}" for part in parts])
        # Copied, or they would keep all of a file's pages that were read.
        own = int8_linear.Int8Linear(rounding, weight, *(tensor.clone() for tensor in small))
        parent, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(parent), attribute, own)
    rest = list(network.state_dict())
    tensors = read(saved, [prefix + name for name in rest])
    network.load_state_dict(dict(zip(rest, tensors, strict=True)), assign=True)


def read(saved: Tensors | Path, names: Sequence[str]) -> list[torch.Tensor]:
    """Some tensors; a file is mapped anew each time, so that none of its pages outlives its use."""
    if not isinstance(saved, Path):
        return [saved[name] for name in names]
    with safe_open(saved, "pt") as opened:
        return [opened.get_tensor(name) for name in names]


def _linear_layers(network: Any) -> list[tuple[str, Any]]:
    """With their names; what is derived from them computes otherwise."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if type(module) is torch.nn.Linear and _LAYER.search(name)
    ]

"""Networks of transformers with int8 linear layers: how they are made, saved and loaded.

Only the linear layers of the repeated blocks are int8, in encoders and decoders. Embeddings, norms
and heads stay as they are.
"""

import copy
import shutil
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from safetensors.torch import save_file

from worthit.datasets.errors import CheckpointError
from worthit.models.contract import S, Size, Variant
from worthit.models.hardware import devices
from worthit.models.transformer.layers import blocks, int8_linear
from worthit.models.weights import checkpoints

#: tensors by name, in a network or in a file
Tensors = dict[str, torch.Tensor]

# Not model.safetensors: transformers would read it as weights, without their scales.
_FILE = "int8.safetensors"


class Int8Variant(Variant[S]):
    """A model whose linear layers are rounded after training, with all its weights in one file."""

    dtype_note = "int8 linear layers"
    _config: Any
    _tokenizer: Any
    _size: Size
    _saved: Tensors | Path  # what `_assemble` was given

    def prepare(self) -> None:
        self.require_support()
        super().prepare()

    def require_support(self) -> None:
        int8_linear.require(self.name)

    def _convert(self, trained: Any) -> None:
        self._size, self._tokenizer = trained.size(), trained._tokenizer
        self._config = copy.deepcopy(trained._model.config)
        self._config.dtype = trained._dtype
        tensors = self._round(trained)
        self._assemble({name: tensor.detach().contiguous() for name, tensor in tensors.items()})

    @abstractmethod
    def _round(self, trained: Any) -> Tensors:
        """All tensors that scoring needs, by name.

        Raises:
            CheckpointError: a linear layer is not a plain one.
        """

    @abstractmethod
    def _assemble(self, saved: Tensors | Path) -> None:
        """Build the network from what `_round` returns, or from a file of it."""

    def base(self) -> None:
        """All weights are saved."""

    def _save(self, folder: Path) -> None:
        if isinstance(self._saved, Path):
            shutil.copy(self._saved, folder)
        else:
            sizes = {"parameters": self._size.parameters}
            if self._size.trained_parameters != self._size.parameters:
                sizes["trained"] = self._size.trained_parameters
            metadata = {name: str(size) for name, size in sizes.items()}
            save_file(self._saved, folder / _FILE, metadata)
        self._config.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        self.require_support()
        devices.use(self.device)
        with safe_open(folder / _FILE, "pt") as file:
            metadata = file.metadata() or {}
        parameters = int(metadata["parameters"])
        self._size = Size(parameters, int(metadata.get("trained", parameters)))
        self._tokenizer = checkpoints.tokenizer(folder)
        self._config = checkpoints.config(folder)
        self._assemble(folder / _FILE)

    def size(self) -> Size:
        return self._size


def round_layers(network: Any, checkpoint: str, variant: str, original: str) -> Tensors:
    """The linear layers' weights in int8, and their scales.

    Args:
        checkpoint, variant, original: the weights and the two models' names, for the message.

    Raises:
        CheckpointError: a linear layer is not a plain one.
    """
    linear = blocks.linear_layers(network)
    if not linear or not all(layer.weight.is_floating_point() for _, layer in linear):
        raise CheckpointError(
            f"{checkpoint} has no plain linear layers to round; omit {variant}, or give another "
            f"checkpoint with --checkpoint {original}=ID_OR_PATH"
        )
    tensors: Tensors = {}
    for name, layer in linear:
        weight, scales = int8_linear.round_weight(layer.weight)
        tensors |= {f"{name}.weight": weight, f"{name}.scales": scales}
    return tensors


def empty(kind: Any, config: Any) -> Any:
    """A network without weights, for `fill`.

    Args:
        kind: an auto class of transformers.
    """
    with init_empty_weights(include_buffers=False):
        return kind.from_config(config, dtype=config.dtype, trust_remote_code=False)


def fill(network: Any, saved: Tensors | Path, prefix: str = "") -> None:
    """Replace an empty network's linear layers by int8 ones, and load all other weights.

    Args:
        saved: the result of `round_layers` and the rest of the network's state, with names that
            begin with `prefix`; or a file of it.
    """
    rounding = int8_linear.TokenRounding()
    for name, layer in blocks.linear_layers(network):
        parts = ["weight", "scales", *(["bias"] if layer.bias is not None else [])]
        weight, *small = read(saved, [f"{prefix}{name}.{part}" for part in parts])
        # Clones, because the originals would keep the file's pages in memory.
        int8 = int8_linear.Int8Linear(rounding, weight, *(tensor.clone() for tensor in small))
        blocks.replace(network, name, int8)
    rest = list(network.state_dict())
    tensors = read(saved, [prefix + name for name in rest])
    network.load_state_dict(dict(zip(rest, tensors, strict=True)), assign=True)


def read(saved: Tensors | Path, names: Sequence[str]) -> list[torch.Tensor]:
    """Some tensors. A file is mapped anew on each call, so that its pages are released after use."""
    if not isinstance(saved, Path):
        return [saved[name] for name in names]
    with safe_open(saved, "pt") as file:
        return [file.get_tensor(name) for name in names]

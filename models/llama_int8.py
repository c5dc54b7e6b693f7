"""The `llama` model with int8 linear layers, on CPUs: trained as it is, adapters folded in, rounded.

Weights and activations of the linear layers have 8 bits (see `int8_linear`); embeddings, norms and
the answers' rows of the output head stay as they are, and so do the question's keys and values,
which are read before anything is rounded. What is saved is all that scoring takes, so that a model
needs no pretrained weights beside it and loads without the memory of theirs.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from accelerate import init_empty_weights
from safetensors import safe_open
from safetensors.torch import save_file

from worthit.datasets.errors import CheckpointError
from worthit.models import checkpoints, devices, int8_linear, packing
from worthit.models.contract import Labels, Progress, Variant
from worthit.models.llama import Llama, LlamaSettings

# Not model.safetensors: transformers would take the weights for a model, without their scales.
_FILE = "int8.safetensors"
_LAYER = re.compile(r"(^|\.)layers\.\d+\.")
_DECODER = "decoder."

Tensors = dict[str, torch.Tensor]


class LlamaInt8(Llama, Variant[LlamaSettings]):
    name = "llama-int8"
    dtype_note = "int8 linear layers"
    libraries = (*Llama.libraries, "accelerate", "safetensors")

    def prepare(self) -> None:
        int8_linear.require(self.name)
        super().prepare()

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        int8_linear.require(self.name)
        trained = Llama(self.settings, device=self.device, seed=self.seed, classes=self.classes)
        with tempfile.TemporaryDirectory() as scratch:
            trained.fit(texts, labels, progress).save(Path(scratch))
            del trained  # one model at a time
            self.convert(Path(scratch))

    def convert(self, folder: Path) -> Self:
        int8_linear.require(self.name)
        trained = Llama.load(folder, self.device)
        self.settings, self.seed, self.classes = trained.settings, trained.seed, trained.classes
        self._parameters = trained._parameters
        self._trained_parameters = trained._trained_parameters
        self._tokenizer, self._config = trained._tokenizer, trained._model.config
        self._assemble(_rounded(trained))
        return self

    def _assemble(self, saved: Tensors | Path) -> None:
        """Build the model of what `_rounded` returns, or of the file it was saved to."""
        self._saved, config = saved, self._config
        with init_empty_weights(include_buffers=False):
            whole = transformers.AutoModelForCausalLM.from_config(
                config, dtype=config.dtype, trust_remote_code=False
            )
        whole.set_attn_implementation(packing.ATTENTION)
        self._model = whole.base_model.eval()
        rounding = int8_linear.TokenRounding()
        for name, empty in _linear_layers(self._model):
            parts = ["weight", "scales", *(["bias"] if empty.bias is not None else [])]
            weight, *small = _read(saved, [f"{_DECODER}{name}.{part}" for part in parts])
            # Copied, or they would keep all of a file's pages that were read.
            layer = int8_linear.Int8Linear(rounding, weight, *(tensor.clone() for tensor in small))
            parent, _, own = name.rpartition(".")
            setattr(self._model.get_submodule(parent), own, layer)
        rest = list(self._model.state_dict())
        tensors = _read(saved, [_DECODER + name for name in rest])
        self._model.load_state_dict(dict(zip(rest, tensors, strict=True)), assign=True)
        devices.fuse_norms(self._model)
        layers = range(config.num_hidden_layers)
        keys = _read(saved, [f"known.{layer}.keys" for layer in layers])
        values = _read(saved, [f"known.{layer}.values" for layer in layers])
        self._question = dict(enumerate(zip(keys, values, strict=True)))
        (self._head,) = _read(saved, ["head"])

    def base(self) -> None:
        """All weights are saved."""

    def _save(self, folder: Path) -> None:
        if isinstance(self._saved, Path):
            shutil.copy(self._saved, folder)
        else:
            sizes = {"parameters": self._parameters, "trained": self._trained_parameters}
            told = {name: str(size) for name, size in sizes.items()}
            save_file(self._saved, folder / _FILE, told)
        self._config.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        int8_linear.require(self.name)
        devices.use(self.device)
        with safe_open(folder / _FILE, "pt") as opened:
            told = opened.metadata() or {}
        self._parameters, self._trained_parameters = int(told["parameters"]), int(told["trained"])
        self._tokenizer = checkpoints.tokenizer(folder)
        self._config = checkpoints.config(folder)
        self._assemble(folder / _FILE)


def _rounded(trained: Llama) -> Tensors:
    """All that scoring takes of a loaded llama, by name.

    Raises:
        CheckpointError: its linear layers are no plain ones.
    """
    decoder, question = trained._decoder(), trained._question
    assert question is not None  # it is loaded
    tensors: Tensors = {_DECODER + name: tensor for name, tensor in decoder.state_dict().items()}
    linear = _linear_layers(decoder)
    if not linear or not all(layer.weight.is_floating_point() for _, layer in linear):
        raise CheckpointError(
            f"{trained.settings.checkpoint} has no plain linear layers, whose weights could be rounded; "
            f"leave {LlamaInt8.name} away, or give another one with --checkpoint llama=ID_OR_PATH"
        )
    for name, layer in linear:
        weight, scales = int8_linear.round_weight(layer.weight)
        tensors |= {f"{_DECODER}{name}.weight": weight, f"{_DECODER}{name}.scales": scales}
    for layer, (keys, values) in question.items():
        tensors |= {f"known.{layer}.keys": keys, f"known.{layer}.values": values}
    tensors["head"] = trained._head
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _linear_layers(decoder: Any) -> list[tuple[str, Any]]:
    """Those of the decoder's layers, with their names; what is derived from them computes otherwise."""
    return [
        (name, module)
        for name, module in decoder.named_modules()
        if type(module) is torch.nn.Linear and _LAYER.search(name)
    ]


def _read(saved: Tensors | Path, names: Sequence[str]) -> list[torch.Tensor]:
    """Some tensors; a file is mapped anew each time, so that none of its pages outlives its use."""
    if not isinstance(saved, Path):
        return [saved[name] for name in names]
    with safe_open(saved, "pt") as opened:
        return [opened.get_tensor(name) for name in names]

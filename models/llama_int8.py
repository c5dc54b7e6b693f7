"""The `llama` model with int8 linear layers, on CPUs: trained as it is, adapters folded in, rounded.

Weights and activations of the linear layers have 8 bits (see `int8_linear`); embeddings, norms and
the answers' rows of the output head stay as they are, and so do the question's keys and values,
which are read before anything is rounded. What is saved is all that scoring takes, so that a model
needs no pretrained weights beside it and loads without the memory of theirs.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from worthit.models.contract import Labels, Progress, Variant
from worthit.models.hardware import devices
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.transformer import int8_linear, packing
from worthit.models.transformer.int8_network import FILE, Tensors, empty, fill, read, rounded
from worthit.models.weights import checkpoints

_DECODER = "decoder."


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
        whole = empty(transformers.AutoModelForCausalLM, config)
        whole.set_attn_implementation(packing.ATTENTION)
        self._model = whole.base_model.eval()
        fill(self._model, saved, _DECODER)
        devices.fuse_norms(self._model)
        layers = range(config.num_hidden_layers)
        keys = read(saved, [f"known.{layer}.keys" for layer in layers])
        values = read(saved, [f"known.{layer}.values" for layer in layers])
        self._question = dict(enumerate(zip(keys, values, strict=True)))
        (self._head,) = read(saved, ["head"])

    def base(self) -> None:
        """All weights are saved."""

    def _save(self, folder: Path) -> None:
        if isinstance(self._saved, Path):
            shutil.copy(self._saved, folder)
        else:
            sizes = {"parameters": self._parameters, "trained": self._trained_parameters}
            told = {name: str(size) for name, size in sizes.items()}
            save_file(self._saved, folder / FILE, told)
        self._config.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        int8_linear.require(self.name)
        devices.use(self.device)
        with safe_open(folder / FILE, "pt") as opened:
            told = opened.metadata() or {}
        self._parameters, self._trained_parameters = int(told["parameters"]), int(told["trained"])
        self._tokenizer = checkpoints.tokenizer(folder)
        self._config = checkpoints.config(folder)
        self._assemble(folder / FILE)


def _rounded(trained: Llama) -> Tensors:
    """All that scoring takes of a loaded llama, by name.

    Raises:
        CheckpointError: its linear layers are no plain ones.
    """
    decoder, question = trained._decoder(), trained._question
    assert question is not None  # it is loaded
    names = trained.settings.checkpoint, LlamaInt8.name, Llama.name
    state = decoder.state_dict() | rounded(decoder, *names)
    tensors: Tensors = {_DECODER + name: tensor for name, tensor in state.items()}
    for layer, (keys, values) in question.items():
        tensors |= {f"known.{layer}.keys": keys, f"known.{layer}.values": values}
    tensors["head"] = trained._head
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}

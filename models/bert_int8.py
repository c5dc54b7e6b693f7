"""The `bert` model with int8 linear layers, on CPUs: trained as it is, then rounded.

Weights and activations of the encoder's linear layers have 8 bits (see `int8_linear`); embeddings,
norms and pooler stay as `bert` scores with them, and the head fp32.
"""

import copy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from safetensors import safe_open
from safetensors.torch import save_file

from worthit.models.bert import KIND, Bert, positions
from worthit.models.contract import Labels, Progress, Size, Variant
from worthit.models.hardware import devices
from worthit.models.transformer import int8_linear, int8_network
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.weights import checkpoints

_HEAD = "classifier."


class BertInt8(Bert, Variant[BertSettings]):
    name = "bert-int8"
    dtype_note = "int8 linear layers"
    libraries = (*Bert.libraries, "accelerate", "safetensors")

    def prepare(self) -> None:
        int8_linear.require(self.name)
        super().prepare()

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        int8_linear.require(self.name)
        trained = Bert(self.settings, device=self.device, seed=self.seed, classes=self.classes)
        self._convert(trained.fit(texts, labels, progress))

    def convert(self, folder: Path) -> Self:
        int8_linear.require(self.name)
        self._convert(Bert.load(folder, self.device))
        return self

    def _convert(self, trained: Bert) -> None:
        self.settings, self.seed, self.classes = trained.settings, trained.seed, trained.classes
        self._tokenizer, self._parameters = trained._tokenizer, trained.size().parameters
        self._config = copy.deepcopy(trained._model.config)
        self._config.dtype = trained._dtype
        self._assemble(_rounded(trained))

    def _assemble(self, saved: int8_network.Tensors | Path) -> None:
        """Build the model of what `_rounded` returns, or of the file it was saved to."""
        self._saved, self._dtype = saved, self._config.dtype
        self._model: Any = int8_network.empty(KIND, self._config).eval()
        self._positions = positions(self._model)
        self._arrange(self._model)
        int8_network.fill(self._model, saved)
        self._made_ready()

    def _save(self, folder: Path) -> None:
        if isinstance(self._saved, Path):
            shutil.copy(self._saved, folder)
        else:
            told = {"parameters": str(self._parameters)}
            save_file(self._saved, folder / int8_network.FILE, told)
        self._config.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        int8_linear.require(self.name)
        devices.use(self.device)
        file = folder / int8_network.FILE
        with safe_open(file, "pt") as opened:
            self._parameters = int((opened.metadata() or {})["parameters"])
        self._tokenizer = checkpoints.tokenizer(folder)
        self._config = checkpoints.config(folder)
        self._assemble(file)

    def size(self) -> Size:
        return Size(self._parameters, self._parameters)


def _rounded(trained: Bert) -> int8_network.Tensors:
    """All that scoring takes of a bert, by name.

    Raises:
        CheckpointError: its linear layers are no plain ones.
    """
    network = trained.unrounded()
    names = trained.settings.checkpoint, BertInt8.name, Bert.name
    layers = int8_network.rounded(network, *names)
    rest = {
        name: tensor if name.startswith(_HEAD) else tensor.to(trained._dtype)
        for name, tensor in network.state_dict().items()
        if name not in layers
    }
    return {name: tensor.detach().contiguous() for name, tensor in (layers | rest).items()}

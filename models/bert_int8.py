"""The `bert` model with int8 linear layers, on CPUs: trained normally, then rounded.

Weights and activations of the encoder's linear layers have 8 bits (see `int8_linear`). Embeddings,
norms and pooler stay in `bert`'s scoring dtype, and the head in fp32.
"""

from pathlib import Path

from worthit.models.bert import Bert
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.classifiers import positions
from worthit.models.transformer.layers.int8_network import (
    Int8Variant,
    Tensors,
    empty,
    fill,
    round_layers,
)

_HEAD = "classifier."


class BertInt8(Int8Variant[BertSettings], Bert):
    name = "bert-int8"
    libraries = (*Bert.libraries, "accelerate", "safetensors")

    @classmethod
    def original(cls) -> type[Bert]:
        return Bert

    def _round(self, trained: Bert) -> Tensors:
        network = trained.full_precision_network()
        layers = round_layers(network, trained.settings.checkpoint, self.name, trained.name)
        rest = {
            name: tensor if name.startswith(_HEAD) else tensor.to(trained._dtype)
            for name, tensor in network.state_dict().items()
            if name not in layers
        }
        return layers | rest

    def _assemble(self, saved: Tensors | Path) -> None:
        self._saved, self._dtype = saved, self._config.dtype
        self._model = empty(self.network_class, self._config).eval()
        self._positions = positions(self._model)
        self._speed_up(self._model)
        fill(self._model, saved)
        self._cast_for_scoring()

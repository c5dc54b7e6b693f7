"""The `llama` model with int8 linear layers, on CPUs: trained normally, adapters merged, rounded.

Weights and activations of the linear layers have 8 bits (see `int8_linear`). Embeddings, norms and
the answers' rows of the output head stay as they are. So do the question's keys and values, which
are computed before rounding. The artifact holds all that scoring needs, so it loads without the
pretrained weights and their memory.
"""

from pathlib import Path

from worthit.models.hardware import devices
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.transformer import packing
from worthit.models.transformer.layers.int8_network import (
    Int8Variant,
    Tensors,
    empty,
    fill,
    read,
    round_layers,
)

_DECODER = "decoder."


class LlamaInt8(Int8Variant[LlamaSettings], Llama):
    name = "llama-int8"
    libraries = (*Llama.libraries, "accelerate", "safetensors")

    @classmethod
    def original(cls) -> type[Llama]:
        return Llama

    def _round(self, trained: Llama) -> Tensors:
        decoder, question = trained._decoder(), trained._question
        assert question is not None  # loading has read it
        layers = round_layers(decoder, trained.settings.checkpoint, self.name, trained.name)
        state = decoder.state_dict() | layers
        tensors: Tensors = {_DECODER + name: tensor for name, tensor in state.items()}
        for layer, (keys, values) in question.items():
            tensors |= {f"known.{layer}.keys": keys, f"known.{layer}.values": values}
        return tensors | {"head": trained._head}

    def _assemble(self, saved: Tensors | Path) -> None:
        self._saved, config = saved, self._config
        whole = empty(self.network_class, config)
        whole.set_attn_implementation(packing.ATTENTION)
        self._model = whole.base_model.eval()
        fill(self._model, saved, _DECODER)
        devices.fuse_norms(self._model)
        layers = range(config.num_hidden_layers)
        keys = read(saved, [f"known.{layer}.keys" for layer in layers])
        values = read(saved, [f"known.{layer}.values" for layer in layers])
        self._question = dict(enumerate(zip(keys, values, strict=True)))
        (self._head,) = read(saved, ["head"])

"""Linear layers whose bf16 weights are stored in the layout that oneDNN multiplies, on CPUs.

torch stores a weight row by row, and its kernel copies it into another layout on each call. Packing
does so once. torch's compiler uses the same operators when it freezes a model.
"""

import functools
from typing import Any

import torch

from worthit.models.transformer.layers import blocks

# oneDNN chooses the layout for this number of tokens; any other number is exact, too.
_USUAL_TOKENS = 1_024
_SIZE = 64  # of the layer that is tried first


class PackedLinear(torch.nn.Module):
    """A `torch.nn.Linear` in bf16 with a packed weight, and without gradient."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(
            linear.weight.detach(), _USUAL_TOKENS
        )
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Map activations, bf16, from shape (…, in) to shape (…, out)."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            activations, self._weight, self._bias, "none", [], ""
        )
        return product


def pack(network: Any) -> None:
    """Pack the plain bf16 linear layers of a network's blocks, where torch and the processor can.

    The network can score afterwards, and its adapters can be saved; its weights cannot.
    """
    for name, layer in blocks.linear_layers(network):
        is_adapter = "lora_" in name
        if layer.weight.dtype == torch.bfloat16 and not is_adapter and _can_pack():
            blocks.replace(network, name, PackedLinear(layer))


@functools.cache
def _can_pack() -> bool:
    """True if this torch and this processor multiply packed bf16 weights correctly."""
    try:
        if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        generator = torch.Generator().manual_seed(0)
        layer = torch.nn.Linear(_SIZE, _SIZE, dtype=torch.bfloat16, device="meta").to_empty(
            device="cpu"
        )
        with torch.inference_mode():
            for parameter in layer.parameters():  # leaves the seed of a training alone
                parameter.normal_(generator=generator)
            tokens = torch.randn(3, _SIZE, generator=generator).bfloat16()
            return torch.allclose(PackedLinear(layer)(tokens), layer(tokens), rtol=0.02, atol=0.1)
    except (AttributeError, RuntimeError):  # built without oneDNN, or with other operators
        return False

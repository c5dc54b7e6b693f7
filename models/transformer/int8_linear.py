"""Linear layers of 8-bit weights and activations (W8A8), multiplied by oneDNN on x86 CPUs.

Symmetric and dynamic, as in ZeroQuant (Yao et al. 2022): weights have a scale for each output
channel and are rounded once, activations a scale for each token, found as they come. So no token,
however large its activations, costs another one precision, as it does with one scale for a tensor
(Dettmers et al. 2022, "LLM.int8()").

The kernel is the one torch's own x86 quantisation ends in. torchao's eager int8 layers, measured on
the same comments, were slower than bf16 ones: they take several passes over what is multiplied.
"""

import weakref

import torch

from worthit.datasets.errors import DeviceError
from worthit.models.hardware import processor

_WEIGHT_STEPS = 127
# Not 127: in bf16 the quotient of the largest activation and its scale may round up, to 128 even.
_ACTIVATION_STEPS = 126
# oneDNN takes a hundred times as long for signed activations.
_ZERO_POINT = 128


class TokenRounding:
    """Rounds activations; what was last rounded is kept for the layers that read the same.

    Queries, keys and values do, and the two halves of a gated MLP. No layer changes its input in
    place, as training could not go back through it then.
    """

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[torch.Tensor], torch.Tensor, torch.Tensor] | None = None

    def __call__(self, activations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of activations of shape (…, width), n tokens in all.

        Returns:
            uint8 of shape (n, width), 128 standing for 0; scales of shape (n, 1).
        """
        last = self._last
        if last is not None and last[0]() is activations:
            return last[1], last[2]
        tokens = activations.reshape(-1, activations.shape[-1])
        smallest = torch.finfo(tokens.dtype).tiny
        scales = (_largest(tokens) / _ACTIVATION_STEPS).clamp_min_(smallest)
        # Five times as fast as converting to uint8; the sum wraps around.
        signed = (tokens / scales).round_().to(torch.int8)
        rounded = signed.view(torch.uint8).add_(_ZERO_POINT)
        self._last = weakref.ref(activations), rounded, scales
        return rounded, scales


def _largest(tokens: torch.Tensor) -> torch.Tensor:
    """The largest absolute number of each token, shape (n, 1); what is no number is the largest."""
    absolute = tokens.abs()
    if tokens.dtype != torch.bfloat16:
        return absolute.amax(1, keepdim=True)
    # Without their signs floats are in the order of their bits, and torch is several times as fast with those.
    return absolute.view(torch.int16).amax(1, keepdim=True).view(torch.bfloat16)


class Int8Linear(torch.nn.Module):
    """What `torch.nn.Linear` computes, with weights and activations rounded; no gradient.

    Args:
        rounding: shared by all layers of a model.
        weight: int8 of shape (out, in), as `round_weight` returns it.
        scales: fp32 of shape (out,).
        bias: of shape (out,), in the dtype of the activations; or None.
    """

    def __init__(
        self,
        rounding: TokenRounding,
        weight: torch.Tensor,
        scales: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self._packed = torch.ops.onednn.qlinear_prepack(weight, None)
        self._scales, self._bias, self._rounding = scales, bias, rounding
        self._zero_points = torch.zeros(len(scales), dtype=torch.int64)

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Activations of shape (…, in), fp32 or bf16, to shape (…, out) in their dtype."""
        rounded, scales = self._rounding(activations)
        product = _product(
            rounded, self._packed, self._scales, self._zero_points, activations.dtype
        )
        # Tokens' scales are unknown to the kernel, and so is a bias, which is none of what they scale.
        if self._bias is None:
            product.mul_(scales)
        else:
            torch.addcmul(self._bias, product, scales, out=product)
        return product.view(*activations.shape[:-1], -1)


def round_weight(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight of shape (out, in) as int8 of that shape, and its scales: fp32, of shape (out,)."""
    exact = weight.detach().float()
    smallest = torch.finfo(exact.dtype).tiny
    scales = (exact.abs().amax(1) / _WEIGHT_STEPS).clamp_min_(smallest)
    return (exact / scales[:, None]).round_().to(torch.int8), scales


def require(model: str) -> None:
    """Raises DeviceError, in the name of that model, unless int8 products are exact here.

    They are multiplied to see it: without VNNI oneDNN's sums of 16 bits overflow.
    """
    if reason := _lacking():
        raise DeviceError(f"{model} cannot run here: {reason}; leave it away")


def _lacking() -> str:
    if not processor.is_x86():
        return "this is no x86 processor"
    absent = f"torch {torch.__version__} has no int8 products of oneDNN"
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not has_onednn or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return absent
    try:
        exact = all(map(_multiplies_exactly, (torch.float32, torch.bfloat16)))
    except RuntimeError:  # or takes other arguments
        return absent
    return "" if exact else "int8 products are not exact on this processor, which has no VNNI"


def _multiplies_exactly(dtype: torch.dtype) -> bool:
    """Whether the products of the largest numbers of 8 bits are what they are in 64 bits."""
    weight = torch.tensor([127, -127, 1], dtype=torch.int8).repeat_interleave(64).view(3, 64)
    rounded = torch.tensor([[255], [1], [127]], dtype=torch.uint8).expand(3, 64).contiguous()
    expected = (rounded.long() - _ZERO_POINT) @ weight.long().T
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    found = _product(rounded, packed, torch.ones(3), torch.zeros(3, dtype=torch.int64), dtype)
    return torch.equal(found, expected.to(dtype))


def _product(
    rounded: torch.Tensor,
    packed: torch.Tensor,
    scales: torch.Tensor,
    zero_points: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Of shape (n, out), scaled by output channel; tokens' scales are the caller's to apply."""
    product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        rounded, 1.0, _ZERO_POINT, packed, scales, zero_points, None, 1.0, 0, dtype, "none", [], ""
    )
    return product

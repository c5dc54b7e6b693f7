"""Linear layers with 8-bit weights and activations (W8A8), multiplied by oneDNN on x86 CPUs.

Quantisation is symmetric and dynamic, as in ZeroQuant (Yao et al. 2022). Weights are rounded once,
with a scale per output channel. Activations are rounded on each call, with a scale per token, so a
token with large activations costs the others no precision, as it does with a scale per tensor
(Dettmers et al. 2022, "LLM.int8()").

torch's own x86 quantisation uses the same kernel. torchao's eager int8 layers were slower than bf16
on the same comments, because they take several passes over their input.
"""

import weakref

import torch

from worthit.datasets.errors import DeviceError
from worthit.models.hardware import processor

_WEIGHT_STEPS = 127
# Not 127: in bf16 the largest activation divided by its scale may round up to 128.
_ACTIVATION_STEPS = 126
# Signed activations take oneDNN a hundred times as long.
_ZERO_POINT = 128


class TokenRounding:
    """Rounds activations, and reuses the last result for layers with the same input.

    Queries, keys and values have the same input, and so do the two halves of a gated MLP. No layer
    changes its input in place, because training could not backpropagate through it.
    """

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[torch.Tensor], torch.Tensor, torch.Tensor] | None = None

    def __call__(self, activations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Round n tokens of shape (…, width).

        Returns:
            uint8 of shape (n, width), where 128 represents 0; scales of shape (n, 1).
        """
        last = self._last
        if last is not None and last[0]() is activations:
            return last[1], last[2]
        tokens = activations.reshape(-1, activations.shape[-1])
        smallest = torch.finfo(tokens.dtype).tiny
        scales = (_max_abs(tokens) / _ACTIVATION_STEPS).clamp_min_(smallest)
        # 5 times as fast as converting to uint8; the sum wraps around.
        signed = (tokens / scales).round_().to(torch.int8)
        rounded = signed.view(torch.uint8).add_(_ZERO_POINT)
        self._last = weakref.ref(activations), rounded, scales
        return rounded, scales


def _max_abs(tokens: torch.Tensor) -> torch.Tensor:
    """The largest absolute value of each token, shape (n, 1); NaN counts as the largest."""
    absolute = tokens.abs()
    if tokens.dtype != torch.bfloat16:
        return absolute.amax(1, keepdim=True)
    # Positive floats sort like their bits, and torch compares integers several times as fast.
    return absolute.view(torch.int16).amax(1, keepdim=True).view(torch.bfloat16)


class Int8Linear(torch.nn.Module):
    """A `torch.nn.Linear` with rounded weights and activations, and without gradient.

    Args:
        rounding: shared by all layers of a model.
        weight: int8, shape (out, in), from `round_weight`.
        scales: fp32, shape (out,).
        bias: shape (out,), in the dtype of the activations; or None.
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
        """Map activations, fp32 or bf16, from shape (…, in) to shape (…, out) in their dtype."""
        rounded, scales = self._rounding(activations)
        product = _product(
            rounded, self._packed, self._scales, self._zero_points, activations.dtype
        )
        # The kernel takes no scales per token, so it cannot add the bias, which they do not scale.
        if self._bias is None:
            product.mul_(scales)
        else:
            torch.addcmul(self._bias, product, scales, out=product)
        return product.view(*activations.shape[:-1], -1)


def round_weight(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a weight of shape (out, in) to int8; the scales are fp32 of shape (out,)."""
    exact = weight.detach().float()
    smallest = torch.finfo(exact.dtype).tiny
    scales = (exact.abs().amax(1) / _WEIGHT_STEPS).clamp_min_(smallest)
    return (exact / scales[:, None]).round_().to(torch.int8), scales


def require(model: str) -> None:
    """Raise DeviceError, naming that model, unless int8 products are exact here.

    This multiplies a few: without VNNI, oneDNN's 16-bit sums overflow.
    """
    if reason := _why_unsupported():
        raise DeviceError(f"{model} cannot run here: {reason}; omit it")


def _why_unsupported() -> str:
    if not processor.is_x86():
        return "this is not an x86 processor"
    absent = f"torch {torch.__version__} has no int8 products of oneDNN"
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not has_onednn or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return absent
    try:
        exact = all(map(_multiplies_exactly, (torch.float32, torch.bfloat16)))
    except RuntimeError:  # the kernel takes other arguments
        return absent
    return "" if exact else "int8 products are not exact on this processor, which has no VNNI"


def _multiplies_exactly(dtype: torch.dtype) -> bool:
    """True if products of the largest 8-bit numbers are the same as in 64 bits."""
    weight = torch.tensor([127, -127, 1], dtype=torch.int8).repeat_interleave(64).view(3, 64)
    rounded = torch.tensor([[255], [1], [127]], dtype=torch.uint8).expand(3, 64).contiguous()
    expected = (rounded.long() - _ZERO_POINT) @ weight.long().T
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    product = _product(rounded, packed, torch.ones(3), torch.zeros(3, dtype=torch.int64), dtype)
    return torch.equal(product, expected.to(dtype))


def _product(
    rounded: torch.Tensor,
    packed: torch.Tensor,
    scales: torch.Tensor,
    zero_points: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Shape (n, out), scaled by output channel; the caller applies the tokens' scales."""
    product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        rounded, 1.0, _ZERO_POINT, packed, scales, zero_points, None, 1.0, 0, dtype, "none", [], ""
    )
    return product

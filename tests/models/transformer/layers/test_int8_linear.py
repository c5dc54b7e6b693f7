"""Int8 layers compute what exact ones do, and round each token independently."""

import os
import subprocess
import sys
import weakref

import pytest
import torch

from tests.int8_products import multiplies
from worthit.models.hardware import processor
from worthit.models.transformer.layers import int8_linear
from worthit.models.transformer.layers.int8_linear import Int8Linear, TokenRounding

DTYPES = [torch.float32, torch.bfloat16]


def layers(dtype: torch.dtype, *, bias: bool) -> tuple[torch.nn.Linear, Int8Linear]:
    torch.manual_seed(0)
    exact = torch.nn.Linear(64, 48, bias=bias, dtype=dtype).requires_grad_(False)
    if bias:
        exact.bias += 100
    int8 = Int8Linear(TokenRounding(), *int8_linear.round_weight(exact.weight), exact.bias)
    return exact, int8


@multiplies
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_layer_multiplies_tokens_of_any_size_as_the_exact_one(
    dtype: torch.dtype, bias: bool
) -> None:
    exact, int8 = layers(dtype, bias=bias)
    sizes = torch.tensor([1e-6, 0.1, 1, 1e3]).view(4, 1)
    given = (torch.randn(3, 4, 64) * sizes).to(dtype)
    found, expected = int8(given), exact(given)
    assert found.shape == (3, 4, 48)
    assert found.dtype == dtype
    # Relative to the largest product of each token, or its bias.
    largest = expected.float().abs().amax(2, keepdim=True)
    assert ((found - expected).float().abs() / largest).max() < 0.03
    assert not torch.equal(found, expected)


@multiplies
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_token_depends_on_the_others(dtype: torch.dtype) -> None:
    _, int8 = layers(dtype, bias=False)
    given = torch.randn(6, 64).to(dtype)
    together = int8(torch.cat([given, torch.full((1, 64), 1e6, dtype=dtype)]))
    assert torch.equal(together[:6], int8(given))


def test_quotients_that_bf16_rounds_up_do_not_overflow() -> None:
    mantissas = (torch.arange(128) / 128 + 1).to(torch.bfloat16)
    for dtype in DTYPES:
        tokens = torch.stack([mantissas, -mantissas], dim=1).to(dtype)
        rounded, scales = TokenRounding()(tokens)
        signed = rounded.int() - 128
        assert (signed[:, 0] >= 125).all()
        assert torch.equal(signed[:, 0], -signed[:, 1])
        assert (signed * scales).float().numpy() == pytest.approx(tokens.float().numpy(), rel=0.02)


@multiplies
@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_stay_zeros_and_nan_and_infinity_are_not_hidden(dtype: torch.dtype) -> None:
    _, int8 = layers(dtype, bias=False)
    given = torch.zeros(5, 64, dtype=dtype)
    given[1:, 4] = 1
    given[1:, 5] = torch.tensor([float("nan"), float("inf"), -float("nan"), -float("inf")])
    found = int8(given)
    assert (found[0] == 0).all()
    assert not found[1:].isfinite().any()


def test_the_same_activations_are_rounded_once_and_then_released() -> None:
    rounding = TokenRounding()
    given = torch.randn(4, 64)
    first = rounding(given)
    assert rounding(given)[0] is first[0]
    other = rounding(given + 1)
    assert not torch.equal(other[0], first[0])
    assert torch.equal(rounding(given)[0], first[0])
    reference = weakref.ref(given)
    del given
    assert reference() is None


@pytest.mark.skipif(not processor.is_x86(), reason="needs oneDNN's kernels of older x86 processors")
def test_sums_that_overflow_without_vnni_are_found() -> None:
    code = "from worthit.models.transformer.layers import int8_linear; int8_linear.require('this')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "this cannot run here: int8 products are not exact on this processor" in done.stderr

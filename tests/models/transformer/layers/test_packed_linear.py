"""Packed bf16 layers compute what plain ones do, and only layers that nobody saves are packed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import peft
import pytest
import torch

from tests.int8_products import TEXTS
from worthit.datasets.classes import TOXIC
from worthit.models.bert import Bert
from worthit.models.llama import Llama
from worthit.models.transformer.layers import packed_linear
from worthit.models.transformer.layers.packed_linear import PackedLinear

packs = pytest.mark.skipif(not packed_linear._can_pack(), reason="torch cannot pack bf16 here")


def count(network: torch.nn.Module, kind: type[torch.nn.Module]) -> int:
    return sum(type(module) is kind for module in network.modules())


@packs
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tokens", [(1,), (70,), (2, 3)])
def test_a_packed_layer_computes_what_the_plain_one_does(
    tokens: tuple[int, ...], bias: bool
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(48, 24, bias, dtype=torch.bfloat16)
    activations = torch.randn(*tokens, 48, dtype=torch.bfloat16)
    with torch.inference_mode():
        torch.testing.assert_close(
            PackedLinear(layer)(activations), layer(activations), rtol=0.02, atol=0.02
        )


@packs
def test_scoring_packs_the_blocks_and_keeps_the_scores(
    tuned: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tuned("bert", TOXIC, "bf16")
    model = Bert.load(folder)
    assert count(model._model, PackedLinear) == 0  # converting it needs plain weights
    size = model.size()
    found = model.predict_proba(TEXTS)
    assert count(model._model, PackedLinear) == 2 * 6
    assert model.size() == size
    monkeypatch.setattr(packed_linear, "_can_pack", lambda: False)
    plain = Bert.load(folder)
    expected = plain.predict_proba(TEXTS)
    assert count(plain._model, PackedLinear) == 0
    assert found == pytest.approx(expected, abs=0.02)
    assert np.ptp(expected) > 0.3


@packs
def test_a_model_is_saved_whole_after_scoring(tuned: Callable[..., Path], tmp_path: Path) -> None:
    model = Bert.load(tuned("bert", TOXIC, "bf16"))
    expected = model.predict_proba(TEXTS)
    model.save(tmp_path)
    assert (Bert.load(tmp_path).predict_proba(TEXTS) == expected).all()


@packs
def test_adapters_are_not_packed() -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.ModuleDict({"up": linear()})])

    def linear() -> torch.nn.Linear:
        return torch.nn.Linear(16, 16, dtype=torch.bfloat16)

    config = peft.LoraConfig(r=2, target_modules=["up"])
    adapted = peft.get_peft_model(Block(), config, autocast_adapter_dtype=False)  # type: ignore[arg-type]
    before = {name for name, _ in adapted.named_parameters() if "lora_" in name}
    packed_linear.pack(adapted)
    assert count(adapted, PackedLinear) == 1
    assert before == {name for name, _ in adapted.named_parameters() if "lora_" in name} != set()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_layers_of_another_dtype_stay(dtype: torch.dtype) -> None:
    network = torch.nn.ModuleDict(
        {"layers": torch.nn.ModuleList([torch.nn.ModuleDict({"up": torch.nn.Linear(4, 4)})])}
    ).to(dtype)
    packed_linear.pack(network)
    assert count(network, PackedLinear) == 0


def test_a_torch_without_these_operators_packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def __getattr__(self, name: str) -> None:
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Without())
    assert not packed_linear._can_pack.__wrapped__()


@packs
def test_a_fitted_llm_scores_as_the_loaded_one(tuned: Callable[..., Path]) -> None:
    first, second = (Llama.load(tuned("llama", TOXIC, "bf16")) for _ in range(2))
    scores = first.predict_proba(TEXTS)
    assert count(first._model, PackedLinear) > 0
    assert (first.predict_proba(TEXTS) == scores).all()
    assert (second.predict_proba(TEXTS) == scores).all()

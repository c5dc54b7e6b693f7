"""Fused adapted layers compute what peft's do, forwards and backwards."""

from typing import Any

import peft
import pytest
import torch

from worthit.models.transformer.layers import lora_linear


def adapted(dropout: float = 0.0, **options: Any) -> Any:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.Linear(8, 5, bias=False))
    config = peft.LoraConfig(
        r=3, lora_alpha=7, lora_dropout=dropout, target_modules=["0", "1"], **options
    )
    made = peft.get_peft_model(network, config)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return made


def computed(network: Any) -> list[torch.Tensor]:
    torch.manual_seed(1)
    inputs = torch.randn(2, 4, 12, requires_grad=True)
    result = network(inputs)
    (result**2).sum().backward()
    gradients = [p.grad for p in network.parameters() if p.requires_grad]
    assert inputs.grad is not None
    assert len(gradients) == 4
    return [result.detach(), inputs.grad, *gradients]


def test_results_and_gradients_are_those_of_peft() -> None:
    expected, fused = adapted(), adapted()
    assert lora_linear.fuse(fused) == 2
    torch.testing.assert_close(computed(fused), computed(expected), rtol=1e-4, atol=1e-4)


def test_merged_adapters_are_not_added_twice() -> None:
    expected, fused = adapted(), adapted()
    lora_linear.fuse(fused)
    for network in (expected, fused):
        network.merge_adapter()
    inputs = torch.randn(3, 12)
    torch.testing.assert_close(fused(inputs), expected(inputs))
    with fused.disable_adapter():
        assert not torch.allclose(fused(inputs), expected(inputs))


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"use_dora": True}])
def test_other_layers_stay_as_they_are(options: dict[str, Any]) -> None:
    assert lora_linear.fuse(adapted(**options)) == 0

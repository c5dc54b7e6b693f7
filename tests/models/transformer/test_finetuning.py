"""The shortcuts of the training loop change no weight."""

from pathlib import Path

import numpy as np
import pytest
import torch

from worthit.models import bert
from worthit.models.bert import Bert
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.finetuning import MasterAdamW, Recipe, learning_rate
from worthit.models.transformer.used_rows import UsedRows

TEXTS = ["you stupid idiot", "thanks for the nice article", "the page", "you"] * 6
LABELS = np.array([1, 0, 0, 1] * 6)


class AllRows(UsedRows):
    """All rows, trained like any other parameter."""

    def __init__(self, embedding: torch.nn.Embedding, tokens: object) -> None:
        super().__init__(embedding, [range(embedding.num_embeddings)])


def test_rows_that_no_comment_uses_are_decayed_and_the_others_trained(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BertSettings(
        checkpoint=str(tiny_bert), epochs=4, weight_decay=0.5, learning_rate=1e-3, precision="fp32"
    )

    def trained() -> dict[str, torch.Tensor]:
        tuned = Bert(settings).fit(TEXTS, LABELS)
        model, used = tuned._model, {token for each in tuned._tokens(TEXTS) for token in each}
        embedding = model.get_input_embeddings()
        assert len(embedding.weight) == embedding.num_embeddings
        assert len(used) < embedding.num_embeddings
        assert embedding.padding_idx == 0
        return dict(model.state_dict())

    found = trained()
    monkeypatch.setattr(bert, "UsedRows", AllRows)
    expected = trained()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [0.01, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(dtype: torch.dtype, size: float) -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(5, 3, dtype=dtype)) for _ in range(2)]
    theirs = [torch.nn.Parameter(parameter.detach().float()) for parameter in ours]
    recipe = Recipe(1e-2, 8, 1, 0.0, 0.1)
    optimizer = MasterAdamW(ours, recipe)
    plain = torch.optim.AdamW(theirs, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    for step in range(5):
        for parameter, other in zip(ours, theirs, strict=True):
            parameter.grad = (torch.randn(5, 3) * size * (step + 1)).to(dtype)
            other.grad = parameter.grad.float()
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        plain.step()
        optimizer.step(recipe.learning_rate)
        torch.testing.assert_close(
            [master.detach() for master in optimizer.masters],
            [other.detach() for other in theirs],
            rtol=1e-2 if dtype == torch.bfloat16 else 1e-5,
            atol=1e-4 if dtype == torch.bfloat16 else 1e-6,
        )


def test_the_learning_rate_warms_up_and_decays() -> None:
    recipe = Recipe(1.0, 8, 1, 0.1, 0.0)
    rates = [learning_rate(step, 100, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.02


def test_small_updates_of_bf16_parameters_are_not_lost() -> None:
    parameter = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimizer = MasterAdamW([parameter], Recipe(1e-4, 1, 1, 0, 0.0))
    for _ in range(100):
        parameter.grad = torch.ones_like(parameter)
        optimizer.step(1e-4)
    assert parameter.item() == pytest.approx(0.99, abs=0.004)  # bf16 alone would still be 1

"""An encoder without padding is the encoder with it, scoring and training."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tests.int8_products import LABELS, TEXTS
from worthit.models.bert import Bert
from worthit.models.contract import TOXIC
from worthit.models.embeddings import Embeddings
from worthit.models.hardware import devices
from worthit.models.transformer.bert_settings import BertSettings

KINDS: list[type[Bert]] = [Bert, Embeddings]


def fitted(kind: type[Bert], weights: Path) -> Bert:
    model = kind().set_params(checkpoint=str(weights), max_length=12, precision="fp32")
    if kind is Bert:
        model.set_params(epochs=40, learning_rate=3e-3)
    return model.fit(TEXTS, LABELS[TOXIC])


def pad(model: Bert) -> None:
    """Have it compute as other architectures do."""
    model._model.set_attn_implementation(devices.attention("cpu", model.settings.max_length))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("together", [1, 5, 24])
def test_scores_are_those_of_padded_batches(
    tiny_bert: Path, kind: type[Bert], together: int
) -> None:
    model = fitted(kind, tiny_bert)
    assert model._packs
    packed = model.predict_proba(TEXTS, together)
    pad(model)
    assert not model._packs
    assert packed == pytest.approx(model.predict_proba(TEXTS, together), abs=1e-5)
    assert np.ptp(packed[:, 1]) > 0.1  # of scores all alike, that would say nothing


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_of_training_has_the_loss_and_gradients_of_a_padded_one(
    tiny_bert: Path, dtype: torch.dtype
) -> None:
    model = fitted(Bert, tiny_bert)
    model._dtype = dtype
    network = model._model.train()
    tokens, labels = model._tokens(TEXTS[:4]), torch.from_numpy(LABELS[TOXIC][:4])

    def step() -> tuple[torch.Tensor, list[torch.Tensor]]:
        network.zero_grad()
        loss = torch.nn.functional.cross_entropy(model._logits(tokens), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), [parameter.grad.clone() for parameter in network.parameters()]

    packed = step()
    pad(model)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(packed, step(), rtol=tolerance, atol=tolerance)


def test_dropout_thins_what_is_packed_in_training_alone(tiny_bert: Path) -> None:
    settings = BertSettings(checkpoint=str(tiny_bert), dropout=None, precision="fp32")
    model = Bert(settings).fit(TEXTS, LABELS[TOXIC])
    tokens = model._tokens(TEXTS)
    assert torch.equal(model._logits(tokens), model._logits(tokens))
    for module in model._model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    attention = model._model.bert.encoder.layer[0].attention.self
    attention.dropout.p = 0.5
    model._model.train()
    assert not torch.equal(model._logits(tokens), model._logits(tokens))


def test_other_architectures_are_padded(tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.save_pretrained(tmp_path)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=64
    )
    transformers.DistilBertModel(config).save_pretrained(tmp_path)
    for kind in KINDS:
        assert not fitted(kind, tmp_path)._packs

"""An encoder without padding is the encoder with it, scoring and training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tests.int8_products import LABELS, TEXTS
from worthit.datasets.classes import TOXIC
from worthit.models.bert import Bert
from worthit.models.embeddings import Embeddings
from worthit.models.hardware import devices
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.classifiers import Encoder

KINDS: list[type[Encoder[Any]]] = [Bert, Embeddings]


def fitted(kind: type[Encoder[Any]], weights: Path) -> Any:
    model = kind().set_params(checkpoint=str(weights), max_length=12, precision="fp32")
    return model.fit(TEXTS, LABELS[TOXIC])


@pytest.fixture
def bert(tuned: Callable[..., Path]) -> Bert:
    return Bert.load(tuned("bert"))


def set_dropout(network: torch.nn.Module, probability: float) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


def pad(model: Encoder[Any]) -> None:
    """Compute with padding, as for other architectures."""
    model._model.set_attn_implementation(devices.attention("cpu", model.settings.max_length))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_padded_batches(
    tiny_bert: Path, bert: Bert, kind: type[Encoder[Any]]
) -> None:
    model = bert if kind is Bert else fitted(kind, tiny_bert)
    assert model._packs
    packed = [model.predict_proba(TEXTS, batch_size) for batch_size in (1, 5, 24)]
    pad(model)
    assert not model._packs
    padded = [model.predict_proba(TEXTS, batch_size) for batch_size in (1, 5, 24)]
    assert np.stack(packed) == pytest.approx(np.stack(padded), abs=1e-5)
    assert np.ptp(packed[0][:, 1]) > 0.1  # equal scores would prove nothing


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_of_training_has_the_loss_and_gradients_of_a_padded_one(
    bert: Bert, dtype: torch.dtype
) -> None:
    model = bert
    model._dtype = dtype
    network = model._model.train()
    set_dropout(network, 0.0)
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


def test_dropout_applies_to_packed_rows_only_in_training(tiny_bert: Path) -> None:
    settings = BertSettings(checkpoint=str(tiny_bert), dropout=None, precision="fp32")
    model = Bert(settings).fit(TEXTS, LABELS[TOXIC])
    tokens = model._tokens(TEXTS)
    assert torch.equal(model._logits(tokens), model._logits(tokens))
    set_dropout(model._model, 0.0)
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

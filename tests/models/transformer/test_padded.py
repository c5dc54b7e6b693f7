"""Padded batches of few shapes compute what packed rows do, and never need the host."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worthit.models.bert import Bert
from worthit.models.contract import Classifier
from worthit.models.embeddings import Embeddings, EmbeddingsSettings
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.transformer import padded
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.padded_scoring import PaddedScorer

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
    "you",
    "is this a good source . thanks",
    "old music : the river page the river page the river page the river page the river",
] * 5
LABELS = np.array([1, 0, 0, 1, 0, 0] * 5)


class PaddedLlama(Llama):
    pads = True


class PaddedBert(Bert):
    pads = True


class PaddedEmbeddings(Embeddings):
    pads = True


KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "llama": (Llama, PaddedLlama),
    "bert": (Bert, PaddedBert),
}


def settings_of(kind: str, folder: Path, **changed: Any) -> Any:
    settings = {"checkpoint": str(folder), "precision": "fp32", "epochs": 2, "learning_rate": 1e-2}
    made = LlamaSettings if kind == "llama" else BertSettings
    return made(**settings | changed)  # type: ignore[arg-type]


@pytest.fixture(params=["llama", "bert"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def weights(kind: str, tiny_llama: Path, tiny_bert: Path) -> Path:
    return tiny_llama if kind == "llama" else tiny_bert


def trained(model: Classifier[Any]) -> tuple[np.ndarray, list[float]]:
    losses: list[torch.Tensor] = []
    model.on_loss = losses.append  # type: ignore[attr-defined]
    model.fit(TEXTS, LABELS)
    return model.predict_proba(TEXTS), [float(loss) for loss in losses]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_losses_and_scores_are_those_of_packed_rows(
    kind: str, weights: Path, precision: str
) -> None:
    packed_class, padded_class = KINDS[kind]
    settings = settings_of(kind, weights, precision=precision, adapted_share=1.0) if (
        kind == "llama"
    ) else settings_of(kind, weights, precision=precision)
    expected_scores, expected_losses = trained(packed_class(settings))
    scores, losses = trained(padded_class(settings))
    off = 1e-4 if precision == "fp32" else 0.1
    assert losses == pytest.approx(expected_losses, abs=off)
    assert scores == pytest.approx(expected_scores, abs=off)
    assert losses[-1] < losses[0] - 0.1
    assert np.ptp(scores[:, 1]) > 0.1  # equal scores would prove nothing

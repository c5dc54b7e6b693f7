"""Padded batches of few shapes compute what packed rows do, and never need the host."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny_networks import make_causal_lm, make_encoder
from worthit.models.bert import Bert
from worthit.models.contract import Classifier
from worthit.models.embeddings import Embeddings, EmbeddingsSettings
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings
from worthit.models.transformer import padded
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.finetuning import Recipe, plan

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


class PaddedZeroShot(LlamaZeroShot):
    pads = True


class PaddedEmbeddings(Embeddings):
    pads = True


LARGE = {"initializer_range": 0.2}
KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "llama": (Llama, PaddedLlama),
    "bert": (Bert, PaddedBert),
}


def settings_of(kind: str, folder: Path, **changed: Any) -> Any:
    settings = {"checkpoint": str(folder), "precision": "fp32", "epochs": 4, "learning_rate": 2e-3}
    made = LlamaSettings if kind == "llama" else BertSettings
    return made(**settings | changed)  # type: ignore[arg-type]


@pytest.fixture(params=["llama", "bert"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def weights(kind: str, telling_llama: Path, telling_bert: Path) -> Path:
    return telling_llama if kind == "llama" else telling_bert


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
    settings = settings_of(kind, weights, precision=precision)
    expected_scores, expected_losses = trained(packed_class(settings))
    scores, losses = trained(padded_class(settings))
    off = 1e-4 if precision == "fp32" else 0.1
    assert losses == pytest.approx(expected_losses, abs=off)
    assert scores == pytest.approx(expected_scores, abs=off)
    assert losses[-1] < losses[0] - 0.1
    assert np.ptp(scores[:, 1]) > 0.1  # equal scores would prove nothing


def test_gradients_are_those_of_packed_rows(kind: str, weights: Path) -> None:
    found = []
    for each in KINDS[kind]:
        model = each(settings_of(kind, weights, epochs=1))
        model.fit(TEXTS, LABELS)
        for parameter in model._model.parameters():
            parameter.requires_grad_(True)
            parameter.grad = None
        model._question = None  # the packed row begins with it, as in training
        tokens = model._tokens(TEXTS[:6])
        shape = padded.Shape(padded.width(max(map(len, tokens))), 8)
        batch = padded.DeviceBatches([(shape, tokens)], 0, "cpu")[0]
        logits = (
            model._padded_logits(batch["ids"], batch["lengths"])[:6]
            if each.pads
            else model._logits(tokens)
        )
        torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS[:6])).backward()
        found.append(
            {
                name: parameter.grad.clone()
                for name, parameter in model._model.named_parameters()
                if parameter.grad is not None
            }
        )
    assert any(bool(gradient.abs().max() > 1e-3) for gradient in found[0].values())
    torch.testing.assert_close(found[1], found[0], rtol=1e-2, atol=1e-4)


def test_a_saved_model_scores_padded_as_packed(kind: str, tuned: Callable[..., Path]) -> None:
    packed_class, padded_class = KINDS[kind]
    folder = tuned(kind)
    expected = packed_class.load(folder).predict_proba(TEXTS)
    model = padded_class.load(folder)
    for batch_size in (None, 1, 5):
        assert model.predict_proba(TEXTS, batch_size) == pytest.approx(expected, abs=0.01)


def test_embeddings_are_those_of_packed_rows(tiny_bert: Path, tmp_path: Path) -> None:
    settings = EmbeddingsSettings(checkpoint=str(tiny_bert), precision="fp32")
    expected = Embeddings(settings).fit(TEXTS, LABELS)
    model = PaddedEmbeddings(settings).fit(TEXTS, LABELS)
    assert model.predict_proba(TEXTS) == pytest.approx(expected.predict_proba(TEXTS), abs=1e-4)
    model.save(tmp_path)
    loaded = PaddedEmbeddings.load(tmp_path).predict_proba(TEXTS)
    assert loaded == pytest.approx(expected.predict_proba(TEXTS), abs=1e-4)


@pytest.mark.parametrize(
    ("architecture", "config"),
    [
        ("gemma2", {"final_logit_softcapping": 2.0, "attn_logit_softcapping": 5.0}),
        ("gemma2", {"sliding_window": 16}),
        ("mistral", {"sliding_window": 16}),
        ("qwen3", {}),
    ],
)
def test_windows_and_soft_caps_are_respected(
    architecture: str, config: dict[str, Any], tiny_llama: Path, tmp_path: Path
) -> None:
    folder = make_causal_lm(tiny_llama, tmp_path, architecture, **config)
    settings = ZeroShotSettings(checkpoint=str(folder), precision="fp32")
    expected = LlamaZeroShot(settings).fit(TEXTS, LABELS).predict_proba(TEXTS)
    # Fitting compares with the model's own attention and raises if logits differ.
    scores = PaddedZeroShot(settings).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert scores == pytest.approx(expected, abs=1e-4)
    assert np.ptp(scores[:, 1]) > 1e-3


@pytest.mark.parametrize("architecture", ["distilbert", "roberta"])
def test_other_encoders_are_padded_with_their_own_token(
    architecture: str, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = make_encoder(tiny_bert, tmp_path, architecture, **LARGE)
    settings = settings_of("bert", folder)
    expected = trained(Bert(settings))
    scores, losses = trained(PaddedBert(settings))
    assert losses == pytest.approx(expected[1], abs=1e-3)
    assert scores == pytest.approx(expected[0], abs=1e-3)
    assert np.ptp(scores[:, 1]) > 0.1


def realistic_lengths(count: int, longest: int) -> np.ndarray:
    """Like those of Wikipedia comments: a median of 50 tokens, a long tail that is cut."""
    lengths = np.random.default_rng(0).lognormal(3.9, 0.9, count).round().astype(np.int64)
    return np.clip(lengths, 3, longest)


def test_an_epoch_has_few_shapes_and_little_padding() -> None:
    lengths = realistic_lengths(5_000, 147)
    steps = plan(lengths, Recipe(1e-3, 8, 1, 0.1, 0.0), seed=0)
    widths = padded.widths_for_training(steps, lengths)
    assert len(set(widths)) <= 5
    assert all(wide >= lengths[rows].max() for wide, rows in zip(widths, steps, strict=True))
    assert sum(widths) * 8 < 1.6 * lengths.sum()
    few = padded.widths_for_training(steps[:9], lengths)
    assert len(set(few)) <= 2  # recording more would take longer than training


@pytest.mark.parametrize("most_rows", [1, 100, 5_000])
def test_scoring_has_few_shapes(most_rows: int) -> None:
    lengths = realistic_lengths(5_000, 147)
    batches = list(padded.shapes_for_scoring(lengths, most_rows, 32_768))
    assert len({shape for shape, _ in batches}) <= 6
    assert sorted(np.concatenate([rows for _, rows in batches])) == list(range(5_000))
    for shape, rows in batches:
        assert len(rows) <= min(most_rows, shape.rows)
        assert shape.width >= lengths[rows].max()
        assert shape.width * shape.rows <= 32_768


def test_widths_cover_all_lengths_and_are_few() -> None:
    assert padded.widths(160) == [32, 64, 96, 128, 160]
    assert len(padded.widths(8_192)) <= 30
    for tokens in (1, 31, 32, 33, 129, 257, 5_000):
        assert tokens <= padded.width(tokens) <= max(32, 1.26 * tokens + 31)
        assert padded.width(padded.width(tokens)) == padded.width(tokens)


def test_a_sequence_beyond_the_budget_is_a_batch_of_its_own() -> None:
    shapes = [shape for shape, _ in padded.shapes_for_scoring(np.array([500, 40]), 9, 64)]
    assert shapes == [padded.Shape(512, 1), padded.Shape(64, 1)]


def test_batches_have_their_tokens_on_the_left_and_one_token_in_missing_rows() -> None:
    batches = padded.DeviceBatches(
        [(padded.Shape(4, 2), [[1, 2, 3]]), (padded.Shape(2, 1), [[4, 5]])], 9, "cpu"
    )
    assert batches[0]["ids"].tolist() == [[1, 2, 3, 9], [9, 9, 9, 9]]
    assert batches[0]["lengths"].tolist() == [3, 1]
    assert batches[1]["ids"].tolist() == [[4, 5]]


def test_padding_and_missing_rows_change_nothing(kind: str, weights: Path) -> None:
    found = []
    for fill_token in (0, 5):
        model = KINDS[kind][1](settings_of(kind, weights))
        original = model._finetune
        model._finetune = lambda *given, fill=fill_token, call=original: call(*given[:4], fill)
        found.append(trained(model))
    assert found[0][1] == found[1][1]
    assert np.array_equal(found[0][0], found[1][0])

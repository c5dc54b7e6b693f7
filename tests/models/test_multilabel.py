"""Several labels of a comment at once: one output for each, independent of the others."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

from worthit.datasets.errors import DataError, ModelError
from worthit.models import registry, user_model
from worthit.models.bert import Bert
from worthit.models.features import estimators
from worthit.models.llama import Llama
from worthit.models.llama_few_shot import LlamaFewShot
from worthit.models.llama_head import LlamaHead
from worthit.models.llama_zero_shot import LlamaZeroShot
from worthit.models.lsa import LSA
from worthit.models.transformer import batches, finetuning, padded_training
from worthit.models.transformer.data_parallel import Part
from worthit.models.transformer.finetuning import Recipe
from worthit.models.transformer.prompting import prompts

NAMES = ("toxic", "personal_insult")
TEXTS = [
    f"{first} {second} {third}"
    for first in ("the page", "old music", "this river")
    for second in ("is stupid", "is nice")
    for third in ("you clown", "thanks", "you liar", "helpful")
]
LABELS = np.array([["stupid" in text, "you" in text] for text in TEXTS], np.int16)
#: of so few comments
SETTINGS: dict[str, dict[str, Any]] = {
    "word-list": {"false_discovery_rate": 1.0},
    "word2vec": {"C": 1e3},
    "fasttext": {"C": 1e6},
}
CLASSICAL = ("majority", "word-list", "lsa", "word2vec", "fasttext", "tfidf")


def fitted(kind: type[Any], names: tuple[str, ...] = NAMES, **settings: Any) -> Any:
    model = kind(classes=names, multilabel=True).set_params(**settings)
    return model.fit(TEXTS, LABELS)


def reloaded(model: Any, folder: Path) -> Any:
    model.save(folder)
    return registry.load(folder)


def areas(scores: np.ndarray) -> list[float]:
    return [float(roc_auc_score(LABELS[:, one], scores[:, one])) for one in (0, 1)]


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_models_learn_each_label(name: str, tmp_path: Path) -> None:
    model = fitted(registry.model_class(name), **SETTINGS.get(name, {}))
    scores = model.predict_proba(TEXTS)
    assert scores.shape == LABELS.shape
    if name == "majority":
        assert scores.tolist() == [LABELS.mean(axis=0).tolist()] * len(TEXTS)
    else:
        assert min(areas(scores)) > 0.9
        assert np.ptp(scores.sum(axis=1)) > 0.5  # independent: rows do not add to 1
    loaded = reloaded(model, tmp_path)
    assert loaded.multilabel
    assert loaded.predict_proba(TEXTS) == pytest.approx(scores, abs=1e-6)
    assert loaded.size() == model.size()


def test_the_registry_says_which_models_learn_several_labels() -> None:
    for name, entry in registry.MODELS.items():
        assert registry.model_class(name).takes_multilabel == entry.multilabel, name
    assert not registry.entry("endpoint:some").multilabel
    assert not registry.model_class("endpoint:some").takes_multilabel


def test_the_head_is_one_against_the_rest_as_scikit_learns() -> None:
    features = np.random.default_rng(0).normal(size=(24, 5))
    head = estimators.fit_head(features, LABELS, C=2.0)
    expected = OneVsRestClassifier(LogisticRegression(C=2.0)).fit(features, LABELS)
    assert estimators.score(head, features, independent=True) == pytest.approx(
        expected.predict_proba(features)
    )


def test_weights_count_comments_with_and_without_each_label_the_same() -> None:
    model = LSA(classes=NAMES, multilabel=True)
    model.weighs_classes = True
    weights = model._comment_weights(LABELS)
    assert weights is not None
    for one in (0, 1):
        expected = compute_sample_weight("balanced", LABELS[:, one])
        assert weights[:, one] == pytest.approx(expected)


LACKING = "lsa needs comments with and without each of the 2 labels to train on; there are none"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:, 0], "lsa was given labels of the shape (24,); 2 labels take 0 or 1 for each comment"),
        (LABELS * 0, f"{LACKING} with toxic, personal_insult"),
        (LABELS * 0 + 1, f"{LACKING} without toxic, personal_insult"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learned_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        LSA(classes=NAMES, multilabel=True).fit(TEXTS, labels)


def test_a_model_of_one_label_says_so() -> None:
    class Own(user_model.Wrapped):
        name = "own:pipeline"
        declared = make = staticmethod(
            lambda: make_pipeline(TfidfVectorizer(), LogisticRegression())
        )

    with pytest.raises(ModelError, match="own:pipeline learns one label of a comment, not several"):
        fitted(Own)


def test_a_users_model_may_declare_that_it_learns_several() -> None:
    def several() -> Any:
        return make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=10.0)))

    several.takes_multilabel = True  # type: ignore[attr-defined]

    class Own(user_model.Wrapped):
        name = "own:several"
        make = staticmethod(several)
        declared = several

    assert areas(fitted(Own).predict_proba(TEXTS)) == [1.0, 1.0]


RECIPE = Recipe(learning_rate=0.1, batch_size=4, epochs=1, warmup_share=0.0, weight_decay=0.0)


def test_a_step_has_the_mean_cross_entropy_of_all_labels() -> None:
    logits = torch.nn.Parameter(torch.tensor([2.0, 0.0]))
    labels, seen = np.array([[1, 0], [0, 0]], np.int16), list[torch.Tensor]()
    finetuning.finetune(
        lambda tokens: logits.expand(len(tokens), 2), [logits], [[1]] * 2, labels, RECIPE, 0,
        lambda done, total: None, seen.append,
    )  # fmt: skip
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(2)) + 2 * np.log(2)) / 4
    assert float(seen[0]) == pytest.approx(expected)
    targets, weights = padded_training._targets([Part(np.array([0, 1]), 2)], labels, None, 3)
    assert targets.tolist() == [[[1, 0], [0, 0], [0, 0]]]
    assert weights.tolist() == [[[0.25, 0.25], [0.25, 0.25], [0, 0]]]


class PaddedBert(Bert):
    pads = True


@pytest.mark.parametrize("kind", [Bert, PaddedBert])
def test_bert_has_one_sigmoid_per_label(kind: type[Bert], tiny_bert: Path, tmp_path: Path) -> None:
    settings = {"learning_rate": 1e-3, "epochs": 50, "batch_size": 6, "precision": "fp32"}
    model = fitted(kind, checkpoint=str(tiny_bert), **settings)
    scores = model.predict_proba(TEXTS)
    assert min(areas(scores)) > 0.9
    with torch.inference_mode():
        logits = model._logits(model._tokens(TEXTS[:2])) if kind is Bert else None
    if logits is not None:
        assert scores[:2] == pytest.approx(torch.sigmoid(logits).numpy(), abs=1e-5)
    assert reloaded(model, tmp_path).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-5)


def test_the_converted_bert_scores_as_bert(tiny_bert: Path, tmp_path: Path) -> None:
    settings = {"learning_rate": 5e-3, "epochs": 2, "precision": "fp32"}
    bert = fitted(Bert, checkpoint=str(tiny_bert), **settings)
    (folder := tmp_path / "bert").mkdir()
    bert.save(folder)
    for name in ("bert-onnx-int8", "bert-openvino"):
        converted = registry.model_class(name)().set_params(precision="fp32").convert(folder)
        scores = converted.predict_proba(TEXTS)
        assert scores == pytest.approx(bert.predict_proba(TEXTS), abs=0.05), name
        (saved := tmp_path / name).mkdir()
        assert reloaded(converted, saved).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-6)


@pytest.fixture
def llm(telling_llama: Path) -> Path:
    """Questions change the scores."""
    return telling_llama


class PaddedLlama(Llama):
    pads = True


@pytest.mark.parametrize("kind", [Llama, PaddedLlama])
def test_llama_answers_a_question_about_each_label(
    kind: type[Llama], llm: Path, tmp_path: Path
) -> None:
    model = fitted(kind, checkpoint=str(llm), epochs=6, precision="fp32", learning_rate=5e-3)
    scores = model.predict_proba(TEXTS)
    assert scores.shape == LABELS.shape
    assert min(areas(scores)) > 0.9
    asked = [model._tokenizer.decode(tokens) for tokens in model._tokens(["the page"])]
    assert [text.partition("the page")[2] for text in asked] == [*prompts.label_cues(NAMES)]
    if kind is Llama:
        alone = np.vstack([model.predict_proba([text]) for text in TEXTS[:3]])
        assert alone == pytest.approx(scores[:3], abs=1e-4)
        assert reloaded(model, tmp_path).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-4)


def test_a_question_has_the_name_as_words() -> None:
    assert prompts.label_cues(("severe_toxic",)) == (
        '\n\nDoes "severe toxic" describe the comment above? Answer True or False.\nAnswer:',
    )


@pytest.mark.parametrize("adapted_share", [0.0, 1.0])
def test_llama_head_has_one_output_per_label(
    llm: Path, tmp_path: Path, adapted_share: float
) -> None:
    settings = {"adapted_share": adapted_share, "epochs": 1, "precision": "fp32"}
    model = fitted(LlamaHead, checkpoint=str(llm), **settings)
    scores = model.predict_proba(TEXTS)
    assert areas(scores) == [1.0, 1.0]
    assert reloaded(model, tmp_path).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-4)


def test_zero_shot_chooses_and_asks_for_each_label(llm: Path, tmp_path: Path) -> None:
    model = LlamaZeroShot(classes=NAMES, multilabel=True)
    model.set_params(checkpoint=str(llm), precision="fp32")
    tried = model.choose(TEXTS, LABELS)
    chosen = model.get_params()["prompt"]
    assert len(chosen) == 2
    assert tried == sum(len(model._templates(question)) for question in (0, 1))
    scores = model.fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert scores.shape == LABELS.shape
    for question, name in enumerate(chosen):
        prompt = model._prompt_of(model._templates(question)[name], question)
        alone = LlamaZeroShot(classes=("not x", "x")).set_params(
            checkpoint=str(llm), precision="fp32"
        )
        alone._get_ready()
        free = alone._answers(prompt, ("N/A", "", "[MASK]"))
        shares = np.exp(free).mean(axis=0)
        odds = np.exp(alone._answers(prompt, TEXTS)) / shares
        assert scores[:, question] == pytest.approx(odds[:, 1] / odds.sum(axis=1), abs=1e-4)
    assert reloaded(model, tmp_path).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-5)


def test_zero_shot_takes_its_usual_prompts_without_comments_to_choose_on(llm: Path) -> None:
    model = LlamaZeroShot(classes=NAMES, multilabel=True).set_params(checkpoint=str(llm))
    assert model.choose([], np.empty((0, 2), np.int16)) == 0
    model.fit(TEXTS, LABELS)
    assert model.get_params()["prompt"] == ("question-last:true/false",) * 2


def test_few_shot_shows_examples_of_each_label(llm: Path, tmp_path: Path) -> None:
    model = LlamaFewShot(classes=NAMES, multilabel=True)
    model.set_params(checkpoint=str(llm), precision="fp32", example_length=20, shots=2)
    assert model.choose(TEXTS, LABELS) > 0
    scores = model.fit(TEXTS, LABELS).predict_proba(TEXTS)
    for label, shown in enumerate(model._examples):
        assert sorted(answer for _, answer in shown) == [0, 1]
        assert all(LABELS[TEXTS.index(text), label] == answer for text, answer in shown)
    assert reloaded(model, tmp_path).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-5)


def test_independent_probabilities_are_logistic_functions() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    assert batches.probabilities(logits, independent=True).tolist() == [
        pytest.approx([0.5, 1 / (1 + np.exp(-2))])
    ]

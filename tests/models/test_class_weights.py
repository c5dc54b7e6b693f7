"""With class weights each class counts the same in training, however few comments it has."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_sample_weight

from worthit.models import registry, user_model
from worthit.models.contract import Classifier
from worthit.models.lsa import LSA
from worthit.models.transformer import padded_training
from worthit.models.transformer.data_parallel import Split
from worthit.models.transformer.finetuning import Recipe, finetune
from worthit.models.user_model import weighting

_COMMON = "the you a is this comment page of old new".split()


def comments(count: int = 400) -> tuple[list[str], np.ndarray]:
    """One of twenty comments is rude; two of three rude ones have a rude word, one of ten others."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 20 == 0).astype(np.int16)
    texts = [
        " ".join(
            [*rng.choice(_COMMON, 6), "idiot" if rng.random() < (0.7 if label else 0.1) else ""]
        )
        for label in labels
    ]
    return texts, labels


def fitted(model: Classifier[Any], *, weighted: bool) -> Classifier[Any]:
    model.weighs_classes = weighted
    return model.fit(*comments())


@pytest.mark.parametrize("name", ["tfidf", "lsa", "word-list", "word2vec"])
def test_weights_find_more_of_a_rare_class(name: str) -> None:
    make = registry.model_class(name)
    texts, labels = comments()
    recalls, means = [], []
    for weighted in (False, True):
        scores = fitted(make(), weighted=weighted).predict_proba(texts)[:, 1]
        recalls.append((scores[labels == 1] >= 0.5).mean())
        means.append(scores.mean())
    assert recalls[1] > max(recalls[0], 0.6)
    assert means[0] == pytest.approx(0.05, abs=0.02)  # the share of the class
    assert means[1] > 0.09


def test_majority_takes_no_weights() -> None:
    model = fitted(registry.model_class("majority")(), weighted=True)
    assert not model.is_weighted
    assert model.predict_proba(["x"]).tolist() == [[0.95, 0.05]]


def test_weights_are_those_of_scikit_learn_and_only_if_wanted() -> None:
    labels = np.array([0, 0, 0, 2, 1, 1], np.int16)
    model = LSA(classes=("a", "b", "c"))
    assert model._comment_weights(labels) is None
    model.weighs_classes = True
    assert model._comment_weights(labels) == pytest.approx(
        compute_sample_weight("balanced", labels)
    )


def test_all_registered_models_that_train_take_weights() -> None:
    kinds = {name: registry.model_class(name) for name in registry.MODELS}
    without = {name for name, kind in kinds.items() if kind.trains and kind.takes_weights is False}
    assert without == {"majority"}
    assert not any(kind.takes_weights for kind in kinds.values() if not kind.trains)


RECIPE = Recipe(learning_rate=0.1, batch_size=4, epochs=1, warmup_share=0.0, weight_decay=0.0)
LABELS = np.array([0, 0, 0, 1], np.int16)
WEIGHTS = np.array([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_a_step_divides_weighted_losses_by_its_comments() -> None:
    logits = torch.nn.Parameter(torch.tensor([2.0, 0.0]))
    seen: list[torch.Tensor] = []
    finetune(
        lambda tokens: logits.expand(len(tokens), 2), [logits], [[1]] * 4, LABELS, RECIPE, 0,
        lambda done, total: None, seen.append, WEIGHTS,
    )  # fmt: skip
    easy, hard = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert float(seen[0]) == pytest.approx((3 * 2 / 3 * easy + 2 * hard) / 4)


def test_a_step_without_the_rare_class_counts_less() -> None:
    """Else the classes of the whole training would not count the same."""
    steps = [Split().part(rows) for rows in (np.array([0, 1]), np.array([2, 3]))]
    _, weights = padded_training._targets(steps, LABELS, WEIGHTS, 3)
    assert weights == pytest.approx(np.array([[1 / 3, 1 / 3, 0], [1 / 3, 1, 0]]))
    _, same = padded_training._targets(steps, LABELS, None, 3)
    assert same == pytest.approx(np.array([[0.5, 0.5, 0]] * 2))


class OnlyTexts:
    def fit(self, texts: Any, labels: Any) -> None: ...


class WithWeights:
    def fit(self, texts: Any, labels: Any, sample_weight: Any = None) -> None: ...


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (
            make_pipeline(CountVectorizer(), LogisticRegression()),
            "logisticregression__class_weight",
        ),
        (make_pipeline(CountVectorizer(), MultinomialNB()), "multinomialnb__sample_weight"),
        (make_pipeline(CountVectorizer(), KNeighborsClassifier()), None),
        # Weights of the inner model alone would be undone by its calibration.
        (CalibratedClassifierCV(LinearSVC()), "sample_weight"),
        (OnlyTexts(), None),
        (WithWeights(), "sample_weight"),
    ],
)
def test_users_models_get_weights_as_they_take_them(made: Any, name: str | None) -> None:
    assert weighting(made) == name


@pytest.mark.parametrize("head", [LogisticRegression, MultinomialNB, KNeighborsClassifier])
def test_a_users_pipeline_is_weighted_or_says_that_it_is_not(head: Any) -> None:
    class Own(user_model.Wrapped):
        name = "own:pipeline"
        make = staticmethod(lambda: make_pipeline(CountVectorizer(), head()))

    scores = [
        fitted(Own(), weighted=weighted).predict_proba(["you idiot"])[0, 1]
        for weighted in (False, True)
    ]
    takes = head is not KNeighborsClassifier
    assert fitted(Own(), weighted=True).is_weighted == takes
    assert (scores[1] > scores[0] + 0.2) == takes

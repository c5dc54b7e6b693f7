"""The Naive Bayes ratios of `tfidf`, and settings by the amount of data of the other cheap models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from worthit.models import registry
from worthit.models.features import estimators
from worthit.models.tfidf import TfIdf, ratio_scales
from worthit.models.word2vec import epochs_for


def comments(count: int, classes: int) -> tuple[list[str], np.ndarray]:
    """Comments of 30 common words, and one of 80 words that only the comment's class has."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnop"), 6)) for _ in range(300 + 80 * classes)]
    labels = rng.integers(0, classes, count)
    texts = [
        " ".join(words[number] for number in (*rng.integers(0, 300, 30), 300 + 80 * label + own))
        for label, own in zip(labels, rng.integers(0, 80, count), strict=True)
    ]
    return texts, labels


def test_a_scale_is_the_size_of_the_log_ratio_of_smoothed_means() -> None:
    features = sparse.csr_array(np.array([[3.0, 1, 0], [1, 1, 0], [0, 1, 2], [0, 1, 0]]))
    scales = ratio_scales(features, np.array([True, True, False, False]))
    ratios = np.abs(np.log([(0.1 + 4) / 0.1, 1, (0.1 + 2) / 0.1]))
    assert scales / scales[0] == pytest.approx(ratios / ratios[0])
    assert np.linalg.norm(features.toarray() * scales, axis=1).mean() == pytest.approx(1)


def test_classes_of_equal_comments_have_no_ratios() -> None:
    features = sparse.csr_array(np.array([[1.0, 2], [1, 2]]))
    assert ratio_scales(features, np.array([True, False])).tolist() == [1, 1]


def test_scales_are_part_of_the_weights() -> None:
    rng = np.random.default_rng(0)
    features, labels, scales = rng.random((60, 5)), np.arange(60) % 3, rng.random(5) + 0.1
    expected = LogisticRegression(C=2).fit(features * scales, labels)
    for given in (features, sparse.csr_array(features)):
        head = estimators.fit_head(given, labels, scales=scales, C=2)
        assert estimators.score(head, features) == pytest.approx(
            expected.predict_proba(features * scales), abs=1e-4
        )


def test_ratios_find_rare_words_of_a_class() -> None:
    texts, labels = comments(1200, 2)
    areas = {}
    for ratios in (False, True):
        model = TfIdf().set_params(ratios=ratios).fit(texts[:400], labels[:400])
        areas[ratios] = roc_auc_score(labels[400:], model.predict_proba(texts[400:])[:, 1])
    assert areas[True] > areas[False] + 0.1


def test_ratios_are_of_two_classes_only() -> None:
    texts, labels = comments(120, 3)
    with_, without = (
        TfIdf(classes=("a", "b", "c")).set_params(ratios=ratios).fit(texts, labels)
        for ratios in (True, False)
    )
    assert np.array_equal(with_.predict_proba(texts), without.predict_proba(texts))


@pytest.mark.parametrize(
    ("words", "epochs"),
    [(0, 100), (10_000, 100), (30_000, 50), (100_000, 15), (300_000, 5), (10**7, 5)],
)
def test_fewer_words_are_read_more_often(words: int, epochs: int) -> None:
    assert epochs_for(words) == epochs


@pytest.mark.parametrize("name", ["word2vec", "fasttext"])
def test_the_epochs_of_word_vectors_are_recorded(name: str, tmp_path: Path) -> None:
    texts, labels = comments(60, 2)
    model: Any = registry.model_class(name)().set_params(dimensions=4).fit(texts, labels)
    assert model.get_params()["epochs"] == 100
    model.save(tmp_path)
    assert registry.load(tmp_path).get_params()["epochs"] == 100
    given: Any = registry.model_class(name)().set_params(dimensions=4, epochs=2)
    assert given.fit(texts, labels).get_params()["epochs"] == 2

"""Cheap models read scripts with vowel signs, and scripts without spaces."""

from pathlib import Path

import gensim.models
import numpy as np
import pytest

from worthit.datasets.errors import DataError
from worthit.models import registry, word2vec
from worthit.models.tfidf import TfIdf
from worthit.models.word2vec import Word2Vec, Word2VecSettings

#: language → words of class 0, of class 1, of both, and what is between words
_LANGUAGES = {
    # differ in vowel signs only
    "Hindi": (
        ("किल", "मीर"),
        ("कुला", "मोरे"),
        ("आज हम", "दुकान में", "फिर से"),
        " ",
    ),
    "Chinese": (
        ("糟糕", "难吃"), ("好吃", "喜欢"),
        ("今天我们", "在店里", "又吃了", "觉得"), "",
    ),
    "Thai": (
        ("แย่มาก", "ไม่ดีเลย"),
        ("อร่อย", "ดีที่สุด"),
        ("วันนี้เรา", "กินที่ร้าน", "อีกครั้ง"), "",
    ),
}  # fmt: skip


def _comments(language: str, count: int) -> tuple[list[str], np.ndarray]:
    *kinds, common, between = _LANGUAGES[language]
    rng = np.random.default_rng(count)
    labels = (np.arange(count) % 2).astype(np.int8)
    texts = []
    for label in labels:
        numbers = map(str, rng.integers(100, 200, 6))
        parts = [*numbers, *rng.choice(common, 4), *rng.choice(kinds[label], 2)]
        rng.shuffle(parts)
        texts.append(between.join(parts))
    return texts, labels


@pytest.mark.parametrize("name", ["word-list", "lsa", "word2vec", "fasttext", "tfidf"])
@pytest.mark.parametrize("language", list(_LANGUAGES))
def test_classical_models_read_a_language(name: str, language: str) -> None:
    settings = {"epochs": 40} if name in ("word2vec", "fasttext") else {}
    model = registry.model_class(name)().set_params(**settings).fit(*_comments(language, 300))
    texts, labels = _comments(language, 100)
    assert (model.predict_proba(texts).argmax(axis=1) == labels).mean() >= 0.9


def test_tfidf_goes_on_without_words(tmp_path: Path) -> None:
    faces = "\U0001f600\U0001f603", "\U0001f621\U0001f624"
    labels = (np.arange(60) % 2).astype(np.int8)
    texts = [faces[label] * (1 + i % 3) for i, label in enumerate(labels)]
    model = TfIdf().fit(texts, labels)
    scores = model.predict_proba(texts)
    assert (scores.argmax(axis=1) == labels).all()
    model.save(tmp_path)
    assert (registry.load(tmp_path).predict_proba(texts) == scores).all()
    with pytest.raises(DataError, match="no words"):
        registry.model_class("lsa")().fit(texts, labels)


def test_words_far_into_a_text_are_learned() -> None:
    assert gensim.models.word2vec.MAX_WORDS_IN_BATCH == word2vec._MOST_WORDS
    long = ["one", "two"] * 6_000 + ["three"]
    assert [len(piece) for piece in word2vec.pieces([long, ["five"], []])] == [10_000, 2_001, 1]
    model = Word2Vec(Word2VecSettings(epochs=1))
    model.fit([" ".join(long), "five"], np.array([0, 1], np.int8))
    unread = gensim.models.Word2Vec([long, ["five"]], **model._gensim_options()).wv["three"]
    assert np.abs(model._vectors[list(model._words).index("three")] - unread).max() > 0

"""The fast features compute what scikit-learn and gensim compute."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import gensim.models
import numpy as np
import pytest
from gensim.models.fasttext import ft_ngram_hashes
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfVectorizer,
    strip_accents_unicode,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from worthit.datasets import registry as datasets
from worthit.datasets import words
from worthit.datasets.errors import DataError
from worthit.models import fasttext
from worthit.models.features import estimators, ngrams
from worthit.models.features.vectorizer import NGramOptions, Vectorizer
from worthit.models.lsa import LSA, LSASettings
from worthit.models.tfidf import TfIdf, TfIdfSettings
from worthit.models.word2vec import Word2Vec

_STRANGE = [
    "",
    " \t\n\u2003 ",
    "a I x",
    "You IDIOT!!! you're an Idiot, A_b 42 ... -- \x00\x1c end",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c5ngstr\u00f6m \u0130stanbul \ufb01ne \u00bd stra\u00dfe STRASSE",
    "\U0001f600\U0001f92c well \U0001f468\u200d\U0001f469 done\u202e",
    "\u4f60\u597d\uff0c\u4e16\u754c \u4f60\u597d \u3053\u3093\u306b\u3061\u306f \u0915\u094d\u0937 \ufdfa",
    "half a pair \ud83d of a surrogate \udc00x",
    "w" * 5_000,
    "nice old article " * 600,
    "un\u00a0breakable\u2028line  doubled   spaces",
]


#: a word of any script, as the vectorizer finds it
_WORDS = {"tokenizer": functools.partial(words.split, shortest=2), "token_pattern": None}


def _accents(strip: str | None) -> Callable[[str], str] | None:
    return ngrams.strip_accents if strip else None


@functools.cache
def _comments() -> tuple[list[str], np.ndarray]:
    table = datasets.source("synthetic:300").read()
    # Strange ones twice, so that their n-grams are in vocabularies too.
    texts = table["text"].to_pylist() + 2 * _STRANGE[:8]
    return texts, np.append(table["label"].to_numpy(), [0, 1] * 8).astype(np.int8)


@functools.cache
def _unseen() -> list[str]:
    return [*_STRANGE, "unheard-of w\u00f6rds \u9f98 \U0010ffff zz", *_comments()[0][:600]]


@pytest.mark.parametrize("strip_accents", [None, "unicode"])
@pytest.mark.parametrize("sublinear_tf", [False, True])
@pytest.mark.parametrize(
    ("analyzer", "ngram_range"),
    [
        ("word", (1, 1)), ("word", (1, 2)), ("word", (2, 3)),
        ("char_wb", (1, 2)), ("char_wb", (2, 5)), ("char_wb", (4, 6)),
    ],
)  # fmt: skip
def test_vectors_are_those_of_scikit_learn(
    analyzer: str,
    ngram_range: tuple[int, int],
    sublinear_tf: bool,
    strip_accents: str | None,
    tmp_path: Path,
) -> None:
    texts, unseen = _comments()[0], _unseen()
    options = NGramOptions(analyzer, ngram_range, sublinear_tf, strip_accents)
    fast, vectors = Vectorizer.fit(texts, options, min_df=2)
    plain = TfidfVectorizer(
        analyzer=analyzer, ngram_range=ngram_range, sublinear_tf=sublinear_tf,
        strip_accents=_accents(strip_accents), min_df=2,
        **(_WORDS if analyzer == "word" else {}),
    )  # fmt: skip
    expected = plain.fit_transform(texts)
    assert fast.terms == plain.get_feature_names_out().tolist()
    assert fast.idf.tolist() == plain.idf_.tolist()
    assert abs(vectors - expected).max() < 1e-12

    together = fast.transform(unseen)
    expected = plain.transform(unseen)
    assert expected.nnz == together.nnz > 1_000
    assert abs(together - expected).max() < 1e-9
    for row, text in enumerate(unseen[: len(_STRANGE) + 20]):  # one comment goes another way
        assert abs(fast.transform([text]) - expected[[row]]).max() < 1e-9
    estimators.save_vectorizer(fast, tmp_path, "again")
    again = estimators.load_vectorizer(tmp_path, "again")
    assert again.options == options
    assert again.terms == fast.terms
    assert abs(again.transform(unseen) - together).max() == 0


def test_tfidf_scores_as_plain_scikit_learn_does() -> None:
    texts, labels = _comments()
    common = {"min_df": 2, "sublinear_tf": True, "strip_accents": ngrams.strip_accents}
    plain = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), **common, **_WORDS),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common),
        ),
        LogisticRegression(C=5.0, max_iter=1000),
    ).fit(texts, labels)
    model = TfIdf(TfIdfSettings(ratios=False, C=5.0)).fit(texts, labels)
    _same(model.predict_proba(_unseen()), plain.predict_proba(_unseen()))


def test_lsa_scores_as_plain_scikit_learn_does() -> None:
    texts, labels = _comments()
    plain = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, **_WORDS),
        TruncatedSVD(60, random_state=0),
        LogisticRegression(C=50.0, max_iter=1000),
    ).fit(texts, labels)
    _same(
        LSA(LSASettings(components=60)).fit(texts, labels).predict_proba(_unseen()),
        plain.predict_proba(_unseen()),
    )


def test_word2vec_averages_the_words_that_scikit_learn_counts(tmp_path: Path) -> None:
    texts, labels = _comments()
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]  # gensim takes nothing else
    model = Word2Vec().fit(texts, labels)
    counter = CountVectorizer(
        tokenizer=words.split, token_pattern=None, vocabulary=model._words, dtype=np.float32
    )
    counts = counter.transform(_unseen())
    means = (counts @ model._vectors) / np.maximum(np.asarray(counts.sum(axis=1)).reshape(-1, 1), 1)
    _same(model.predict_proba(_unseen()), model._head.predict_proba(means), within=1e-6)


def test_ngrams_are_in_the_buckets_that_gensim_puts_them_in() -> None:
    distinct = sorted({word for text in _unseen() for word in words.split(text)})
    distinct.append("x\U00010428\U00020000y")
    assert {1, 2, 3, 4} <= {len(character.encode()) for character in "".join(distinct)}
    for buckets in (7, 50_000):
        counts = fasttext.count_ngrams(distinct, buckets)
        for row, word in enumerate(distinct):
            known = Counter(ft_ngram_hashes(word, 3, 6, buckets))
            assert dict(zip(counts[[row]].indices, counts[[row]].data, strict=True)) == known


def test_fasttext_has_gensims_vectors_of_known_and_unknown_words(tmp_path: Path) -> None:
    texts, labels = _comments()
    model = fasttext.FastText(fasttext.FastTextSettings(buckets=500, epochs=20)).fit(texts, labels)
    model.save(tmp_path)
    again = fasttext.FastText.load(tmp_path)
    words_of = CountVectorizer(tokenizer=words.split, token_pattern=None).build_analyzer()
    theirs = gensim.models.FastText(
        [words_of(text) for text in texts],
        sg=1, alpha=0.1, min_n=3, max_n=6, bucket=500, epochs=20, min_count=1, seed=0, workers=1,
    ).wv  # fmt: skip
    means = np.zeros((len(_unseen()), 100))
    for row, text in enumerate(_unseen()):
        if found := words_of(text):
            means[row] = np.mean([theirs[word] for word in found], axis=0)
    unknown = {word for text in _unseen() for word in words_of(text)} - set(theirs.index_to_key)
    assert {"breakable", "unheard", "zz"} <= unknown
    for fitted in (model, again):
        assert np.abs(fitted._means(_unseen()) - means).max() < 1e-4
        _same(fitted.predict_proba(_unseen()), model._head.predict_proba(means), within=1e-4)


def _same(got: np.ndarray, expected: np.ndarray, within: float = 1e-9) -> None:
    assert np.ptp(expected[:, 1]) > 0.1
    assert np.abs(got - expected).max() < within


def test_accents_go_as_scikit_learn_strips_them_but_vowel_signs_stay() -> None:
    latin = [text for text in _unseen() if "\u0915" not in text]
    for text in latin:
        assert ngrams.strip_accents(text) == strip_accents_unicode(text)
    assert ngrams.strip_accents("\u0915\u094d\u0937 \u0e0b\u0e38\u0e1b \u304c \ud55c") == (
        "\u0915\u094d\u0937 \u0e0b\u0e38\u0e1b \u304c \ud55c"
    )
    assert ngrams.strip_accents("\u0643\u062a\u064e\u0628") == "\u0643\u062a\u0628"


@pytest.mark.parametrize("batch_size", [1, 7, 600])
def test_a_batch_changes_no_vector(batch_size: int) -> None:
    texts = _unseen()
    model = TfIdf().fit(*_comments())
    scores = model.predict_proba(texts, batch_size)
    assert np.abs(scores - model.predict_proba(texts)).max() < 1e-12


def test_keys_that_displace_each_other_find_a_place() -> None:
    rng = np.random.default_rng(1)
    pairs = np.unique(rng.integers(1, 3_000, (40_000, 2)), axis=0)
    trie = ngrams.Trie(pairs.reshape(-1), np.full(len(pairs), 2))
    shown = rng.permutation(len(pairs))[:500]
    positions, columns = trie.find(np.append(np.insert(pairs[shown], 2, 0, axis=1), 0))
    assert positions.tolist() == list(range(0, 1500, 3))
    assert columns.tolist() == shown.tolist()


@pytest.mark.parametrize(
    ("texts", "complaint"), [(["!", " "], "have no words"), (["one two", "three"], "in 2 of")]
)
def test_too_few_words_are_refused(texts: Sequence[str], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Vectorizer.fit(texts, NGramOptions(), min_df=2)

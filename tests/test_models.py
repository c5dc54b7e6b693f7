"""Every model keeps the contract: shapes, repeatability, round trip, odd comments, no pickle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from worthit.datasets import registry as datasets
from worthit.datasets.errors import DataError, OptionError, RunError, UnknownNameError
from worthit.models import registry
from worthit.models.contract import Classifier

Maker = Callable[..., Classifier[Any]]
ODD = ["", " ", "\U0001f600\U0001f92c", "word " * 20_000, "\x00\x01", "e\u0301\u202e", "ok"]


def training_comments(count: int) -> tuple[list[str], np.ndarray]:
    table = datasets.source("synthetic:1200").read().slice(0, count)
    return table["text"].to_pylist(), table["label"].to_numpy()


@pytest.fixture(scope="module", params=list(registry.MODELS))
def make(request: pytest.FixtureRequest, tiny_bert: Path, tiny_llama: Path) -> Maker:
    """Makes the model named by the parameter, on tiny weights where it needs any."""
    kind = registry.model_class(request.param)

    def maker(seed: int = 0, **settings: Any) -> Classifier[Any]:
        model = kind(device="cpu", seed=seed)
        if registry.MODELS[request.param].pretrained:
            weights = tiny_bert if request.param == "bert" else tiny_llama
            settings = {"checkpoint": str(weights), "max_length": 24} | settings
        return model.set_params(**settings)

    return maker


@pytest.fixture(scope="module")
def fitted(make: Maker) -> Classifier[Any]:
    return make().fit(*training_comments(120))


def test_probabilities_are_rows_of_two_that_sum_to_one(fitted: Classifier[Any]) -> None:
    probabilities = fitted.predict_proba(["you idiot", "thanks, great article"])
    assert isinstance(probabilities, np.ndarray)
    assert probabilities.shape == (2, 2)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert fitted.predict_proba([]).shape == (0, 2)


def test_odd_comments_get_a_score(fitted: Classifier[Any]) -> None:
    probabilities = fitted.predict_proba(ODD)
    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_comment_scores_the_same_alone_and_among_others(fitted: Classifier[Any]) -> None:
    texts = training_comments(120)[0][:20]
    together = fitted.predict_proba(texts)
    alone = np.vstack([fitted.predict_proba([text]) for text in texts])
    assert together == pytest.approx(alone, abs=0.02)  # bf16 products differ with the batch's shape


def test_saved_and_loaded_it_scores_the_same(fitted: Classifier[Any], tmp_path: Path) -> None:
    texts = training_comments(120)[0][:20]
    fitted.save(tmp_path)
    again = type(fitted).load(tmp_path)
    assert again.get_params() == fitted.get_params()
    assert again.predict_proba(texts) == pytest.approx(fitted.predict_proba(texts), abs=0.02)
    assert again.size() == fitted.size()


def test_nothing_saved_is_a_pickle(fitted: Classifier[Any], tmp_path: Path) -> None:
    fitted.save(tmp_path)
    saved = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert saved
    for path in saved:
        assert path.suffix in {".json", ".safetensors", ".bin", ".md", ".txt", ".jinja"}
        start = path.read_bytes()[:2]
        assert not (start[:1] == b"\x80" and 2 <= start[1] <= 5)  # how pickles begin


def test_the_same_seed_trains_the_same_model(make: Maker) -> None:
    texts, labels = training_comments(60)
    first, second = (make(seed=3).fit(texts, labels).predict_proba(texts[:10]) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_one_class_and_unequal_lengths_are_refused(make: Maker) -> None:
    with pytest.raises(DataError, match="each of the 2 classes to train on; there are none of not"):
        make().fit(["a", "b"], np.array([1, 1]))
    with pytest.raises(DataError, match="2 comments but 1 labels"):
        make().fit(["a", "b"], np.array([1]))


def test_unknown_settings_are_refused(make: Maker) -> None:
    with pytest.raises(OptionError, match="has no setting 'depth'; known: "):
        make(depth=3)
    name = next(iter(make().get_params()))
    with pytest.raises(OptionError, match=f"cannot take that setting: .*{name}"):
        make(**{name: [None]})


def test_progress_ends_at_the_total(make: Maker) -> None:
    told: list[tuple[int, int]] = []
    model = make()
    model.fit(*training_comments(60), lambda done, total: told.append((done, total)))
    assert told[-1:] == ([(60, 60)] if model.trains else [])


def test_a_folder_of_another_model_is_refused(fitted: Classifier[Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no saved"):
        type(fitted).load(tmp_path)
    fitted.save(tmp_path)
    other = registry.model_class("lsa" if fitted.name != "lsa" else "tfidf")
    with pytest.raises(RunError, match=f"holds a {fitted.name} model"):
        other.load(tmp_path)


@pytest.mark.parametrize("name", ["lsa", "word2vec", "tfidf"])
def test_classical_models_learn(name: str) -> None:
    texts, labels = training_comments(1200)
    model = registry.model_class(name)().fit(texts[:1000], labels[:1000])
    positive = model.predict_proba(texts[1000:])[:, 1]
    assert roc_auc_score(labels[1000:], positive) > (0.65 if name == "word2vec" else 0.85)


def test_an_unknown_model_lists_the_known() -> None:
    with pytest.raises(
        UnknownNameError, match="unknown model 'gpt'; known: lsa, word2vec, tfidf, bert, llama"
    ):
        registry.model_class("gpt")


def test_word_vectors_open_with_gensim(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    model = registry.model_class("word2vec")().fit(*training_comments(120))
    model.save(tmp_path)
    opened = KeyedVectors.load_word2vec_format(tmp_path / "vectors.bin", binary=True)
    assert opened["article"].shape == (100,)
    assert np.isfinite(opened.vectors).all()

"""Every model keeps the contract; and the behaviour specific to the classical models."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tests import int8_products
from worthit.datasets import registry as datasets
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import DataError, OptionError, UnknownNameError
from worthit.models import registry, word_list
from worthit.models.contract import Classifier
from worthit.models.contract_check import check

Maker = Callable[..., Classifier[Any]]


@functools.cache
def training_comments(count: int) -> tuple[tuple[str, ...], np.ndarray]:
    table = datasets.source("synthetic:1200").read().slice(0, count)
    return tuple(table["text"].to_pylist()), table["label"].to_numpy()


@pytest.fixture(scope="module", params=int8_products.MODELS)
def make(request: pytest.FixtureRequest, tiny_bert: Path, tiny_llama: Path) -> Maker:
    """Makes the model of that name, on tiny weights where it needs any."""
    kind = registry.model_class(request.param)

    def maker(classes: Sequence[str] = TOXIC, seed: int = 0, **settings: Any) -> Classifier[Any]:
        model = kind(device="cpu", seed=seed, classes=classes)
        if (known := registry.MODELS[request.param]).pretrained:
            weights = tiny_llama if known.kind == "llm" else tiny_bert
            settings = {"checkpoint": str(weights), "max_length": 24} | settings
        return model.set_params(**settings)

    return maker


def test_the_contract_is_kept(make: Maker) -> None:
    rows = list(check.examine(make))
    assert [row for row in rows if row.verdict != "ok"] == []
    assert "shape (100, 3)" in {row.found for row in rows}


def test_the_seed_changes_the_models_that_the_registry_says(make: Maker) -> None:
    texts, labels = training_comments(200)
    once = {"epochs": 1} if "epochs" in make().get_params() else {}
    scores = [
        (model := make(seed=seed, **once)).fit(texts, labels).predict_proba(texts[:50])
        for seed in (0, 1)
    ]
    assert np.array_equal(*scores) != registry.MODELS[model.name].seeded


def test_one_class_and_unequal_lengths_are_refused(make: Maker) -> None:
    with pytest.raises(DataError, match="each of the 2 classes to train on; there are none of not"):
        make().fit(["a", "b"], np.array([1, 1]))
    with pytest.raises(DataError, match="2 comments but 1 labels"):
        make().fit(["a", "b"], np.array([1]))


def test_unknown_settings_are_refused(make: Maker) -> None:
    with pytest.raises(OptionError, match="has no setting 'depth'; known: "):
        make(depth=3)
    name = next(iter(make().get_params()), None)
    if name is None:
        return
    with pytest.raises(OptionError, match=f"cannot take that setting: .*{name}"):
        make(**{name: [None]})


@pytest.mark.parametrize(
    ("name", "area"),
    [("word-list", 0.65), ("lsa", 0.85), ("word2vec", 0.85), ("fasttext", 0.85), ("tfidf", 0.85)],
)
def test_classical_models_learn(name: str, area: float) -> None:
    texts, labels = training_comments(1200)
    model = registry.model_class(name)().fit(texts[:1000], labels[:1000])
    positive = model.predict_proba(texts[1000:])[:, 1]
    assert roc_auc_score(labels[1000:], positive) > area


def test_the_majority_answers_with_the_shares_of_training() -> None:
    model = registry.model_class("majority")().fit(["a", "b", "c", "d"], np.array([0, 1, 0, 0]))
    assert model.predict_proba(["a", "anything"]).tolist() == [[0.75, 0.25]] * 2


def test_the_word_list_has_words_typical_of_the_class(tmp_path: Path) -> None:
    texts = ["such liar here", "good article here"] * 20 + ["liar and rare", "and good"] * 2
    labels = np.array([1, 0] * 22)
    model = registry.model_class("word-list")().fit(texts, labels)
    model.save(tmp_path)
    listed = json.loads((tmp_path / "words.json").read_text())["words"]
    assert listed == [
        ["liar", "such"]
    ]  # `rare` may be chance, `good` is typical of the other class
    with_word, without, upper = model.predict_proba(["liar, liar", "rare good", "LIAR"])[:, 1]
    assert with_word == upper == (22 + 1) / (22 + 2)
    assert without == 1 / (22 + 2)
    short = registry.model_class("word-list")().set_params(words=1).fit(texts, labels)
    assert short.predict_proba(["such", "liar"])[:, 1].tolist() == [without, with_word]
    with pytest.raises(DataError, match="have no words"):
        model.fit(["!", "?"], np.array([0, 1]))


@pytest.mark.parametrize("table", [(600, 400, 1000, 1000), (3, 1, 50, 950), (7, 0, 20, 30)])
def test_words_are_ranked_by_the_statistic_of_the_whole_table(table: tuple[int, ...]) -> None:
    a, b, in_class, elsewhere = table
    found = word_list.chi_squared(np.array([a, 0.0]), np.array([b, 0.0]), in_class, elsewhere)
    whole = [[a, b], [in_class - a, elsewhere - b]]
    expected = stats.chi2_contingency(whole, correction=False).statistic
    assert found == pytest.approx([expected, 0])


def test_the_word_list_is_empty_where_words_predict_nothing() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.zipf(1.3, 30) if i < 3000) for _ in range(2000)]
    model: Any = registry.model_class("word-list")().fit(texts, rng.integers(0, 2, len(texts)))
    assert model.size().parameters == 2  # two shares, no words
    assert model.predict_proba(texts[:5])[:, 1] == pytest.approx(0.5, abs=0.03)


def test_the_word_list_leaves_out_common_words_of_both_classes() -> None:
    texts = ["you liar"] * 30 + ["you article"] * 15 + ["an article"] * 15
    labels = np.array([1] * 30 + [0] * 30)
    model: Any = registry.model_class("word-list")().fit(texts, labels)
    assert model.predict_proba(["you", "liar"])[:, 1].tolist() == [1 / 32, 31 / 32]
    model.set_params(times_as_common=1.0).fit(texts, labels)
    assert model.predict_proba(["you"])[0, 1] > 0.6


def test_embeddings_are_the_sentence_transformers_ones_and_the_encoder_stays(
    tiny_bert: Path, tmp_path: Path
) -> None:
    import torch
    import transformers

    texts, labels = training_comments(60)
    settings = {"checkpoint": str(tiny_bert), "precision": "fp32", "max_length": 24}
    model: Any = registry.model_class("embeddings")().set_params(**settings)
    scores = model.fit(texts, labels).predict_proba(texts)[:, 1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    encoder = transformers.AutoModel.from_pretrained(tiny_bert).eval()
    assert encoder.state_dict().keys() == model._model.state_dict().keys()
    features = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=26, return_tensors="pt")
        with torch.no_grad():
            mean = encoder(**tokens).last_hidden_state[0].mean(dim=0)
        features.append((mean / mean.norm()).numpy())
    head = LogisticRegression(C=model.settings.C, max_iter=1000).fit(np.array(features), labels)
    assert scores == pytest.approx(head.predict_proba(np.array(features))[:, 1], abs=1e-3)
    model.save(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 5_000  # no encoder in it


def test_an_unknown_model_lists_the_known() -> None:
    with pytest.raises(
        UnknownNameError,
        match="unknown model 'gpt'; known: majority, word-list, lsa, word2vec, fasttext, ",
    ):
        registry.model_class("gpt")


def test_lsa_refuses_a_single_word() -> None:
    with pytest.raises(
        DataError, match=r"needs at least two comments and two words .* there are 10 and 1"
    ):
        registry.model_class("lsa")().fit(["hello", "hello hello"] * 5, np.array([0, 1] * 5))


@pytest.fixture(scope="module")
def word_vectors(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Classifier[Any]]:
    """Fitted models by the folders they are saved in."""
    models = {}
    for name in ("word2vec", "fasttext"):
        folder = tmp_path_factory.mktemp(name)
        models[folder] = registry.model_class(name)().fit(*training_comments(120))
        models[folder].save(folder)
    return models


def test_word_vectors_open_with_gensim(word_vectors: dict[Path, Classifier[Any]]) -> None:
    from gensim.models import KeyedVectors

    for folder in word_vectors:
        opened = KeyedVectors.load_word2vec_format(folder / "vectors.bin", binary=True)
        assert opened["article"].shape == (100,)
        assert np.isfinite(opened.vectors).all()


def test_word_vectors_score_without_gensim(word_vectors: dict[Path, Classifier[Any]]) -> None:
    code = (
        "import sys; from pathlib import Path; from worthit.models import registry\n"
        "for folder in map(Path, sys.argv[1:]):\n"
        "    print(registry.load(folder).predict_proba(['an unheardofword'])[0, 1])\n"
        "print('gensim' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, word_vectors)],
        capture_output=True,
        text=True,
        check=True,
    )
    *scores, gensim_loaded = done.stdout.split()
    expected = [model.predict_proba(["an unheardofword"])[0, 1] for model in word_vectors.values()]
    assert list(map(float, scores)) == pytest.approx(expected)
    assert gensim_loaded == "False"


@pytest.mark.parametrize("name", ["word2vec", "fasttext"])
def test_comments_without_words_train_no_word_vectors(name: str) -> None:
    with pytest.raises(DataError, match="have no words"):
        registry.model_class(name)().fit(["!", "?"], np.array([0, 1]))

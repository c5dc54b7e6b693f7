"""`static`: the distilled vectors, what it saves, and what it needs."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers

from worthit.datasets.errors import ModelError
from worthit.models import registry, static
from worthit.models.contract import TokenCounts

VECTORS = {"[UNK]": (0, 0), "good": (3, 4), "bad": (0, -2), "word": (1, 0)}


class Distilled:
    """As Model2Vec's StaticModel: a vector for each token."""

    def __init__(self) -> None:
        self.embedding = np.array(list(VECTORS.values()), np.float16)
        known = {token: number for number, token in enumerate(VECTORS)}
        self.tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="[UNK]"))
        self.tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(static, "_distil", lambda checkpoint, dimensions: Distilled())
    return lambda **settings: registry.model_class("static")().set_params(**settings)


def fitted(model: Any) -> Any:
    return model.fit(["good word", "bad word", "good", "bad"], np.array([1, 0, 1, 0]))


def test_an_embedding_has_the_direction_of_the_sum_and_length_1(make: Any) -> None:
    embedded = fitted(make())._embed(["good word", "good unheard", "", "bad bad"])
    assert embedded == pytest.approx(np.array([[0.5**0.5] * 2, [0.6, 0.8], [0, 0], [0, -1]]))


def test_comments_without_a_known_token_have_a_score(make: Any) -> None:
    scores = fitted(make()).predict_proba(["", "unheard"])
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[0], scores[1])


def test_more_classes_are_regularised_less(make: Any) -> None:
    assert fitted(make()).get_params()["C"] == 10
    three = registry.model_class("static")(classes=("a", "b", "c"))
    assert three.fit(["good", "bad", "word"], np.array([0, 1, 2])).get_params()["C"] == 30
    assert fitted(make(C=2.0)).get_params()["C"] == 2


def test_many_comments_are_embedded_in_chunks(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = fitted(make()), ["good", "bad word", "word"] * 4
    at_once = model.predict_proba(texts)
    monkeypatch.setattr(static, "_CHUNK", 5)
    assert np.array_equal(model.predict_proba(texts), at_once)


@pytest.mark.parametrize(("max_length", "share"), [(2, 0.5), (3, 0.0), (None, 0.0)])
def test_long_comments_are_cut_and_counted(make: Any, max_length: int, share: float) -> None:
    model = fitted(make(max_length=max_length))
    assert model.truncated_share(["word word good", "word"]) == share
    assert model.count_tokens(["word word good", "word"]) == TokenCounts(18, 4, 0)
    same = model._embed(["word word good"]) == pytest.approx(model._embed(["word word"]))
    assert same == (share > 0)


def test_a_saved_model_scores_the_same_without_torch_and_model2vec(
    make: Any, tmp_path: Path
) -> None:
    model = fitted(make(max_length=2))
    model.save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from worthit.models import registry\n"
        "model = registry.load(Path(sys.argv[1]))\n"
        "print(*model.predict_proba(['bad good good'])[0])\n"
        "print(*{'torch', 'model2vec', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    scores, loaded = done.stdout.split("\n")[:2]
    assert list(map(float, scores.split())) == model.predict_proba(["bad good good"])[0].tolist()
    assert loaded == ""


def test_training_without_model2vec_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model2vec.distill", None)
    with pytest.raises(ModelError, match=r"needs model2vec.* to train: pip install 'worthit\[stat"):
        fitted(registry.model_class("static")())


def test_it_distils_a_checkpoint(tiny_bert: Path, tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    settings: dict[str, Any] = {"checkpoint": str(tiny_bert), "dimensions": 16}
    model: Any = fitted(registry.model_class("static")().set_params(**settings))
    assert model._vectors.shape[1] == 16
    texts: Sequence[str] = ["you stupid idiot", "the page", ""]
    expected = model2vec.StaticModel(
        model._vectors, model._tokenizer, {"normalize": True}, normalize=True
    ).encode(list(texts))
    assert model._embed(texts) == pytest.approx(expected, abs=1e-6)

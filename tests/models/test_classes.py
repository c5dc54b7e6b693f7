"""Any number of classes: models, prompts, cards, records and scores."""

import csv
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from tests import int8_products
from worthit.bench.cell import Cell, Effort
from worthit.bench.cells import curve_sizes
from worthit.bench.cells.work import Work
from worthit.bench.saved import record
from worthit.datasets import prepare
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CellError, DataError, RunError
from worthit.datasets.splits import manifest
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices
from worthit.models import registry
from worthit.models.bert import Bert
from worthit.models.card import CARD, read_card
from worthit.models.contract import Classifier
from worthit.models.contract_check.pickles import is_pickle
from worthit.models.lsa import LSA
from worthit.models.scoring import chunks
from worthit.models.tfidf import TfIdf
from worthit.reports.cli import main

THREE = ("rivers", "music", "insults")
_WORDS = (
    "river old source page".split(),
    "music nice helpful article".split(),
    "stupid idiot liar clown".split(),
)
_COMMON = "the you a is this comment".split()
# Settings with which tiny random weights learn these few words.
LEARNING: dict[str, dict[str, Any]] = {
    "bert": {"epochs": 5, "learning_rate": 3e-3},
    "llama": {"epochs": 4, "learning_rate": 1e-2, "adapted_share": 1.0},
    "llama-qlora": {"epochs": 4, "learning_rate": 1e-2, "adapted_share": 1.0},
    "llama-head": {"epochs": 2, "learning_rate": 1e-2, "adapted_share": 1.0},
}


def comments(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Comments of three classes, which half of the words identify."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 3)
    texts = [
        " ".join([*rng.choice(_WORDS[label], 4), *rng.choice(_COMMON, 4), f"{number}"])
        for number, label in enumerate(labels)
    ]
    return texts, labels


Maker = Callable[..., Classifier[Any]]


@pytest.fixture(scope="module")
def makers(tiny_bert: Path, tiny_llama: Path) -> Callable[[str], Maker]:
    """For a model's name, makes it for these classes, on tiny weights where it needs any."""

    def maker_of(name: str) -> Maker:
        def make(classes: Sequence[str] = THREE) -> Classifier[Any]:
            settings = LEARNING.get(registry.MODELS[name].trained_as or name, {})
            if registry.MODELS[name].pretrained:
                weights = tiny_llama if registry.MODELS[name].kind == "llm" else tiny_bert
                settings = {"checkpoint": str(weights), "max_length": 24, **settings}
            return registry.model_class(name)(classes=classes).set_params(**settings)

        return make

    return maker_of


@pytest.fixture(scope="module")
def fit_once(
    makers: Callable[[str], Maker], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    @functools.cache
    def fit(name: str) -> Any:
        model: Any = makers(name)()
        original = registry.MODELS[name].trained_as
        if original is None:
            return model.fit(*comments(150))
        folder = tmp_path_factory.mktemp(original)
        fit(original).save(folder)
        return model.convert(folder)

    return fit


@pytest.fixture(scope="module", params=int8_products.MODELS)
def name(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def make(name: str, makers: Callable[[str], Maker]) -> Maker:
    return makers(name)


@pytest.fixture(scope="module")
def fitted(name: str, fit_once: Callable[[str], Any]) -> Any:
    return fit_once(name)


def test_every_model_learns_three_classes(fitted: Classifier[Any]) -> None:
    texts, labels = comments(60, seed=1)
    found = fitted.predict_proba(texts)
    assert found.shape == (60, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(60))
    assert fitted.predict_proba([]).shape == (0, 3)
    assert found[:9] == pytest.approx(fitted.predict_proba(texts[:9]), abs=0.02)
    if fitted.trains:
        expected = {"majority": 0.3, "word2vec": 0.5, "fasttext": 0.6}.get(fitted.name, 0.8)
        assert np.mean(found.argmax(axis=1) == labels) > expected


def test_a_saved_model_keeps_its_classes(fitted: Classifier[Any], tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert read_card(tmp_path).classes == THREE
    again, texts = registry.load(tmp_path), comments(60, seed=1)[0]
    assert again.classes == THREE
    assert again.predict_proba(texts) == pytest.approx(fitted.predict_proba(texts), abs=0.03)
    assert again.size() == fitted.size()


def test_nothing_saved_is_a_pickle(fitted: Classifier[Any], tmp_path: Path) -> None:
    fitted.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for file in files:
        data = {".json", ".safetensors", ".onnx", ".xml", ".bin", ".md", ".txt", ".jinja"}
        assert file.suffix in data
        assert not is_pickle(file)


def test_a_folder_of_another_model_is_refused(fitted: Classifier[Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no saved"):
        type(fitted).load(tmp_path)
    fitted.save(tmp_path)
    other = registry.model_class("lsa" if fitted.name != "lsa" else "tfidf")
    with pytest.raises(RunError, match=f"holds a {fitted.name} model"):
        other.load(tmp_path)


def test_labels_of_no_class_and_classes_without_comments_are_refused(
    make: Maker,
) -> None:
    texts, labels = comments(30)
    with pytest.raises(DataError, match="label 2; its 2 classes have the labels 0 to 1"):
        make(TOXIC).fit(texts, labels)
    with pytest.raises(
        DataError, match="each of the 3 classes to train on; there are none of music"
    ):
        make().fit(texts, np.where(labels == 1, 0, labels))


def test_a_card_without_classes_means_toxic_or_not(tmp_path: Path) -> None:
    texts, labels = comments(60)
    TfIdf().fit(texts, labels == 2).save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    assert card.pop("classes") == ["not toxic", "toxic"]
    (tmp_path / CARD).write_text(json.dumps(card))
    assert registry.load(tmp_path).classes == TOXIC


def test_of_two_classes_the_one_row_of_weights_decides() -> None:
    texts, labels = comments(60)
    model = LSA().fit(texts, (labels == 2).astype(np.int8))
    scores = model._words.transform(texts) @ model._topics @ model._head.coef_[0]
    positive = expit(scores + model._head.intercept_[0])
    assert model.predict_proba(texts).tolist() == np.column_stack([1 - positive, positive]).tolist()


def test_of_more_classes_the_scores_are_scikit_learns(tmp_path: Path) -> None:
    texts, labels = comments(60)
    model = LSA(classes=THREE).fit(texts, labels)
    expected = model._head.predict_proba(model._words.transform(texts) @ model._topics)
    assert model.predict_proba(texts) == pytest.approx(expected)
    model.save(tmp_path)
    assert LSA.load(tmp_path).predict_proba(texts) == pytest.approx(expected)


def test_scores_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = comments(30)
    model = LSA(classes=THREE).fit(texts, labels)
    monkeypatch.setattr(LSA, "_score", lambda self, texts: np.zeros(len(texts)))
    with pytest.raises(CellError, match=r"shape \(30,\), not \(30, 3\): one row per comment"):
        model.predict_proba(texts)


def test_berts_configuration_names_the_classes(tiny_bert: Path, tmp_path: Path) -> None:
    model = Bert(classes=THREE).set_params(checkpoint=str(tiny_bert))
    model.fit(*comments(30)).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["id2label"] == {"0": "rivers", "1": "music", "2": "insults"}
    assert config["label2id"] == {"rivers": 0, "music": 1, "insults": 2}


def test_a_llama_answers_by_letters_where_names_are_numbers(
    tiny_llama: Path, tmp_path: Path
) -> None:
    model = registry.model_class("llama-zero-shot")(classes=("1", "2", "10"))
    model.set_params(checkpoint=str(tiny_llama))
    model.fit(*comments(30))
    letters = model._first_tokens([" A", " B", " C"])
    assert list(model._prompt.tokens) == letters
    assert "\nC: 10\n" in model._tokenizer.decode(
        model._tokenizer(model._prompt.question)["input_ids"]
    )
    model.save(tmp_path)
    texts = comments(9)[0]
    assert registry.load(tmp_path).predict_proba(texts) == pytest.approx(model.predict_proba(texts))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    texts, labels = comments(300)
    file = tmp_path / "mine.csv"
    with file.open("w", newline="") as opened:
        rows = zip(texts, (THREE[label] for label in labels), strict=True)
        csv.writer(opened).writerows([("text", "label"), *rows])
    return file


def test_a_record_has_all_probabilities_of_each_comment(table: Path) -> None:
    split = prepare.prepare(str(table), Protocol(), Choices()).key
    names = manifest.read(split).classes
    assert names == tuple(sorted(THREE))
    work = Work(Cell("tfidf", "cpu", 0, split, effort=Effort()), lambda done, total: None)
    work.setup()
    work.load(work.train().artifact)
    quality = work.quality()
    each = record.probabilities_per_comment(names, False)
    assert each == 3
    for part in ("test", "natural", "validation"):
        known = prepare.comments(split, part)
        found = np.reshape(getattr(quality, part), (-1, each))
        assert len(found) == len(known)
        assert found.sum(axis=1) == pytest.approx(np.ones(len(known)), abs=2e-6)
        assert np.mean(found.argmax(axis=1) == known.labels) > 0.9
    train = prepare.comments(split, "train")
    point = work.curve_point(curve_sizes.curve_sizes(train.labels)[0])
    assert len(point.test) == len(quality.test)


def test_of_two_classes_a_record_has_one_probability_of_each_comment() -> None:
    split = prepare.prepare("synthetic:400", Protocol()).key
    assert record.probabilities_per_comment(manifest.read(split).classes, False) == 1
    work = Work(Cell("lsa", "cpu", 0, split), lambda done, total: None)
    work.setup()
    work.load(work.train().artifact)
    texts = prepare.comments(split, "test").texts
    positive = work._model.predict_proba(texts)[:, 1]
    assert work.quality().test == pytest.approx(positive, abs=1e-6)


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("topics")
    LSA(classes=THREE).fit(*comments(150)).save(folder)
    return folder


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_scores_of_many_classes_are_a_name_and_a_probability_each(
    form: str, topics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_CLASSICAL_CHUNK", 2)
    texts, labels = comments(6)
    given = [None, None, *texts]  # the first chunk tells no type
    pq.write_table(pa.table({"text": pa.array(given, pa.string())}), tmp_path / "in.parquet")
    target = tmp_path / f"out.{form}"
    arguments = ["score", "--model", str(topics), str(tmp_path / "in.parquet")]
    assert main.main([*arguments, "--output", str(target)]) == 0
    if form == "parquet":
        rows = pq.read_table(target).to_pylist()
    elif form == "jsonl":
        rows = [json.loads(line) for line in target.read_text().splitlines()]
    else:
        rows = list(csv.DictReader(target.read_text().splitlines()))
    probabilities = [f"p_{name}" for name in THREE]
    assert list(rows[0]) == ["row", "predicted", *probabilities]
    assert [row["predicted"] or None for row in rows[:2]] == [None, None]
    assert [rows[0][name] or None for name in probabilities] == [None] * 3
    assert [row["predicted"] for row in rows[2:]] == [THREE[label] for label in labels]
    found = np.array([[float(row[name]) for name in probabilities] for row in rows[2:]])
    expected = registry.load(topics).predict_proba(texts)
    assert found == pytest.approx(expected, abs=1e-6)


def test_columns_with_the_names_of_scores_are_refused(
    topics: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("text,p_music\nold river,1\n")
    arguments = ["score", "--model", str(topics), str(tmp_path / "in.csv")]
    assert main.main([*arguments, "--keep", "p_music"]) == 2
    assert "p_music is a column of the output" in capsys.readouterr().err

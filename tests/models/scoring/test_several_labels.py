"""Scores of a model of several labels: one column for each, and the labels that pass."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scored_comments import read
from worthit.models.lsa import LSA
from worthit.models.scoring import chunks
from worthit.reports.analysis.decisions import Choice
from worthit.reports.cli import saved_choice

NAMES = ("toxic", "insult")
TEXTS = [f"{a} {b} {c}" for a in ("the", "an") for b in ("stupid", "nice") for c in ("liar", "man")]
LABELS = np.array([["stupid" in text, "liar" in text] for text in TEXTS], np.int16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    LSA(classes=NAMES, multilabel=True).fit(TEXTS * 5, np.tile(LABELS, (5, 1))).save(folder)
    return folder


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_each_row_has_a_score_per_label_and_the_labels_that_pass(
    form: str, model: Path, score: Any, tmp_path: Path
) -> None:
    lines = [json.dumps({"text": text}) for text in [*TEXTS, None]]
    (source := tmp_path / "in.jsonl").write_text("\n".join(lines))
    target = tmp_path / f"out.{form}"
    code, said = score(source, "--output", target, with_model=model)
    assert code == 0
    assert "predicted are the labels from 0.5 on" in said
    *found, empty = read(target)
    assert list(found[0]) == ["row", "predicted", "p_toxic", "p_insult"]
    for row, labels in zip(found, LABELS, strict=True):
        expected = [name for name, has in zip(NAMES, labels, strict=True) if has]
        predicted = json.loads(row["predicted"]) if form == "csv" else row["predicted"]
        assert predicted == expected
        assert [float(row[f"p_{name}"]) >= 0.5 for name in NAMES] == labels.tolist()
    assert not empty["predicted"]
    assert not empty["p_toxic"]
    if form == "parquet":
        assert pq.read_schema(target).field("predicted").type == pa.list_(pa.string())


def test_without_rows_the_columns_are_the_same() -> None:
    types = chunks.score_types(NAMES, multilabel=True)
    assert types == {
        "predicted": pa.list_(pa.string()), "p_toxic": pa.float64(), "p_insult": pa.float64(),
    }  # fmt: skip


def test_without_a_choice_labels_pass_from_half_on() -> None:
    assert saved_choice.applied(None, multilabel=True) is chunks.own_labels
    _, passing = chunks.own_labels(np.array([[0.5, 0.49], [0.9, 0.1]]))
    assert passing.tolist() == [[1, 0], [1, 0]]


def chosen(folder: Path, labels: int = 2) -> Choice:
    """The exported choice of a threshold of 0.2 for the second label."""
    first = Choice("macro-f1", 60, offsets=(0.0, 0.0), shares=(0.5, 0.5))
    second = Choice("macro-f1", 60, offsets=(0.0, float(np.log(4))), shares=(0.9, 0.1))
    choice = Choice("macro-f1", 60, by_label=(first, second)[:labels])
    (folder / saved_choice.FILE).write_bytes(msgspec.json.encode(choice))
    return choice


def test_each_label_has_a_threshold_of_its_own(model: Path, score: Any, tmp_path: Path) -> None:
    choice = chosen(tmp_path)
    scores, passing = saved_choice.applied(choice, multilabel=True)(
        np.array([[0.3, 0.3], [0.6, 0.1]])
    )
    assert scores.tolist() == [[0.3, 0.3], [0.6, 0.1]]
    assert passing.tolist() == [[0, 1], [1, 0]]
    shutil.copytree(model, folder := tmp_path / "exported")
    chosen(folder)
    (source := tmp_path / "in.csv").write_text("text\nthe stupid liar\n")
    code, said = score(source, "--output", tmp_path / "out.jsonl", with_model=folder)
    assert code == 0
    assert (
        "scores are the model's own; predicted are toxic from 0.5, insult from 0.2 on, chosen for "
        "macro-f1 on 60 validation comments; --raw gives the model's own"
    ) in said
    (tmp_path / "out.jsonl").unlink()
    chosen(folder, labels=1)
    code, said = score(source, "--output", tmp_path / "out.jsonl", with_model=folder)
    assert code == 2
    assert "decision.json is for another number of classes; export the model again" in said

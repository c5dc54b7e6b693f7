"""datasets/formats/annotated.py: exports of annotation tools, and rows below other keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from worthit.datasets.formats import whole
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.stream import open_table
from worthit.datasets.tables import label_values
from worthit.datasets.tables.comments import CommentReader

TEXTS = [f"number {i} was a nice soup" for i in range(12)]
LABELS = ["up", "down", "down"] * 4


def annotation(label: str, **more: Any) -> dict[str, Any]:
    result = {"value": {"choices": [label]}, "from_name": "mood", "type": "choices"}
    return {"id": 1, "result": [result], "was_cancelled": False, **more}


def label_studio(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    task = {
        "file_upload": "a longer name of a file.csv",
        "inner_id": 1,
        "predictions": [],
        "project": 1,
    }
    return {"id": 1, "annotations": [*annotations], "data": {"text": text}, **task}


def response(label: str, status: str = "submitted") -> dict[str, Any]:
    return {"user_id": "u", "values": {"mood": {"value": label}}, "status": status}


#: tool → a row, the key of the text, the key of the labels
EXPORTS: dict[str, tuple[Any, str, str]] = {
    "Label Studio": (lambda t, k: label_studio(t, annotation(k)), "data", "annotations"),
    "doccano": (lambda t, k: {"text": t, "annotations": [{"label": k, "user": 1}]}, "", "annotations"),
    "Argilla": (lambda t, k: {"status": "completed", "fields": {"text": t}, "responses": {"mood": [{"value": k}]}},
                "fields", "responses"),
    "Argilla, feedback": (lambda t, k: {"fields": {"text": t}, "responses": [response(k), response("x", "draft")]},
                          "fields", "responses"),
    "a database": (lambda t, k: {"_id": "1", "_source": {"text": t, "label": k}}, "_source", ""),
}  # fmt: skip


@pytest.mark.parametrize("tool", EXPORTS)
@pytest.mark.parametrize("as_lines", [False, True])
def test_an_export_is_read_as_texts_and_labels(tool: str, as_lines: bool, tmp_path: Path) -> None:
    row, wrapper, key = EXPORTS[tool]
    rows = [row(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    path = tmp_path / ("a.jsonl" if as_lines else "a.json")
    path.write_text("".join(json.dumps(r) + "\n" for r in rows) if as_lines else json.dumps(rows))
    found = whole.read(path)
    assert found.table["text"].to_pylist() == TEXTS
    assert found.table["label"].to_pylist() == LABELS
    lines = (
        f"the columns of {path.name} are those under {wrapper!r}",
        f"the labels of {path.name} are those under {key!r}, as {tool.partition(',')[0]} saves them",
    )
    assert found.notes == tuple(
        n for n, is_there in zip(lines, (wrapper, key), strict=True) if is_there
    )
    with Input(path) as source:
        scored = [
            t
            for chunk in CommentReader(open_table(source), None, []).chunks(5)
            for t in chunk.texts
        ]
    assert scored == TEXTS


def test_the_most_frequent_of_several_annotations_counts(tmp_path: Path) -> None:
    rows = [
        label_studio("the first of all texts", *map(annotation, ("up", "down", "down"))),
        label_studio("the second of all texts", *map(annotation, ("up", "down"))),
        label_studio("the third of all texts", annotation("up", was_cancelled=True), annotation("down")),
        label_studio("the fourth of all texts"),
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = whole.read(tmp_path / "a.json")
    assert found.table["label"].to_pylist() == ["down", None, "down", None]
    assert found.notes[-1] == (
        "of several annotations of a text the most frequent counts; texts with a tie have no label"
    )


def test_a_choice_of_null_is_no_label(tmp_path: Path) -> None:
    rows = [label_studio(text, annotation("up")) for text in TEXTS]
    rows[0]["annotations"][0]["result"][0]["value"] = {"choices": ["up", None]}
    (tmp_path / "a.json").write_text(json.dumps(rows))
    values = whole.read(tmp_path / "a.json").table["label"].to_pylist()
    assert values == ['[null, "up"]', *["up"] * (len(TEXTS) - 1)]
    assert {*label_values.read({*values}).labels.values()} == {("up",)}


def test_the_answers_to_several_questions_are_columns(tmp_path: Path) -> None:
    rows = [label_studio(text, annotation("up")) for text in TEXTS]
    for row in rows:
        value = {"value": {"rating": 3}, "from_name": "stars", "type": "rating"}
        span = {"value": {"start": 0, "end": 3, "labels": ["PER"]}, "from_name": "names"}
        row["annotations"][0]["result"] += [value, span]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert whole.read(tmp_path / "a.json").table.column_names == ["id", "text", "mood", "stars"]


def test_rows_with_a_text_of_their_own_are_left_as_they_are(tmp_path: Path) -> None:
    row = {"text": "a text of four words", "user": {"about": "a user of many words"}, "label": "up"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    found = whole.read(tmp_path / "a.jsonl")
    assert found.table.column_names == ["text", "user", "label"]
    assert found.notes == ()


@pytest.mark.parametrize("keys", [("tag", "patterns"), ("intent", "examples")])
def test_each_text_of_an_intent_is_a_row(keys: tuple[str, str], tmp_path: Path) -> None:
    label, texts = keys
    intents = [
        {label: "up", texts: TEXTS[:4], "responses": ["Thank you very much"]},
        {label: "none", texts: [], "responses": []},
        {label: "down", texts: TEXTS[4:], "responses": ["Sorry to hear that"]},
    ]
    file = tmp_path / "intents.json"
    file.write_text(json.dumps({"intents": intents}))
    found = whole.read(file)
    assert found.table.to_pylist() == [
        {"text": text, "label": "up" if i < 4 else "down"} for i, text in enumerate(TEXTS)
    ]
    line = (
        f"each of the {texts!r} of intents.json is read as a text, with its {label!r} as the label"
    )
    assert line in found.notes

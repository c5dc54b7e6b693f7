"""datasets/tables/paired_files.py: texts in one file, their labels in another."""

from pathlib import Path

import pytest

from worthit.datasets.errors import DataError
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.sources import table as table_source
from worthit.datasets.tables.columns import NOTHING, Choices

TEXTS = [f"a text, or {'so, ' * (i % 3)}number {i} ." for i in range(9)]


def read(folder: Path, **files: str) -> dict[str | None, StringTable]:
    """Side → its rows."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return {
        side: table_source._rows(content, folder, NOTHING.reading)
        for side, content in table_source._files(folder, NOTHING)
    }


def lines(values: list[str]) -> str:
    return "".join(f"{value}\n" for value in values)


def test_the_files_of_tweeteval_are_pairs_of_each_side(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        train_text__txt=lines(TEXTS), train_labels__txt=lines(list("012") * 3),
        test_text__txt=lines(TEXTS[:2]), test_labels__txt="1\n0\n",
        mapping__txt="0\tnegative\n1\tneutral\n2\tvery positive\n",
    )  # fmt: skip
    assert found.keys() == {"train", "test"}
    assert found["train"].table.to_pydict() == {
        "text": TEXTS, "label": ["negative", "neutral", "very positive"] * 3
    }  # fmt: skip
    assert found["test"].table["label"].to_pylist() == ["neutral", "negative"]
    assert found["test"].notes == ("the labels of test_text.txt are those of test_labels.txt",)


def test_labels_without_a_name_stay_numbers(tmp_path: Path) -> None:
    found = read(
        tmp_path, texts__txt=lines(TEXTS), labels__txt=lines(list("345") * 3), mapping__txt="3 up\n"
    )
    assert found[None].table["label"].to_pylist() == list("345") * 3


def test_the_names_of_labels_are_decoded_as_texts_are(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.txt"
    mapping.write_text("0 calm\n1 angry\n2 sad\n", "utf-8-sig")
    files = {"texts__txt": lines(TEXTS), "labels__txt": lines(list("012") * 3)}
    assert read(tmp_path, **files)[None].table["label"].to_pylist() == ["calm", "angry", "sad"] * 3
    mapping.write_text("0 calme\n1 colère\n2 triste\n", "latin-1")
    with pytest.raises(
        DataError, match=r"^mapping\.txt is not UTF-8 \(line 2\) .* give --encoding "
    ):
        read(tmp_path)
    choices = Choices(encoding="cp1252")
    ((_, content),) = table_source._files(tmp_path, choices)
    found = table_source._rows(content, tmp_path, choices.reading)
    assert found.table["label"].to_pylist() == ["calme", "colère", "triste"] * 3


def test_tables_of_texts_and_labels_are_joined_by_their_rows(tmp_path: Path) -> None:
    texts = "id,text\n" + lines([f'{i},"{text}"' for i, text in enumerate(TEXTS)])
    found = read(
        tmp_path,
        X_train__csv=texts,
        y_train__csv="id,label\n" + lines([f"{i},x" for i in range(9)]),
    )
    assert found["train"].table.column_names == ["id", "text", "label"]
    (tmp_path / "y_train.csv").write_text("id,label\n" + lines([f"{i + 1},x" for i in range(9)]))
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        "the column id of X_train.csv and y_train.csv differs; save both as one table"
    )


def test_lines_of_labels_are_labels_beside_any_table(tmp_path: Path) -> None:
    comments = "id,comment\n" + lines([f'{i},"{text}"' for i, text in enumerate(TEXTS)])
    found = read(tmp_path, X_train__csv=comments, y_train__txt=lines(["up", "down", "up"] * 3))
    assert found["train"].table.column_names == ["id", "comment", "label"]
    assert found["train"].table["label"].to_pylist() == ["up", "down", "up"] * 3


def test_files_of_different_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, train_text__txt=lines(TEXTS), train_labels__txt="0\n1\n")
    assert str(caught.value) == (
        "train_text.txt has 9 texts, train_labels.txt has 2 labels; give both the same number of lines"
    )


def test_a_table_with_labels_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + lines([f'"{text}",x' for text in TEXTS]))
    (tmp_path / "labels.csv").write_text("text,label\n" + lines([f'"{text}",x' for text in TEXTS]))
    sided = table_source._files(tmp_path, NOTHING)
    assert [content for _, content in sided] == [tmp_path / "data.csv", tmp_path / "labels.csv"]


def test_the_folders_of_snips_are_the_sides(tmp_path: Path) -> None:
    for side in ("train", "test"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "seq.in").write_text(lines(TEXTS))
        (tmp_path / side / "label").write_text(lines(["play", "rate", "book"] * 3))
    found = read(tmp_path)
    assert found.keys() == {"train", "test"}
    assert found["train"].table["label"].to_pylist() == ["play", "rate", "book"] * 3

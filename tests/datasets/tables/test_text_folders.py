"""datasets/tables/text_folders.py: folders of classes with one text in each file."""

from pathlib import Path

import pytest

from worthit.datasets import prepare
from worthit.datasets.errors import DataError
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices


def write(folder: Path, count: int, word: str, encoding: str = "utf-8") -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}_7.txt").write_bytes(f"{word} café,\nsoup {number}\n".encode(encoding))


def test_each_file_is_a_text_and_its_folder_names_the_class(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        write(tmp_path / "reviews" / name, 40, name)
    (tmp_path / "reviews" / "README").write_text("about these reviews")
    prepared = prepare.prepare(str(tmp_path / "reviews"), Protocol())
    assert prepared.classes == ("neg", "pos")
    assert prepared.notes[0] == (
        "each file of reviews is a text, and the folder it is in names its class"
    )
    tested = prepare.comments(prepared.key, "test")
    assert all(text.startswith(("neg", "pos")[label] + " café,\nsoup")
               for text, label in zip(tested.texts, tested.labels, strict=True))  # fmt: skip
    assert prepared.steps[0].comments == 80


def test_folders_of_sides_are_the_split_and_unlabelled_texts_are_left_out(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        write(tmp_path / "imdb" / "train" / name, 30, f"trained {name}")
        write(tmp_path / "imdb" / "test" / name, 20, f"tested {name}")
    write(tmp_path / "imdb" / "train" / "unsup", 50, "nobody knows")
    (tmp_path / "imdb" / "train" / "urls_pos.txt").write_text("http://example.org/1\n")
    prepared = prepare.prepare(str(tmp_path / "imdb"), Protocol())
    assert prepared.classes == ("neg", "pos")
    tested = prepare.comments(prepared.key, "test").texts
    assert len(tested) == 40
    assert all(text.startswith("tested") for text in tested)
    trained = prepare.comments(prepared.key, "train").texts
    assert all(text.startswith("trained") for text in trained)
    assert "left out, without a class: 50 texts of unsup" in prepared.notes


def test_other_encodings_are_named_by_the_user(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        write(tmp_path / "old" / name, 40, name, "latin-1")
    with pytest.raises(DataError, match=r"0_7\.txt is not UTF-8; give --encoding NAME"):
        prepare.prepare(str(tmp_path / "old"), Protocol())
    choices = Choices(encoding="latin-1")
    prepared = prepare.prepare(str(tmp_path / "old"), Protocol(), choices)
    assert "café" in prepare.comments(prepared.key, "test").texts[0]


def test_a_few_tables_in_folders_stay_tables(tmp_path: Path) -> None:
    for name in ("en", "de"):
        (tmp_path / "both" / name).mkdir(parents=True)
        rows = [f"{name} text {i}\t{'up' if i % 2 else 'down'}" for i in range(60)]
        (tmp_path / "both" / name / "train.txt").write_text("\n".join(["text\tlabel", *rows]))
        rows = [f"{name} other {i}\t{'up' if i % 2 else 'down'}" for i in range(20)]
        (tmp_path / "both" / name / "test.txt").write_text("\n".join(["text\tlabel", *rows]))
    prepared = prepare.prepare(str(tmp_path / "both"), Protocol())
    assert {*prepared.classes} == {"down", "up"}
    assert prepared.steps[0].comments == 160


def test_options_of_tables_are_refused_where_there_is_none(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        write(tmp_path / "reviews" / name, 10, name)
    lines, pairs = tmp_path / "lines", tmp_path / "pairs"
    for folder, files in ((lines, ("pos.txt", "neg.txt")), (pairs, ("texts.txt", "labels.txt"))):
        folder.mkdir()
        for file in files:
            (folder / file).write_text(f"a text of {file}\n" * 9)
    for folder, choices, line in (
        (tmp_path / "reviews", Choices(columns=("a", "b")), "--columns is for CSV and its relatives, which reviews"),
        (lines, Choices(delimiter=";"), "--delimiter is for CSV and its relatives, which lines"),
        (pairs, Choices(sheet="Data"), "--sheet is for Excel files, which pairs"),
    ):  # fmt: skip
        with pytest.raises(DataError) as caught:
            prepare.prepare(str(folder), Protocol(), choices)
        assert str(caught.value) == f"{line} is not; omit it"

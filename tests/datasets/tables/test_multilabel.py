"""Several labels per row: read from columns of 0 and 1 or from lists, split, and prepared."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worthit.datasets import prepare, transfer
from worthit.datasets.audit import audit
from worthit.datasets.errors import DataError, OptionError, WorthitError
from worthit.datasets.splits.manifest import Prepared
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables import multilabel
from worthit.datasets.tables.columns import Choices, label_columns

NAMES = ("toxic", "insult", "threat")


def flags(rows: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found: np.ndarray = (rng.random((rows, 3)) < (0.5, 0.3, 0.1)).astype(int)
    return found


def table(
    folder: Path, labels: np.ndarray, names: Sequence[str] = NAMES, name: str = "mine.csv"
) -> Path:
    with (file := folder / name).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", *names])
        writer.writerows([f"comment {name} {row}", *of] for row, of in enumerate(labels.tolist()))
    return file


def prepared(file: Path, protocol: Protocol | None = None, **choices: Any) -> Prepared:
    choices = choices or {"label_column": ",".join(NAMES)}
    return prepare.prepare(str(file), protocol or Protocol(), Choices(**choices))


def test_columns_of_0_and_1_become_a_matrix(tmp_path: Path) -> None:
    labels = flags()
    made = prepared(table(tmp_path, labels))
    assert (made.classes, made.multilabel, made.balanced) == (NAMES, True, False)
    train = prepare.comments(made.key, "train")
    rows = [int(text.rpartition(" ")[2]) for text in train.texts]
    assert train.labels.tolist() == labels[rows].tolist()
    assert made.step("train").counts == tuple(labels[rows].sum(axis=0).tolist())
    test = prepare.comments(made.key, "test")
    assert made.population == tuple(test.labels.sum(axis=0).tolist())
    several, none = (labels.sum(axis=1) > 1).sum(), (labels.sum(axis=1) == 0).sum()
    line = (
        f"3 labels (columns of 0 and 1): toxic, insult, threat; {several} rows have several of them, "
        f"{none} none"
    )
    assert line in made.notes
    assert f"400 rows read, 400 left, {len(test)} tested" in made.notes


@pytest.mark.parametrize("part", ["train", "test", "validation"])
def test_each_part_has_the_shares_of_the_whole(tmp_path: Path, part: str) -> None:
    labels = flags(2_000)
    made = prepared(table(tmp_path, labels))
    shares = prepare.comments(made.key, part).labels.mean(axis=0)
    assert shares == pytest.approx(labels.mean(axis=0), abs=0.02)


@pytest.mark.parametrize("written", ["list", "bar"])
def test_a_column_of_lists_is_read_as_columns_are(tmp_path: Path, written: str) -> None:
    labels = flags()
    names = [[name for name, has in zip(NAMES, row, strict=True) if has] for row in labels]
    with (file := tmp_path / "lists.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "labels"])
        for row, of in enumerate(names):
            value = str(of) if written == "list" else "|".join(of)
            writer.writerow([f"comment mine.csv {row}", value])
    made = prepared(file, multilabel=True)
    assert made.classes == tuple(sorted(NAMES))
    train = prepare.comments(made.key, "train")
    rows = [int(text.rpartition(" ")[2]) for text in train.texts]
    expected = labels[rows][:, [NAMES.index(name) for name in made.classes]]
    assert train.labels.tolist() == expected.tolist()
    has_none = any(not row.any() for row in labels[rows])
    assert has_none == (written == "list")  # an empty value is a missing label


def test_labels_too_rare_or_too_common_are_left_out_with_a_line(tmp_path: Path) -> None:
    labels = np.column_stack([flags(), np.ones(400, int), np.zeros(400, int)])
    labels[:2, 4] = 1
    names = (*NAMES, "always", "rare")
    made = prepared(table(tmp_path, labels, names), label_column=",".join(names))
    assert made.classes == NAMES
    lines = [note for note in made.notes if "left out" in note]
    assert lines[0] == (
        "1 label is too rare or too common to train and test on and left out: always (400) of 400 comments"
    )
    assert "rare (2) of 400 comments" in lines[1]


def test_every_label_is_on_some_and_not_all_comments_of_both_sides(tmp_path: Path) -> None:
    for seed in range(4):
        labels = (np.random.default_rng(seed).random((200, 3)) < (0.5, 0.06, 0.04)).astype(int)
        made = prepared(table(tmp_path, labels, name=f"{seed}.csv"))
        for part in ("train", "test"):
            shares = prepare.comments(made.key, part).labels.mean(axis=0)
            assert ((shares > 0) & (shares < 1)).all()


def test_one_common_label_is_not_enough(tmp_path: Path) -> None:
    labels = flags()
    labels[:, 1:] = 0
    with pytest.raises(DataError, match=r"^of 3 labels only toxic is common enough"):
        prepared(table(tmp_path, labels))


@pytest.mark.parametrize("column", ["group", "split"])
def test_groups_and_given_sides_stay_as_they_are(tmp_path: Path, column: str) -> None:
    labels = flags()
    side = np.where(np.arange(400) % 4 == 0, "test", "train")
    with (file := tmp_path / "sided.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", *NAMES, "group", "side"])
        for row, of in enumerate(labels.tolist()):
            writer.writerow([f"comment {row // 4} {row}", *of, row // 4, side[row]])
    names = {"group": "group", "split": "side"}
    given = {f"{column}_column": names[column], "label_column": ",".join(NAMES)}
    made = prepared(file, **given)
    parts = [prepare.comments(made.key, part).texts for part in ("train", "test")]
    if column == "group":
        groups = [{text.split()[1] for text in part} for part in parts]
        assert not groups[0] & groups[1]
    else:
        assert {int(text.rpartition(" ")[2]) % 4 for text in parts[1]} == {0}


def test_a_side_without_comments_is_named(tmp_path: Path) -> None:
    with (file := tmp_path / "sided.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", *NAMES, "group", "split"])
        for row, of in enumerate(flags().tolist()):
            side = "train" if row % 4 else "test"
            writer.writerow([f"comment {row}", *of, row // 4, side])
    with pytest.raises(DataError, match=r"^no comment is left to train on; give both sides"):
        prepared(file, group_column="group", label_column=",".join(NAMES))


def test_repeated_texts_with_other_labels_are_counted(tmp_path: Path) -> None:
    labels = flags(401)
    file = table(tmp_path, labels)
    lines = file.read_text().splitlines()
    first = lines[1].split(",")
    first[3] = str(1 - int(first[3]))
    file.write_text("\n".join([*lines, ",".join(first)]))
    assert "1 text occurs with different labels; only the first row of each is kept" in (
        prepared(file).notes
    )


def test_options_that_make_no_sense_are_refused_or_said(tmp_path: Path) -> None:
    file = table(tmp_path, flags())
    with pytest.raises(OptionError, match=r"^--merge-rare merges classes, but a comment has sever"):
        prepared(file, Protocol(merge_rare=True))
    with pytest.raises(DataError, match=r"^--positive-label toxic learns one label, but --label-c"):
        prepared(file, label_column=",".join(NAMES), positive_label="toxic")
    made = prepared(file, Protocol(balance=True))
    assert any("--balance yes has no effect" in note for note in made.notes)
    assert not any("balance" in note for note in prepared(file).notes)
    weighted = prepared(file, Protocol(weights=True))
    assert weighted.weighted
    assert any("for each label" in note for note in weighted.notes)


@pytest.mark.parametrize(
    ("label_column", "message"),
    [
        ("toxic,anger", "mine.csv has the columns text, toxic, insult, threat, but not anger; name one of them"),
        ("text,toxic", "text of mine.csv is named as both the text and the label; name two columns"),
    ],
)  # fmt: skip
def test_columns_that_are_missing_or_taken_are_named(
    tmp_path: Path, label_column: str, message: str
) -> None:
    with pytest.raises(WorthitError, match=re.escape(message)):
        prepared(table(tmp_path, flags()), label_column=label_column, text_column="text")


def test_other_values_than_0_and_1_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"^the column a of mine.csv holds 'maybe', but each of several "
    ):
        multilabel.of_columns({"a": ["0", "maybe"], "b": ["1", "0"]}, "mine.csv")
    read = multilabel.of_columns({"a": ["yes", "", "no"], "b": ["1.0", "0", "0"]}, "mine.csv")
    assert [read.sets[place] for place in read.indices[[0, 2]]] == [(0, 1), ()]
    assert read.indices[1] == -1  # a missing value


def test_multilabel_needs_rows_with_several_labels() -> None:
    with pytest.raises(DataError, match=r"^no row of mine.csv has several labels in the column x"):
        multilabel.of_values(["a", "b"], "x", "mine.csv")


def test_a_name_with_a_comma_is_one_column() -> None:
    assert label_columns("a,b", ["text", "a,b"]) == ("a,b",)
    assert label_columns("a, b", ["text", "a", "b"]) == ("a", "b")


def test_the_audit_counts_by_label_and_estimates_no_noise(tmp_path: Path) -> None:
    made = prepared(table(tmp_path, flags()))
    found = audit.examine(made.key)
    sides = [prepare.comments(made.key, part).labels for part in ("train", "validation")]
    assert found.train.counts == tuple(np.concatenate(sides).sum(axis=0).tolist())
    assert found.label_noise.train is None
    assert "several labels" in found.summary()
    assert found.length_auc is None


def test_an_out_of_domain_table_needs_the_same_labels(tmp_path: Path) -> None:
    made = prepared(table(tmp_path, flags()))
    choices = Choices(label_column=",".join(NAMES))
    labels = flags(seed=1)
    other = table(tmp_path, labels, name="other.csv")
    found = transfer.prepare_one(str(other), made, choices)
    assert found.mapped_to == NAMES
    part = prepare.comments(found.key, "test")
    rows = [int(text.rpartition(" ")[2]) for text in part.texts]
    assert part.labels.tolist() == labels[rows].tolist()
    assert found.steps[-1].counts == tuple(part.labels.sum(axis=0).tolist())

    more = table(tmp_path, np.column_stack([labels, labels[:, :1]]), (*NAMES, "spam"), "more.csv")
    both = Choices(label_column=",".join((*NAMES, "spam")))
    assert transfer.prepare_one(str(more), made, both).warning.startswith("spam of more.csv: left")
    fewer = table(tmp_path, labels[:, :2], NAMES[:2], "fewer.csv")
    with pytest.raises(
        DataError, match=r"^--also-test fewer.csv has no label threat; it has toxic"
    ):
        transfer.prepare_one(str(fewer), made, Choices(label_column="toxic,insult"))
    one = table(tmp_path, labels[:, :1], NAMES[:1], "one.csv")
    with pytest.raises(DataError, match=r"^--also-test one.csv cannot be read as several labels"):
        transfer.prepare_one(str(one), made, Choices())

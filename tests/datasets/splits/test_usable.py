"""Rare classes, classes on one side only, counts of rows, and small test sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worthit.datasets import prepare
from worthit.datasets.corpus import About
from worthit.datasets.errors import DataError
from worthit.datasets.splits import counts
from worthit.datasets.splits.manifest import Step
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices


def csv(folder: Path, rows: list[str], header: str = "text,label") -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def labelled(**numbers: int) -> list[str]:
    return [f"{name} comment {i},{name}" for name, rows in numbers.items() for i in range(rows)]


def prepared(path: Path, protocol: Protocol | None = None, **choices: Any) -> prepare.Prepared:
    return prepare.prepare(str(path), protocol or Protocol(), Choices(**choices))


def test_one_typo_of_a_class_is_left_out_and_said(tmp_path: Path) -> None:
    made = prepared(csv(tmp_path, labelled(spam=50, ham=40, spamm=1)))
    assert made.classes == ("ham", "spam")
    assert made.balanced
    assert made.notes[2:6] == (
        "3 classes in label: ham, spam, spamm",
        "1 class is too rare to split and left out: spamm, 1 comment",
        "positive class: spam (by its name; --positive-label changes it)",
        "91 rows read, 1 of left-out classes, 90 left, 8 tested",
    )
    train = prepare.comments(made.key, "train")
    assert [text.startswith("spam ") for text in train.texts] == [*map(bool, train.labels)]


def test_duplicates_may_make_a_class_too_rare(tmp_path: Path) -> None:
    made = prepared(csv(tmp_path, [*labelled(up=40, down=40), *["same thing,maybe"] * 50]))
    assert (
        "1 class is too rare to split and left out: maybe, 1 comment (of 50 rows; duplicates and empty texts do "
        "not count)"
    ) in made.notes


def test_rare_classes_are_merged_if_asked(tmp_path: Path) -> None:
    path = csv(tmp_path, labelled(a=40, b=40, c=4, d=3, e=2, f=1))
    made = prepared(path)
    assert made.classes == ("b", "a")
    assert (
        "4 classes are too rare to split and left out (--merge-rare merges them into one class): c, d, e and 1 "
        "more, 10 comments"
    ) in made.notes
    made = prepared(path, Protocol(merge_rare=True))
    assert made.classes == ("a", "b", "other")
    assert made.steps[0].counts == (40, 40, 10)
    assert (
        "4 classes are too rare to split and merged into the class other: c, d, e and 1 more, 10 comments"
        in made.notes
    )


def test_merged_classes_do_not_take_the_name_of_another(tmp_path: Path) -> None:
    path = csv(tmp_path, labelled(Other=40, b=40, c=4, d=4))
    assert prepared(path, Protocol(merge_rare=True)).classes == ("b", "Other", "other classes")


def test_too_few_of_all_classes_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^too few comments are left after filtering"):
        prepared(csv(tmp_path, labelled(a=3, b=3, c=3)))


def test_classes_on_one_side_only_are_said(tmp_path: Path) -> None:
    rows = [
        *(f"{row},train" for row in labelled(a=40, b=40, c=20)),
        *(f"test {row},test" for row in labelled(a=20, b=20, d=10)),
    ]
    path = csv(tmp_path, rows, "text,label,split")
    made = prepared(path)
    assert made.classes == ("a", "b", "c")
    assert made.step("test").counts == (20, 20, 0)
    assert "1 class is without a training comment and left out: d, 10 comments" in made.notes
    assert "1 class has no test comment, so how well it is found is unknown: c" in made.notes
    assert "150 rows read, 10 of left-out classes, 140 left, 40 tested" in made.notes
    merged = prepared(path, Protocol(merge_rare=True))
    assert merged.step("test").counts == (20, 20, 10)
    assert "2 classes are not on both sides and merged into the class other: c, d, 30 comments" in (
        merged.notes
    )


def test_classes_that_cannot_be_merged_are_as_without_the_option(tmp_path: Path) -> None:
    rows = [
        *(f"{row},train" for row in labelled(a=40, b=40, c=20)),
        *(f"test {row},test" for row in labelled(a=20, b=20)),
    ]
    one = prepared(csv(tmp_path, rows, "text,label,split"), Protocol(merge_rare=True))
    assert one.classes == ("a", "b", "c")
    assert "1 class has no test comment, so how well it is found is unknown: c" in one.notes
    rows += [f"test {row},test" for row in labelled(c=9, d=10, e=10)]
    untrained = prepared(csv(tmp_path, rows, "text,label,split"), Protocol(merge_rare=True))
    assert untrained.classes == ("a", "b", "c")
    assert "2 classes are without a training comment and left out: d, e, 20 comments" in (
        untrained.notes
    )


def test_a_class_in_a_single_group_is_left_out(tmp_path: Path) -> None:
    rows = [f"{row},{i % 20}" for i, row in enumerate(labelled(a=100, b=100))]
    rows += [f"{row},alone" for row in labelled(c=20)]
    made = prepared(csv(tmp_path, rows, "text,label,author"), group_column="author")
    assert set(made.classes) == {"a", "b"}


def test_texts_that_repeat_with_different_labels_are_counted(tmp_path: Path) -> None:
    rows = [*labelled(up=60, down=60), "up comment 1,down", "UP  comment 2,down", "up comment 3,up"]
    made = prepared(csv(tmp_path, rows))
    assert "2 texts occur with different labels; only the first row of each is kept" in made.notes
    assert "123 rows read, 3 duplicates, 120 left, 12 tested" in made.notes
    kept = prepare.comments(made.key, "train")
    assert not {"UP  comment 2"} & {*kept.texts}


def test_the_line_of_counts_names_all_reasons() -> None:
    steps = [
        Step("in the corpus, 7 rows without a label left out", 100, (50, 50)),
        Step("not empty", 98, (49, 49)),
        Step("English, or not confidently foreign", 90, (45, 45)),
        Step("without exact duplicates", 80, (40, 40)),
        Step("without duplicates but for case and white space", 78, (39, 39)),
        Step("balanced", 60, (30, 30)),
        Step("train, balanced", 54, (27, 27)),
        Step("test, balanced", 6, (3, 3)),
    ]
    about = About(unlabelled=7, of_left_out_classes=2)
    assert counts.counted(about, steps) == (
        "109 rows read, 7 unlabelled, 2 of left-out classes, 2 empty, 8 in another language, "
        "12 duplicates, 78 left, 6 tested"
    )
    assert counts.small(steps, ("a", "b")) == (
        "small test set, 6 comments (3 of the rarer class): duplicates removed 12 comments and balancing "
        "removed 18 (--no-balance restores them)"
    )


def test_a_handful_of_a_class_is_a_small_test_set_too() -> None:
    steps = [Step("test", 300, (297, 3))]
    line = counts.small(steps, ("a", "b"))
    assert line.startswith("small test set, 300 comments (3 of the rarer class)")
    assert not counts.small([Step("test", 300, (280, 20))], ("a", "b"))


def test_unlabelled_rows_are_in_the_line_of_counts(tmp_path: Path) -> None:
    rows = [*labelled(up=40, down=40), *(f"other {i}," for i in range(80)), " ,up"]
    assert (
        "161 rows read, 80 unlabelled, 1 empty, 80 left, 8 tested"
        in prepared(csv(tmp_path, rows)).notes
    )
    assert np.sum(prepared(csv(tmp_path, rows)).steps[0].counts) == 81


def test_an_exact_size_that_is_too_large_says_what_was_removed(tmp_path: Path) -> None:
    path = csv(tmp_path, [*labelled(up=40, down=400), *labelled(up=5)])
    with pytest.raises(DataError) as caught:
        prepared(path, Protocol(test_size=50))
    assert str(caught.value) == (
        "--test-size is 50, but that side of the split has 8 comments; ask for at most 8; 5 repeat another one; "
        "balancing removed 360, --no-balance keeps them"
    )

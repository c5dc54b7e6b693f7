"""Labels of any shape: which column, which classes, and what is said of them."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets import prepare
from worthit.datasets.errors import DataError, WorthitError
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables import label_column, label_values, labels, positive
from worthit.datasets.tables.columns import Choices
from worthit.datasets.tables.label_values import NotLabelsError

ROWS = 60


def table(**columns: Sequence[str | None]) -> StringTable:
    """A table of `ROWS` rows; the values of each column recur."""
    values = {name: [given[i % len(given)] for i in range(ROWS)] for name, given in columns.items()}
    return StringTable("mine.csv", pa.table(values))


def prepared(path: Path, protocol: Protocol | None = None, **choices: Any) -> prepare.Prepared:
    return prepare.prepare(str(path), protocol or Protocol(), Choices(**choices))


def json_lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "mine.jsonl"
    lines = [json.dumps({"text": f"comment number {i}"} | row) for i, row in enumerate(rows)]
    path.write_text("\n".join(lines), "utf-8")
    return path


FLAGS = ["0", "1", "1"]
GUESSED: dict[str, tuple[dict[str, Sequence[str]], str]] = {
    "ratings beside a flag": ({"verified": ["true", "false"], "overall": ["1.0", "5.0"]}, "overall"),
    "stars": ({"stars": ["1", "5"], "useful": ["0", "1"], "cool": ["0", "1", "2"]}, "stars"),
    "score": ({"score": ["1", "5"], "pages": ["7", "8", "9"]}, "score"),
    "rating": ({"rating": ["1", "5"], "pages": ["7", "8", "9"]}, "rating"),
    "a name that ends with it": (
        {"airline_sentiment": ["good", "bad"], "airline": ["A", "B", "C"]}, "airline_sentiment"),
    "label beats what labels often say": ({"spam": FLAGS, "label": ["0", "1"]}, "label"),
    "a number of the class": ({"Class Index": ["1", "2"], "label_confidence": ["1", "2"]}, "Class Index"),
    "another language": ({"Catégorie": ["a", "b"], "sexe": ["f", "h", "x"]}, "Catégorie"),
    "an id that looks like a label": ({"user_id": ["1", "2", "3"], "kind": ["up", "down"]}, "kind"),
    "many classes beside an unknown column": (
        {"intent": [f"intent {i}" for i in range(25)], "part": ["x", "y"]}, "intent"),
    "fractions are not classes": ({"score": ["0.1", "0.7"], "sentiment": ["up", "down"]}, "sentiment"),
    "a label that is the same everywhere": ({"label": ["tweet"], "mood": ["up", "down"]}, "mood"),
}  # fmt: skip


@pytest.mark.parametrize("case", GUESSED)
def test_the_label_column_is_found_by_its_name_or_values(case: str) -> None:
    columns, expected = GUESSED[case]
    assert label_column.guess(table(**columns), ()) == (expected, "")


def test_a_column_named_as_the_label_is_not_passed_over_for_its_fractions() -> None:
    civil = table(target=["0.166", "0.9"], rating=["approved", "rejected"])
    assert label_column.guess(civil, ()) == ("target", "")
    both = table(target=["0.166", "0.9"], category=["up", "down"])
    assert label_column.guess(both, ()) == ("category", "")


def test_a_column_of_names_is_taken_instead_of_their_numbers() -> None:
    rows = table(label=["0", "1", "2"], label_text=["anger", "joy", "fear"], who=["a", "b"])
    assert label_column.guess(rows, ()) == ("label_text", "it names the classes of label")
    reviewers = table(overall=["1", "2", "3"], reviewer_name=["x", "y", "z"])
    assert label_column.guess(reviewers, ()) == ("overall", "")


ASKED: dict[str, tuple[dict[str, Sequence[str]], str]] = {
    "two known names": (
        {"topic": ["a", "b", "c"], "sentiment": ["up", "down"]},
        "the columns topic, sentiment of mine.csv could all be the label; choose "
        "one: --label-column topic, or another"),
    "no known name": (
        {"queue": ["a", "b", "c"], "high priority": ["x", "y"]},
        "the columns queue, high priority of mine.csv could all be the label; choose "
        "one: --label-column queue, or another"),
    "six columns": (
        {"toxic": FLAGS, "severe": ["0"], "obscene": ["0", "1"], "threat": ["0"], "insult": FLAGS},
        "mine.csv has 5 columns of 0 and 1 (toxic, obscene, insult, severe, threat), so a comment may have several "
        "labels; add --label-column toxic,obscene,insult,severe,threat to learn them all, or --label-column toxic, or "
        "another, to learn one"),
    "two known flags": (
        {"toxic": FLAGS, "hate": ["0", "1"]},
        "mine.csv has 2 columns of 0 and 1 (toxic, hate), so a comment may have several labels; add "
        "--label-column toxic,hate to learn them all, or --label-column toxic, or another, to learn one"),
    "names with commas cannot be joined": (
        {"hate, severe": FLAGS, "rude": FLAGS, "mean": FLAGS},
        "mine.csv has 3 columns of 0 and 1 (hate, severe, rude, mean), so a comment may have several labels; add "
        '--label-column "hate, severe", or another, to learn one'),
    "only columns that describe": (
        {"user_id": ["1", "2"], "verified": ["0", "1"]},
        "mine.csv has the columns user_id, verified, none of which looks like a label; name it with --label-column"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_several_plausible_columns_ask_in_one_line(case: str) -> None:
    columns, line = ASKED[case]
    with pytest.raises(DataError) as caught:
        label_column.guess(table(**columns), ())
    assert str(caught.value) == line


SHAPES: dict[str, tuple[list[str], list[tuple[str, ...]], str]] = {
    "names": (["a b", "c,d"], [("a b",), ("c,d",)], ""),
    "JSON lists": (['["a"]', "[]"], [("a",), ()], "lists"),
    "Python lists": (["['a', 'b']", "['c']"], [("a", "b"), ("c",)], "lists"),
    "NumPy lists": (["['a' 'b']", "[1 2]"], [("a", "b"), ("1", "2")], "lists"),
    "truth values": (['{"a": true, "b": false}', '{"a": 0.0, "b": 1.0}'], [("a",), ("b",)], "dictionaries"),
    "truth values of one label": (['{"a": 1.0}', '{"a": 0.0}', '{}'], [("a",), ("not a",), ()], "dictionaries"),
    "numbers as keys": (["{0: 0.9, 1: 0.1}", "{0: 0, 1: 1}"], [("0",), ("1",)], "dictionaries"),
    "choices": (['{"choices": ["a", "b"]}'], [("a", "b")], "dictionaries"),
    "objects with names": (['[{"label": "a"}]'], [("a",)], "lists"),
    "vectors": (["[1, 0, 0]", "[0, 1, 1]"], [("0",), ("1", "2")], "vectors of 0 and 1"),
    "vectors by NumPy": (["[1. 0. 0.]", "[0. 1. 1.]"], [("0",), ("1", "2")], "vectors of 0 and 1"),
    "truth values by NumPy": (["[ True False]", "[ True  True]"], [("0",), ("0", "1")], "vectors of 0 and 1"),
    "numbers within a name": (["['top 10 20', 'b']", "['b']"], [("top 10 20", "b"), ("b",)], "lists"),
    "a bar": (["a|b", "c"], [("a", "b"), ("c",)], "labels separated by a bar"),
    "a semicolon": (["a; b", "b; c", "a"], [("a", "b"), ("b", "c"), ("a",)], "labels separated by a semicolon"),
    "commas": (["3,17", "3", "17"], [("3,17",), ("3",), ("17",)], ""),
    "commas that recur": (["3,17", "3,27", "17"], [("3", "17"), ("3", "27"), ("17",)], "labels separated by a comma"),
    "names with commas": (["Books, Music", "Toys, Games"], [("Books, Music",), ("Toys, Games",)], ""),
    "decimals": (["1,5", "2,5", "2,0"], [("1.5",), ("2.5",), ("2.0",)], "numbers with commas"),
    "decimals and integers": (["3,3", "2", "27,3"], [("3.3",), ("2",), ("27.3",)], "numbers with commas"),
    "thousands": (["1,000", "2,000", "500"], [("1000",), ("2000",), ("500",)], "numbers with commas"),
    "millions": (["1,000,000", "2,500"], [("1000000",), ("2500",)], "numbers with commas"),
    "fastText": (["__label__a", "__label__a __label__b"], [("a",), ("a", "b")], "__label__ before each label"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_the_labels_of_a_value_are_read_as_people_write_them(case: str) -> None:
    values, expected, form = SHAPES[case]
    found = label_values.read(values)
    assert [found.labels[value] for value in values] == expected
    assert found.form == form


def test_spans_are_not_labels() -> None:
    for value in ('[[0, 5, "PER"]]', '[{"start": 0, "end": 5, "label": "PER"}]'):
        with pytest.raises(
            DataError, match=r"^the column label of mine\.csv holds .*, not labels of"
        ):
            labels.to_classes([value] * 9, "label", None, "mine.csv")


def test_several_labels_of_a_row_never_become_a_class() -> None:
    values = ["up", "down", "up|urgent", "down|urgent"] * 20
    with pytest.raises(DataError) as caught:
        labels.to_classes(values, "labels", None, "mine.csv")
    assert str(caught.value) == (
        "40 rows of mine.csv have several labels in the column labels (down, up, urgent); add --multilabel "
        "to learn them all, or --positive-label down, or another, to learn one"
    )


@pytest.mark.parametrize(
    "values",
    [["up", "up|Urgent"], ['["up"]', '["up", "urgent"]', "[]"], ["up", "up; urgent", "down; urgent"]],
)  # fmt: skip
def test_a_positive_label_means_has_this_label(values: list[str]) -> None:
    found = labels.to_classes([*values, None], "labels", "urgent", "mine.csv")
    assert [name.casefold() for name in found.classes] == ["not urgent", "urgent"]
    assert found.indices.tolist() == [*(int("rgent" in value) for value in values), -1]
    assert "against those without" in found.notes[0]


def test_a_label_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        WorthitError, match=r"^--positive-label 'x' is not a label; there are a, b$"
    ):
        labels.to_classes(["a|b", "a"], "labels", "x", "mine.csv")


def test_decimal_commas_are_numbers_or_ratings() -> None:
    with pytest.raises(DataError) as caught:
        labels.to_classes(["27,3", "28,1", "3,14"] * 20, "score", None, "a.csv")
    assert str(caught.value) == (
        "the column score of a.csv holds numbers such as 27.3, not classes; add a column of classes (say, 1 "
        "from a threshold on), or name another with --label-column"
    )
    ratings = labels.to_classes(["4,5", "3,0", "5,0"] * 20, "rating", None, "a.csv")
    assert ratings.classes == ("3", "4.5", "5")
    assert ratings.notes[0] == "rating holds numbers with commas"


def test_ratings_are_classes_in_order() -> None:
    found = labels.to_classes(["5.0", "1.0", "4.5", "3.0"] * 9, "stars", None, "mine.csv")
    assert found.classes == ("1", "3", "4.5", "5")
    assert found.notes == (
        "4 classes in stars: 1, 3, 4.5, 5 (--positive-label 5 makes one class of the others)",
    )


def test_many_values_are_merged_by_a_positive_label_before_they_are_counted() -> None:
    values = [f"intent {i % 700}" for i in range(2100)]
    found = labels.to_classes(values, "intent", "intent 7", "mine.csv")
    assert found.classes == ("not intent 7", "intent 7")
    assert found.indices.sum() == 3


def test_names_with_commas_are_quoted_where_they_are_listed() -> None:
    found = labels.to_classes(["Books, Music", "Food", "Toys"] * 9, "kind", None, "mine.csv")
    assert found.notes == ("3 classes in kind: 'Books, Music', 'Food', 'Toys'",)


@pytest.mark.parametrize(
    ("one", "other", "expected", "why"),
    [
        ("fake", "true", "fake", "by its name"),
        ("true", "false", "true", "by its name"),
        ("yes", "no", "yes", "by its name"),
        ("misleading", "true", "misleading", "the other is true"),
        ("norway", "sweden", "norway", "neither name tells; the first one"),
        ("sweden", "notice", "notice", "neither name tells; the first one"),
        ("noise", "voice", "noise", "neither name tells; the first one"),
        ("unity", "apart", "apart", "neither name tells; the first one"),
        ("not urgent", "urgent", "urgent", "the other is not urgent"),
        ("no_sale", "sale", "sale", "the other is no_sale"),
        ("non-medical", "medical", "medical", "the other is non-medical"),
        ("nonmedical", "medical", "medical", "the other is nonmedical"),
        ("uninformative", "informative", "informative", "the other is uninformative"),
        ("normal", "attack", "attack", "the other is normal"),
        ("not", "off", "off", "the other is not"),
        ("nothing", "flood", "flood", "the other is nothing"),
        ("f", "m", "f", "neither name tells; the first one"),
        ("0", "4", "4", "the other is 0"),
        ("1", "2", "2", "the larger number"),
        ("-1", "1", "1", "the larger number"),
    ],
)
def test_the_positive_class_is_the_one_that_stands_out(
    one: str, other: str, expected: str, why: str
) -> None:
    for pair in ((one, other), (other, one)):
        assert positive.guess(dict.fromkeys(pair, 5)) == (expected, why)


def test_lists_and_dictionaries_of_one_label_are_read_and_said(tmp_path: Path) -> None:
    pairs = [("up", "down") if i % 2 else ("down", "up") for i in range(ROWS)]
    made = prepared(json_lines(tmp_path, [{"label": [one]} for one, _ in pairs]))
    assert set(made.classes) == {"up", "down"}
    assert "label holds lists with one label each" in made.notes
    made = prepared(json_lines(tmp_path, [{"cats": {a: True, b: False}} for a, b in pairs]))
    assert set(made.classes) == {"up", "down"}
    assert "cats holds dictionaries with one label each" in made.notes


def test_lists_of_a_parquet_file_are_labels_and_embeddings_are_not(tmp_path: Path) -> None:
    columns = {
        "text": [f"comment number {i}" for i in range(ROWS)],
        "labels": [["up"] if i % 2 else ["down"] for i in range(ROWS)],
        "cats": [{"up": i % 2, "down": 1 - i % 2} for i in range(ROWS)],
        "embedding": [[0.5, 0.25]] * ROWS,
    }
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table(columns), path)
    for column in ("labels", "cats"):
        assert set(prepared(path, label_column=column).classes) == {"up", "down"}
    with pytest.raises(DataError, match=r"^the column embedding of mine\.parquet holds list<"):
        prepared(path, label_column="embedding")


def test_answers_of_annotators_decide_about_one_label(tmp_path: Path) -> None:
    answers = ["accept", "reject", "ignore"]
    rows = [{"label": "UP", "answer": answers[i % 3]} for i in range(90)]
    made = prepared(json_lines(tmp_path, rows))
    assert made.classes == ("not UP", "UP")
    assert made.steps[0].counts == (30, 30)
    assert (
        "answer decides: accept is UP, reject is not UP; 30 ignored rows are left out" in made.notes
    )


def test_a_rejected_one_of_several_labels_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"label": "ab"[i % 2], "answer": "reject" if i % 3 == 0 else "accept"} for i in range(90)
    ]
    made = prepared(json_lines(tmp_path, rows))
    assert made.steps[0].counts == (30, 30)
    assert (
        "answer decides: accepted rows keep their label; 30 rejected rows are left out"
        in made.notes
    )


def test_the_options_that_annotators_chose_are_the_labels(tmp_path: Path) -> None:
    options = [{"id": "A", "text": "a"}, {"id": "B", "text": "b"}]
    rows: list[dict[str, Any]] = [
        {"text": f"text {i}", "options": options, "accept": ["AB"[i % 2]], "answer": "accept"}
        for i in range(60)
    ]
    rows[0]["answer"] = "reject"
    made = prepared(json_lines(tmp_path, rows))
    assert set(made.classes) == {"A", "B"}
    assert made.notes[2:4] == (
        "answer decides: accepted rows keep their label; 1 rejected rows are left out",
        "accept holds lists with one label each",
    )


def test_answers_without_a_label_are_the_classes(tmp_path: Path) -> None:
    rows = [{"answer": ["accept", "reject", "ignore"][i % 3]} for i in range(90)]
    made = prepared(json_lines(tmp_path, rows))
    assert made.classes == ("reject", "accept")
    assert made.steps[0].counts == (30, 30)
    assert (
        "answer decides: accept and reject are the classes; 30 ignored rows are left out"
        in made.notes
    )


@pytest.mark.parametrize(
    "value", ["{[1]: 2}", "{1, 'a'}", "[b'up']", "[(1, 2)]", "[1j]", "[{}]", "[" * 900 + "]"]
)
def test_odd_values_in_brackets_are_read_or_refused(value: str) -> None:
    with contextlib.suppress(NotLabelsError):
        assert value in label_values.read({value, "['x']"}).labels


@pytest.mark.parametrize(
    ("one", "other"),
    [("Not  toxic ", "not toxic"), ("not\u00a0toxic", "not toxic"), ("toxic\u200b", "toxic"),
     ("\ufefftoxic", "toxic"), ("cole\u0300re", "col\u00e8re"), ("+1.0", "1")],
)  # fmt: skip
def test_labels_that_look_the_same_are_one_class(one: str, other: str) -> None:
    found = labels.to_classes([one, other, other, "rest"] * 9, "label", None, "mine.csv")
    assert found.indices[:3].tolist() == [found.indices[0]] * 3
    assert len(found.classes) == 2
    assert found.notes[0].endswith("are read as one class")

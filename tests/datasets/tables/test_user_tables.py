"""A user's table: classes, given splits, groups, balance, and reproducible splits."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets import corpus, prepare, registry, transfer
from worthit.datasets.errors import DataError, WorthitError
from worthit.datasets.formats import whole
from worthit.datasets.prepare import Prepared
from worthit.datasets.sources import table as table_source
from worthit.datasets.splits.protocol import AtMost, Protocol, Split, split
from worthit.datasets.tables import assemble, labels
from worthit.datasets.tables.columns import Choices, find_columns

SMALL = Protocol(
    seed=7,
    train_size=101,
    test_size=AtMost(33),
    natural_size=AtMost(40),
    validation_size=AtMost(9),
)


def csv(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def three_classes(folder: Path, name: str = "mine.csv") -> Path:
    """400 of a, 200 of b, 40 of c."""
    counts = {"a": 400, "b": 200, "c": 40}
    rows = [f"comment {i} of kind {kind},{kind}" for kind, n in counts.items() for i in range(n)]
    return csv(folder, name, "text,label", rows)


def prepared(path: Path, protocol: Protocol | None = None, **choices: Any) -> Prepared:
    return prepare.prepare(str(path), protocol or Protocol(), Choices(**choices))


def test_more_text_than_a_column_can_hold_is_refused_in_one_line() -> None:
    megabytes_64 = pa.chunked_array([pa.array(["x" * (1 << 26)])] * 33)  # one in memory, 33 times
    table = pa.table({"text": megabytes_64, "label": ["0", "1", "0"] * 11})
    choices = Choices(text_column="text", label_column="label")
    with pytest.raises(DataError) as caught:
        assemble.corpus_of([assemble.Piece(whole.StringTable("mine.csv", table))], choices)
    assert str(caught.value) == (
        "the column text holds 2.2 GB of text, the limit is 2.1 GB per column; give a part of it"
    )


def test_a_text_column_that_is_too_long_is_reported_as_too_long() -> None:
    size = 2**31  # of zeros that no memory is taken for
    buffers = [pa.py_buffer(np.array([0, size])), pa.py_buffer(np.zeros(size, np.uint8))]
    texts = pa.LargeStringArray.from_buffers(1, *buffers)
    rows = whole.from_arrow("mine.parquet", pa.table({"text": texts, "label": ["1"]}))
    assert rows.unusable == {"text": "holds more than 2.1 GB of text"}
    assert rows.table.column_names == ["label"]


def test_columns_of_the_same_name_are_unusable_in_a_typed_table_too() -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, ["text", "x", "x"])
    rows = whole.from_arrow("hub", table)
    assert rows.table.column_names == ["text"]
    assert rows.unusable == {"x": "appears 2 times"}


def step(made: Prepared | Split, name: str) -> tuple[int, ...]:
    return next(step.counts for step in made.steps if step.name.startswith(name))


@pytest.mark.parametrize(
    ("given", "protocol", "digest"),
    [
        ("synthetic:600", Protocol(), "0aeeea42358a0eac"),
        ("synthetic:600", SMALL, "901b84a9fe0f839e"),
        ("synthetic:4000", Protocol(), "9aec4ca47f40e030"),
        ("synthetic:4000", SMALL, "8c42674c157704f0"),
    ],
)
def test_a_seed_gives_the_same_rows_in_every_version(
    given: str, protocol: Protocol, digest: str
) -> None:
    chosen = split(corpus.load(registry.source(given)), protocol)
    parts = (chosen.train, chosen.validation, chosen.test, chosen.natural)
    content = b"|".join(np.asarray(part, np.int64).tobytes() for part in parts)
    assert hashlib.sha256(content).hexdigest()[:16] == digest


def test_many_classes_keep_their_shares_unless_balanced(tmp_path: Path) -> None:
    made = prepared(three_classes(tmp_path))
    assert made.classes == ("a", "b", "c")
    assert step(made, "test") == (40, 20, 4)
    assert step(made, "train") == (342, 171, 34)
    assert step(made, "validation") == (18, 9, 2)
    assert not made.balanced
    even = prepared(three_classes(tmp_path), Protocol(balance=True))
    assert step(even, "test, balanced") == (4, 4, 4)
    assert step(even, "train, balanced") == (34, 34, 34)
    shares = np.array(step(even, "natural")) / sum(step(even, "natural"))
    assert shares == pytest.approx([0.625, 0.3125, 0.0625], abs=0.03)
    assert even.population == (400, 200, 40)


def test_a_small_unbalanced_part_has_the_shares_of_the_whole_and_is_nested(tmp_path: Path) -> None:
    sizes = (4, 64, 300)
    parts = []
    for size in sizes:
        made = prepared(three_classes(tmp_path), Protocol(train_size=size))
        parts.append(set(prepare.comments(made.key, "train").texts))
        counts = np.array(step(made, "train"))
        assert counts.sum() == size
        assert counts.min() >= 1
        assert counts / size == pytest.approx([0.625, 0.3125, 0.0625], abs=1 / size + 0.01)
    assert parts[0] < parts[1] < parts[2]


def test_a_positive_label_makes_one_class_of_the_rest(tmp_path: Path) -> None:
    made = prepared(three_classes(tmp_path), positive_label="b")
    assert made.classes == ("not b", "b")
    assert step(made, "in the corpus") == (440, 200)
    assert made.balanced


@pytest.mark.parametrize(
    ("values", "column", "classes"),
    [
        ("0 1", "toxic", ("not toxic", "toxic")),
        ("0 1", "label", ("0", "1")),
        ("no yes", "is_spam", ("not spam", "spam")),
        ("-1 1", "label", ("-1", "1")),
        ("ham spam", "label", ("ham", "spam")),
        ("negative positive", "sentiment", ("negative", "positive")),
        ("neutral weird", "label", ("neutral", "weird")),
        ("red red blue", "label", ("red", "blue")),
        ("10 9 2", "label", ("2", "9", "10")),
        ("none hate offensive", "label", ("hate", "none", "offensive")),
    ],
)
def test_classes_and_which_is_positive(values: str, column: str, classes: tuple[str, ...]) -> None:
    found = labels.to_classes(values.split() * 3, column, None, "mine.csv")
    assert found.classes == classes
    assert [classes[i] for i in found.indices[: len(values.split())]] == [
        {"0": classes[0], "no": classes[0], "1": classes[1], "yes": classes[1]}.get(value, value)
        for value in values.split()
    ]


def test_a_test_file_is_kept_whole_and_training_loses_its_duplicates(tmp_path: Path) -> None:
    train = csv(
        tmp_path, "a.csv", "text,label", [f"comment {i},{i % 3 == 0:d}" for i in range(300)]
    )
    test = csv(tmp_path, "b.csv", "label,text", [f"{i % 3 == 0:d},comment {i}" for i in range(60)])
    made = prepared(train, test_file=test)
    assert step(made, "test") == (40, 20)
    tested = prepare.comments(made.key, "test").texts
    assert set(tested) == {f"comment {i}" for i in range(60)}
    assert not set(tested) & set(prepare.comments(made.key, "train").texts)
    assert "the test side is the one given" in made.notes
    assert made.population == (40, 20)
    even = prepared(train, Protocol(balance=True), test_file=test)
    assert step(even, "test, balanced") == (20, 20)
    assert step(even, "natural") == (40, 20)


def test_an_option_that_only_the_test_file_needs_is_accepted(tmp_path: Path) -> None:
    rows = [(f"comment, {i}", "ab"[i % 2]) for i in range(120)]
    train, test, book = tmp_path / "a.parquet", tmp_path / "b.csv", tmp_path / "c.xlsx"
    pq.write_table(pa.table({"text": [t for t, _ in rows], "label": [c for _, c in rows]}), train)
    test.write_text("\n".join(f"{text}!{label}" for text, label in [("text", "label"), *rows[:40]]))
    sheets = openpyxl.Workbook()
    for title in ("Notes", "Data"):
        sheet = sheets.create_sheet(title)
        sheet.append(["text", "label"])
        for text, label in rows[:40] if title == "Data" else [("a note", "b")] * 60:
            sheet.append([text, label])
    sheets.save(book)
    expected = {text for text, _ in rows[:40]}
    for file, options in ((test, {"delimiter": "!"}), (book, {"sheet": "Data"})):
        made = prepared(train, test_file=file, **options)
        assert set(prepare.comments(made.key, "test").texts) == expected
    with pytest.raises(DataError, match="--delimiter is for CSV and its relatives, which a"):
        prepared(train, test_file=book, delimiter="!")


def test_a_folder_and_a_split_column_and_two_files_make_the_same_sides(tmp_path: Path) -> None:
    rows = [f"comment {i},{i % 2}" for i in range(120)]
    folder = tmp_path / "folder"
    train = csv(folder, "train-00000.csv", "text,label", rows[:80])
    csv(folder, "dev.csv", "text,label", rows[80:100])
    csv(folder, "test.csv", "text,label", rows[100:])
    (folder / "README.md").write_text("not a table")
    names = ["train"] * 80 + ["valid"] * 20 + ["TEST"] * 20
    one = csv(
        tmp_path,
        "one.csv",
        "text,label,split",
        [f"{r},{n}" for r, n in zip(rows, names, strict=True)],
    )
    made = [prepared(folder), prepared(one), prepared(train, test_file=folder / "test.csv")]
    tested = [set(prepare.comments(m.key, "test").texts) for m in made]
    assert tested[0] == tested[1] == tested[2] == {f"comment {i}" for i in range(100, 120)}
    validation = [set(prepare.comments(m.key, "validation").texts) for m in made[:2]]
    assert validation[0] == validation[1] == {f"comment {i}" for i in range(80, 100)}
    assert any(note.startswith("split column: split (guessed") for note in made[1].notes)


def test_sheets_named_after_sides_are_the_sides(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for title, first, rows in (("Train", 0, 40), ("test", 40, 20), ("read me", 0, 0)):
        sheet = book.create_sheet(title)
        sheet.append(["text", "label"])
        for i in range(first, first + rows):
            sheet.append([f"a note on item {i}", "up" if i % 2 else "down"])
    book.save(tmp_path / "mine.xlsx")
    found = table_source.source(str(tmp_path / "mine.xlsx"), Choices()).read()
    assert found["side"].to_pylist().count(corpus.SIDES.index("test")) == 20
    assert found.num_rows == 60
    assert corpus.about(found).notes[:2] == (
        "the sheet Train of mine.xlsx is the train side (--sheet reads one sheet)",
        "the sheet test of mine.xlsx is the test side (--sheet reads one sheet)",
    )
    one = table_source.source(str(tmp_path / "mine.xlsx"), Choices(sheet="Train")).read()
    assert one.num_rows == 40


def test_a_validation_side_becomes_the_test_side_if_there_is_no_other(tmp_path: Path) -> None:
    rows = [f"comment {i},{i % 2},{'train' if i < 80 else 'dev'}" for i in range(100)]
    made = prepared(csv(tmp_path, "mine.csv", "text,label,split", rows))
    assert step(made, "test") == (10, 10)
    assert "the validation side is the test side: no labelled row is on a test side" in made.notes


def test_a_folder_with_unclear_sides_is_refused(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv", "sample.csv"):
        csv(tmp_path, name, "text,label", ["a,1", "b,0"])
    with pytest.raises(DataError, match=r"sample\.csv, whose name says neither train nor test"):
        prepared(tmp_path)


def test_a_side_without_one_of_the_classes_is_refused(tmp_path: Path) -> None:
    rows = [f"comment {i},{i % 2},train" for i in range(40)] + ["a new one,1,test"]
    with pytest.raises(DataError, match="no comment of the class 0 is left to test on; give both"):
        prepared(csv(tmp_path, "mine.csv", "text,label,split", rows))


@pytest.mark.parametrize("balance", [True, False])
def test_no_author_is_on_two_sides(tmp_path: Path, balance: bool) -> None:
    rows = [
        f"comment {i} of {i % 60},{i % 7 == 0:d},{'' if i == 5 else i % 60}" for i in range(900)
    ]
    path = csv(tmp_path, "mine.csv", "text,label,author", rows)
    made = prepared(path, Protocol(balance=balance), group_column="author")
    parts = {
        p: prepare.comments(made.key, p).texts for p in ("train", "test", "validation", "natural")
    }
    authors = {p: {text.split()[-1] for text in texts} - {"5"} for p, texts in parts.items()}
    assert not authors["train"] & (authors["test"] | authors["natural"] | authors["validation"])
    assert not authors["test"] & authors["validation"]
    assert len(parts["validation"]) > 0
    assert 0.05 < len(authors["test"]) / 60 < 0.2
    assert (
        "61 groups by author stay on one side of the split, 1 rows without a group are each a group"
        in made.notes
    )


def test_authors_that_are_written_in_several_ways_are_one_group(tmp_path: Path) -> None:
    rows = [f"comment {i},{i // 20 % 2},{i % 20}{('', '.0', ' ')[i % 3]}" for i in range(120)]
    made = prepared(csv(tmp_path, "mine.csv", "text,label,author", rows), group_column="author")
    assert "20 groups by author stay on one side of the split" in made.notes


def test_training_comments_of_authors_on_the_test_side_are_removed(tmp_path: Path) -> None:
    rows = [
        f"comment {i},{i % 2},{i // 4 % 30},{'test' if i % 8 == 0 or i % 8 == 1 else 'train'}"
        for i in range(400)
    ]
    path = csv(tmp_path, "mine.csv", "text,label,author,split", rows)
    made = prepared(path, group_column="author")
    assert sum(step(made, "without duplicates")) == 400
    assert sum(step(made, "without training comments of groups that are tested on")) == 300
    assert step(made, "test") == (50, 50)


def test_a_corpus_is_cached_for_each_choice_of_columns(tmp_path: Path) -> None:
    rows = [f"comment {i},{i % 2},{i % 3 == 0:d},note" for i in range(90)]
    path = csv(tmp_path, "mine.csv", "text,label,spam,why", rows)
    first, again, other = prepared(path), prepared(path), prepared(path, label_column="spam")
    assert first == again
    assert first.key != other.key
    assert other.classes == ("not spam", "spam")
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 2


def test_a_table_that_was_tested_on_out_of_domain_is_read_anew_to_train_on(tmp_path: Path) -> None:
    kinds = ("ham", "spam", "advert")
    mine = csv(
        tmp_path, "mine.csv", "text,label", [f"comment {i},{kinds[i % 2]}" for i in range(200)]
    )
    theirs = csv(
        tmp_path, "theirs.csv", "text,label", [f"note {i},{kinds[i % 3]}" for i in range(300)]
    )
    in_domain = prepared(mine, positive_label="spam")
    transfer.prepare_one(str(theirs), in_domain, Choices(positive_label="spam"))
    assert prepared(theirs, positive_label="spam").classes == ("not spam", "spam")


def test_names_of_datasets_are_shown_without_folders(tmp_path: Path) -> None:
    path = three_classes(tmp_path)
    shown = {
        given: registry.parse(given).shown
        for given in (str(path), f"jigsaw:{path}", "hub:a/b:c", "a/b", "synthetic:400", "wikipedia")
    }
    assert list(shown.values()) == [
        "mine.csv", "jigsaw:mine.csv", "hub:a/b:c", "hub:a/b", "synthetic:400", "wikipedia",
    ]  # fmt: skip


def test_an_error_of_many_labels_does_not_print_them(tmp_path: Path) -> None:
    path = csv(tmp_path, "mine.csv", "text,label", [f"a {i},secret {i}" for i in range(200)])
    with pytest.raises(WorthitError) as caught:
        prepared(path)
    assert "secret" not in str(caught.value)


def test_other_columns_of_texts_are_said_to_be_left_out() -> None:
    texts = [f"a longer text of some words, number {i}" for i in range(12)]
    columns = {"premise": texts, "link": texts, "hypothesis": texts[::-1], "label": ["a", "b"] * 6}
    rows = whole.from_arrow("mine.csv", pa.table(columns))
    assert find_columns(rows, Choices()).notes[0] == (
        "text column: premise (guessed, not hypothesis; --text-column changes it)"
    )
    constant = whole.from_arrow("mine.csv", pa.table({"text": [texts[0] * 2] * 12, **columns}))
    assert find_columns(constant, Choices()).text == "premise"


def test_a_column_of_numbers_is_not_the_text_because_of_its_name() -> None:
    texts = [f"a longer text of some words, number {i}" for i in range(12)]
    numbers = {"comments": ["3", "14"] * 6, "review": ["5", "1"] * 6}
    counted = whole.from_arrow(
        "mine.csv", pa.table({**numbers, "body": texts, "label": ["a", "b"] * 6})
    )
    assert find_columns(counted, Choices()).text == "body"
    alone = whole.from_arrow(
        "mine.csv", pa.table({"text": ["1", "22"] * 6, "label": ["a", "b"] * 6})
    )
    assert find_columns(alone, Choices()).text == "text"


def test_a_column_of_links_is_not_the_text_because_it_is_longer() -> None:
    links = [f"https://example.org/a/long/path/of/pictures/{i}.jpg" for i in range(12)]
    named = {"product": [f"a red hat, {i}" for i in range(12)], "picture": links}
    rows = whole.from_arrow("mine.csv", pa.table({**named, "label": ["a", "b"] * 6}))
    assert find_columns(rows, Choices()).text == "product"
    words = {"word": [f"hat{i}" for i in range(12)], "picture": links, "label": ["a", "b"] * 6}
    assert find_columns(whole.from_arrow("mine.csv", pa.table(words)), Choices()).text == "picture"

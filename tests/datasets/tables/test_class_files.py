"""datasets/tables/class_files.py: folders with a file for each class."""

from pathlib import Path

import pytest

from worthit.datasets.errors import DataError
from worthit.datasets.sources import table as table_source
from worthit.datasets.tables.class_files import ClassFiles
from worthit.datasets.tables.columns import NOTHING, Choices


def news(rows: int, columns: str = "title,text,subject") -> str:
    lines = (
        f'a title {i},"a text, number {i}",{"world" if i % 2 else "city"}' for i in range(rows)
    )
    return "\n".join([columns, *lines]) + "\n"


def labels(folder: Path, **files: str) -> list[str | None] | None:
    """The labels of the rows if each file is a class, else None."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, "utf-8")
    ((_, content), *_) = table_source._files(folder, NOTHING)
    if not isinstance(content, ClassFiles):
        return None
    found: list[str | None] = (
        table_source._rows(content, folder, NOTHING.reading).table["label"].to_pylist()
    )
    return found


def test_the_name_of_a_file_is_its_class(tmp_path: Path) -> None:
    found = labels(tmp_path, news_Fake__csv=news(3), news_True__csv=news(2), README__txt="a note")
    assert found == ["Fake"] * 3 + ["True"] * 2
    ((side, content),) = table_source._files(tmp_path, NOTHING)
    rows = table_source._rows(content, tmp_path, NOTHING.reading)
    assert side is None
    assert rows.table["text"].to_pylist()[3] == "a text, number 0"
    assert rows.notes == (f"each file of {tmp_path.name} is read as a class: Fake, True",)


def test_a_named_or_telling_label_column_counts_more_than_names_of_files(tmp_path: Path) -> None:
    assert labels(tmp_path, Fake__csv=news(20), True__csv=news(20)) is not None
    named = Choices(label_column="subject")
    assert all(isinstance(content, Path) for _, content in table_source._files(tmp_path, named))
    topic = news(20, "title,text,topic")
    assert labels(tmp_path, Fake__csv=topic, True__csv=topic) is None


@pytest.mark.parametrize(
    "names", [("jan", "feb"), ("part1", "part2"), ("a", "b"), ("2019", "2020")]
)
def test_files_of_the_same_table_are_no_classes(names: tuple[str, str], tmp_path: Path) -> None:
    assert labels(tmp_path, **{f"{name}__csv": news(20) for name in names}) is None


def test_topics_are_classes_if_no_column_could_be_the_label(tmp_path: Path) -> None:
    texts = "text\n" + "".join(f"a text of number {i}\n" for i in range(9))
    assert labels(tmp_path, sports__csv=texts, food__csv=texts) == ["food"] * 9 + ["sports"] * 9


@pytest.mark.parametrize("names", [("pos.txt", "neg.txt"), ("rt-polarity.pos", "rt-polarity.neg")])
def test_each_line_of_a_file_of_lines_is_a_text(names: tuple[str, str], tmp_path: Path) -> None:
    lines = "".join(f"a text, or {'so, ' * (i % 3)}number {i} .\n" for i in range(9))
    for name in names:
        (tmp_path / name).write_text(lines)
    ((_, content),) = table_source._files(tmp_path, NOTHING)
    rows = table_source._rows(content, tmp_path, NOTHING.reading).table
    assert rows["label"].to_pylist() == ["neg"] * 9 + ["pos"] * 9
    assert rows["text"].to_pylist() == lines.splitlines() * 2


def test_columns_that_only_some_files_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("text,label\na text of words,x\n")
    (tmp_path / "a.csv").write_text("text\na text of words\n")
    content = ClassFiles({tmp_path / "a.csv": "a", tmp_path / "b.csv": "b"})
    with pytest.raises(DataError) as caught:
        table_source._rows(content, tmp_path, NOTHING.reading)
    assert str(caught.value) == (
        f"b.csv has a column label, but other files of {tmp_path.name} do not; add or omit it"
    )

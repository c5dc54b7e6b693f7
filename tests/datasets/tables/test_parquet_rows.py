"""Rows of Parquet, from any to any other, in chunks of one size."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets.formats.files import Input
from worthit.datasets.formats.stream import open_table
from worthit.datasets.tables.comments import CommentReader

TEXTS = [f"text {row}" for row in range(100)]


@pytest.fixture(params=["strings", "dictionaries"])
def comments(request: pytest.FixtureRequest, tmp_path: Path) -> CommentReader:
    """In row groups of 30 rows; pyarrow ends batches there if a column is a dictionary."""
    texts = pa.array(TEXTS)
    if request.param == "dictionaries":
        texts = texts.dictionary_encode()
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts, "id": range(100)}), file, row_group_size=30)
    return CommentReader(open_table(Input(file)), "text", ["id"])


def test_chunks_have_one_size_whatever_the_row_groups(comments: CommentReader) -> None:
    assert [len(chunk.texts) for chunk in comments.chunks(40)] == [40, 40, 20]


def test_any_rows_can_be_read_without_those_before(comments: CommentReader) -> None:
    assert comments.splittable_rows == 100
    rng = random.Random(0)
    for _ in range(50):
        first, size = rng.randint(1, 100), rng.randint(1, 50)
        last = rng.randint(first, 110)
        chunks = list(comments.between(first, last).chunks(size))
        assert [text for chunk in chunks for text in chunk.texts] == TEXTS[first - 1 : last]
        ids = [value.as_py() for chunk in chunks for value in chunk.extras["id"]]
        assert ids == list(range(first - 1, min(last, 100)))
        assert [chunk.first for chunk in chunks] == list(range(first, min(last, 100) + 1, size))


def test_other_files_are_read_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    with Input(tmp_path / "a.csv") as source:
        assert CommentReader(open_table(source), "text", []).splittable_rows is None

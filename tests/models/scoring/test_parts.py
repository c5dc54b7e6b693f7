"""A folder of Parquet parts: what counts as done, and what may be continued."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets.errors import OutputError
from worthit.models.cluster.scorer import encoded
from worthit.models.scoring import parts
from worthit.models.scoring.parts import InputFile, Manifest, PartFolder

FILE = InputFile("in.csv", 100, 7, 0, None, False)
MANIFEST = Manifest({"the model": "tfidf 1", "--keep": ""}, (FILE,))


def part(first: int, last: int) -> bytes:
    return encoded(pa.table({"row": list(range(first, last + 1))}))


def test_names_of_parts_are_in_the_order_of_rows() -> None:
    rows = [(1, 9), (10, 99), (100, 1_000_000_000), (1_000_000_001, 999_999_999_999)]
    names = [parts.part_name(*each) for each in rows]
    assert names == sorted(names)


def test_only_whole_parts_count_when_an_output_is_continued(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    output = PartFolder(folder, MANIFEST)
    assert output.write(1, 4, part(1, 4))
    assert not output.write(1, 4, part(1, 4))
    assert output.write(5, 8, part(5, 8))
    assert "8 rows are written" in output.suspend()
    (folder / parts.part_name(5, 8)).write_bytes(part(5, 8)[:-9])
    (folder / parts.part_name(9, 12)).write_bytes(part(9, 11))
    (folder / f".{parts.part_name(9, 12)}.0a1b").write_bytes(b"half")
    assert PartFolder(folder, MANIFEST).done == {1: 4}
    assert sorted(path.name for path in folder.iterdir()) == [
        parts.MANIFEST,
        parts.part_name(1, 4),
    ]
    assert pq.read_table(folder)["row"].to_pylist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 4), (6, 8)], "row 5 nowhere"),
        ([(1, 4), (4, 8)], "row 4 twice"),
        ([(2, 3)], "row 1 no"),
    ],
)
def test_rows_that_are_missing_or_twice_are_no_complete_output(
    rows: list[tuple[int, int]], message: str, tmp_path: Path
) -> None:
    output = PartFolder(tmp_path / "out", MANIFEST)
    for first, last in rows:
        output.write(first, last, part(first, last))
    with pytest.raises(OutputError, match=message):
        output.finish()
    found = parts.begun(tmp_path / "out")
    assert found is not None
    assert found.rows is None


def test_an_output_with_fewer_rows_than_the_input_is_not_complete(tmp_path: Path) -> None:
    counted = replace(MANIFEST, files=(replace(FILE, rows=4), replace(FILE, before=4, rows=2)))
    output = PartFolder(tmp_path / "out", counted)
    output.write(1, 4, part(1, 4))
    with pytest.raises(OutputError, match="have 4 rows, the input 6"):
        output.finish()
    output.write(5, 6, part(5, 6))
    output.finish()
    with pytest.raises(OutputError, match="is complete; give another --output"):
        parts.continued(tmp_path / "out", counted, resume=True)


def test_an_output_is_continued_with_the_same_files_and_settings_only(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert parts.continued(folder, MANIFEST, resume=True) == ()
    counted = (replace(FILE, rows=50, is_splittable=True),)
    PartFolder(folder, replace(MANIFEST, files=counted)).write(1, 4, part(1, 4))
    assert parts.continued(folder, MANIFEST, resume=True) == counted
    others = {
        "with --keep , not id": replace(
            MANIFEST, begun_with={**MANIFEST.begun_with, "--keep": "id"}
        ),
        "another in.csv": replace(MANIFEST, files=(replace(FILE, changed_ns=8),)),
        "another more.csv": replace(MANIFEST, files=(FILE, replace(FILE, name="more.csv"))),
    }
    for message, other in others.items():
        with pytest.raises(OutputError, match=message):
            parts.continued(folder, other, resume=True)
    (folder / parts.MANIFEST).write_bytes(b"{")
    with pytest.raises(OutputError, match=r"_manifest\.json cannot be read; remove"):
        parts.continued(folder, MANIFEST, resume=True)


def test_an_output_without_parts_is_removed(tmp_path: Path) -> None:
    assert PartFolder(tmp_path / "out", MANIFEST).suspend() == "nothing was written"
    assert not (tmp_path / "out").exists()

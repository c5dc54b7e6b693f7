"""Scoring on a cluster, without one: what is read by whom, how workers are divided, what they return."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import scored_comments
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, DataError, OptionError
from worthit.datasets.formats.reading import AS_FOUND
from worthit.models.cluster import connection, input_files, model_files
from worthit.models.cluster.connection import Node
from worthit.models.cluster.input_files import HowToRead
from worthit.models.cluster.model_files import PackedModel
from worthit.models.cluster.scorer import Attempts, ScoreJob, Scorer
from worthit.models.scoring.chunks import own_answers
from worthit.models.scoring.parts import InputFile

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'worthit[cluster]'")

from worthit.models.cluster import reading, scoring  # noqa: E402

PARQUET = InputFile("a.parquet", 1, 1, 0, 100, True)
CSV = InputFile("b.csv", 1, 1, 100, 50, False)
HOW = HowToRead(None, AS_FOUND, "text", ("id",), None, ("id",))
JOB = reading.ReadJob(HOW, pa.schema([("id", pa.string())]), 8, 16)


def ranges(done: dict[int, int], readers: int = 1) -> list[tuple[str, int, int | None, Any]]:
    found = reading.spans([Path("a.parquet"), Path("b.csv")], [PARQUET, CSV], done, 10, readers)
    return [(span.path, span.first, span.last, span.done) for span in found]


def test_a_file_of_text_is_one_task_and_parquet_is_divided() -> None:
    assert ranges({}) == [
        ("a.parquet", 1, 40, ()),
        ("a.parquet", 41, 80, ()),
        ("a.parquet", 81, 100, ()),
        ("b.csv", 1, None, ()),
    ]
    assert len(ranges({}, readers=8)) == 10 + 1


def test_what_is_done_is_not_read_again() -> None:
    done = {1: 10, 11: 20, 41: 50, 91: 100, 101: 110, 121: 130}
    assert ranges(done, readers=8) == [
        ("a.parquet", 21, 30, ()),
        ("a.parquet", 31, 40, ()),
        ("a.parquet", 51, 60, ()),
        ("a.parquet", 61, 70, ()),
        ("a.parquet", 71, 80, ()),
        ("a.parquet", 81, 90, ()),
        ("b.csv", 1, None, ((1, 10), (21, 30))),
    ]


def read(path: Path, first: int = 1, last: int | None = None, **more: Any) -> list[dict[str, Any]]:
    file = replace(input_files.described(path), before=1000)
    span = reading.Span(str(path), file, first, last, **more)
    return [row for table in reading.read(JOB, span) for row in table.to_pylist()]


def test_a_task_yields_a_row_for_each_part_that_is_missing(tmp_path: Path) -> None:
    texts = scored_comments.made_comments()
    rows = read(scored_comments.written("csv", tmp_path, texts), done=((17, 32),))
    assert [row["first"] for row in rows] == [1001, 1033]
    assert [len(row["texts"]) for row in rows] == [16, 8]
    assert rows[0]["texts"][:4] == [*texts[:2], None, None]
    assert rows[1]["0"] == [str(number) for number in range(32, 40)]


def test_a_task_reads_any_rows_of_parquet(tmp_path: Path) -> None:
    texts = scored_comments.made_comments()
    rows = read(scored_comments.written("parquet", tmp_path, texts), 17, 40)
    assert [row["first"] for row in rows] == [1017, 1033]
    assert [text for row in rows for text in row["texts"]] == texts[16:]


def test_a_malformed_row_is_a_row_with_the_reason_after_the_parts_before_it(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "a", "id": "1"}\n' * 40 + "{\n")
    rows = read(file)
    assert [row["first"] for row in rows] == [1001, 1017, 0]
    assert "line 41" in rows[-1]["error"]


def test_a_file_that_has_changed_meanwhile_is_not_read(tmp_path: Path) -> None:
    file = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    before = input_files.described(file)
    file.write_text("text\nother\n")
    (row,) = (
        row
        for table in reading.read(JOB, reading.Span(str(file), before, 1, None))
        for row in table.to_pylist()
    )
    assert "in.csv has changed, or" in row["error"]


def test_a_column_of_several_types_is_refused_with_what_helps_on_a_cluster(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "a", "id": "1"}\n{"text": "b", "id": 2}\n')
    (row,) = read(file)
    assert "the column id holds values of several types" in row["error"]
    assert "omit it from --keep or, without --cluster, give" in row["error"]


def test_counting_the_rows_of_a_file_reports_a_malformed_one(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "a", "id": "1"}\n' * 40)
    counted = input_files._count_rows(str(file), input_files.described(file), HOW)
    assert (counted.rows, counted.error) == (40, "")
    file.write_text('{"text": "a", "id": "1"}\n' * 40 + "{\n")
    counted = input_files._count_rows(str(file), input_files.described(file), HOW)
    assert "line 41" in counted.error


def test_a_file_that_changes_while_its_output_is_continued_is_refused(tmp_path: Path) -> None:
    file = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    known = (input_files.described(file),)
    assert input_files.counted([file], HOW, known, {}, 1) == (known, ())
    file.write_text("text,id\nother,1\n")
    with pytest.raises(DataError, match=r"in\.csv has changed, or"):
        input_files.counted([file], HOW, known, {}, 1)


def test_types_are_those_of_the_first_rows_though_the_first_file_has_none(tmp_path: Path) -> None:
    for name, rows in (("0", 0), ("1", 3)):
        numbers = pa.array(range(rows), pa.int64())
        table = pa.table({"text": pa.array(["a"] * rows, pa.string()), "id": numbers})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    paths = input_files.listed_files(str(tmp_path))
    first = input_files.first_rows(paths, replace(HOW, extras=None), 8)
    assert first.extras == pa.schema([("id", pa.int64())])
    first = input_files.first_rows(paths[:1], replace(HOW, extras=None), 8)
    assert first.extras == pa.schema([("id", pa.string())])


def test_no_node_reads_that_was_not_asked_for_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tuple(Node(name, name, 1.0, 0.0, {}) for name in ("b", "a"))
    living = [*asked, Node("me", "me", 0.0, 0.0, {})]
    monkeypatch.setattr(input_files, "this_node", lambda: "me")
    monkeypatch.setattr(connection, "living_nodes", lambda: tuple(living))
    assert input_files.none_but(asked) == {}
    living.append(Node("head", "head", 0.0, 0.0, {}))
    assert input_files.none_but(asked) == {"ray.io/node-id": "in(a,b,me)"}


def node(cpus: float, gpus: float = 0) -> Node:
    return Node("id", "name", cpus, gpus, {})


def test_workers_share_the_cpus_of_the_nodes() -> None:
    nodes = [node(4), node(8)]

    def divided(asked: int | None, one_thread: bool, device: str = "cpu") -> tuple[int, int]:
        found = scoring.workers_for(nodes, asked, one_thread=one_thread, device=device)
        return found.count, found.cpus

    assert divided(None, True) == (12, 1)
    assert divided(None, False) == (3, 4)
    assert divided(2, False) == (2, 4)
    assert divided(1, False) == (1, 8)
    assert divided(6, False) == (6, 2)
    assert divided(5, True) == (5, 1)
    with pytest.raises(OptionError, match="--workers 13 needs a CPU each; the cluster has 12"):
        divided(13, True)
    with pytest.raises(OptionError, match="needs a GPU each; the cluster has 0"):
        divided(None, False, "cuda")
    on_gpus = scoring.workers_for([node(4, 2)], None, one_thread=False, device="cuda")
    assert on_gpus == scoring.Workers(2, 1, 1)


def test_folders_within_the_input_are_refused_and_hidden_files_left_out(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "_SUCCESS", ".crc"):
        (tmp_path / name).write_text("text\n")
    found = input_files.listed_files(str(tmp_path))
    assert [path.name for path in found] == ["a.csv", "b.csv"]
    (tmp_path / "more").mkdir()
    with pytest.raises(DataError, match=r"holds folders \(more\); give one that holds files"):
        input_files.listed_files(str(tmp_path))


@pytest.fixture
def local_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store that is the object itself."""
    monkeypatch.setattr(ray, "put", lambda value: value)
    monkeypatch.setattr(ray, "get", lambda value: value)


class Handle:
    """An actor in this process."""

    def __init__(self, actor: Attempts) -> None:
        self.begin = type("Method", (), {"remote": staticmethod(actor.begin)})


def scorer(packed: PackedModel) -> Scorer:
    handle = Handle(Attempts())
    return Scorer(ScoreJob(packed, "cpu", None, 8, 8, own_answers, JOB.extras, 1, handle))


def part(path: Path) -> pa.Table:
    span = reading.Span(str(path), input_files.described(path), 1, None)
    return next(reading.read(JOB, span))


def test_a_model_travels_as_the_content_of_its_files(
    local_objects: None, lsa_model: Path, tmp_path: Path
) -> None:
    packed = model_files.pack(lsa_model)
    assert "worthit.json" in [name for name, _ in packed.files]
    folder = model_files.unpack(packed)
    assert folder == cache_folder("scored", packed.key)
    assert model_files.identity(folder) == model_files.identity(lsa_model)
    (folder / "worthit.json").write_text("{}")
    assert model_files.identity(model_files.unpack(packed)) == packed.key


def test_a_worker_returns_parquet_and_gives_up_a_part_that_kills_workers(
    local_objects: None, lsa_model: Path, tmp_path: Path
) -> None:
    source = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    work = scorer(model_files.pack(lsa_model))
    first = work(part(source))
    (received,) = scoring._parts(first)
    assert (received.first, received.last, received.without_text) == (1, 16, 2)
    table = pq.read_table(pa.BufferReader(received.content))
    assert table.column_names == ["row", "id", "score", "predicted"]
    assert table["score"].null_count == 2
    for _ in range(3):
        work(part(source))
    with pytest.raises(CellError, match="4 workers died while they scored the part from row 1 on"):
        list(scoring._parts(work(part(source))))
    assert list(scoring._parts(work(part(source).slice(0, 0)))) == []


def test_a_damaged_model_is_an_error_of_one_line(local_objects: None, tmp_path: Path) -> None:
    source = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "worthit.json").write_text("{}")
    work = scorer(model_files.pack(tmp_path / "model"))
    with pytest.raises(CellError, match="holds no saved model"):
        list(scoring._parts(work(part(source))))

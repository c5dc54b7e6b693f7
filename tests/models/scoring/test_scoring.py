"""Using a trained model: rows in, scores out, in every format, interrupted or not."""

import gzip
import io
import os
import signal
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scored_comments import COMMENTS, read, saved, written
from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.formats import dialect, formats, stream
from worthit.datasets.formats.files import Input
from worthit.datasets.tables.comments import CommentReader
from worthit.models import registry
from worthit.models.scoring import chunks as scoring


@pytest.mark.parametrize("into", formats.STREAMED)
@pytest.mark.parametrize("out_of", formats.STREAMED)
def test_every_format_goes_into_every_other(
    out_of: str, into: str, comments: list[str | None], lsa_model: Path, score: Any, tmp_path: Path
) -> None:
    target = tmp_path / f"out.{into}"
    code, said = score(written(out_of, tmp_path, comments), "--keep", "all", "--output", target)
    assert code == 0
    assert "scored 40 rows" in said
    assert "2 without text" in said
    found = read(target)
    assert list(found[0]) == ["row", "id", "note", "score", "predicted"]
    assert [int(row["row"]) for row in found] == list(range(1, 41))
    assert [int(row["id"]) for row in found] == list(range(40))
    assert {row["note"] for row in found} == {'a "b", c\nd'}
    missing = [row["row"] for row in found if row["score"] in (None, "")]
    assert list(map(int, missing)) == [3, 4]
    texts = [text for text in comments if text and text.strip()]
    expected = registry.load(lsa_model).predict_proba(texts)[:, 1]
    scores = [float(row["score"]) for row in found if row["score"] not in (None, "")]
    assert scores == pytest.approx(expected, abs=1e-6)
    answers = [row["predicted"] for row in found if row["score"] not in (None, "")]
    assert answers == ["toxic" if one >= 0.5 else "not toxic" for one in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"in.{out_of}", target.name])


def test_types_of_parquet_survive(score: Any, tmp_path: Path) -> None:
    columns = {
        "text": pa.array(["you idiot", "thanks"]).dictionary_encode(),
        "when": pa.array([1, 2], pa.timestamp("ns")),
        "tags": pa.array([["a"], []]),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    target = tmp_path / "out.parquet"
    assert score(tmp_path / "in.parquet", "--keep", "when,tags", "--output", target)[0] == 0
    schema = pq.read_schema(target)
    assert schema.field("when").type == pa.timestamp("ns")
    assert schema.field("tags").type == pa.list_(pa.string())
    assert schema.field("score").type == pa.float64()
    assert score(tmp_path / "in.parquet", "--keep", "all", "--output", tmp_path / "o.csv")[0] == 0
    first = read(tmp_path / "o.csv")[0]
    assert first["tags"] == '["a"]'
    assert datetime.fromisoformat(first["when"][:19]) == datetime(1970, 1, 1)


def stopped_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compute, calls = scoring.score_chunk, [0]

    def stopping(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > chunks:
            raise KeyboardInterrupt
        return compute(*arguments)

    monkeypatch.setattr(scoring, "score_chunk", stopping)


@pytest.mark.parametrize("form", formats.STREAMED)
def test_a_resumed_output_equals_an_uninterrupted_one(
    form: str,
    comments: list[str | None],
    score: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, whole, target = (
        written(form, tmp_path, comments),
        tmp_path / f"whole.{form}",
        tmp_path / f"out.{form}",
    )
    assert score(source, "--keep", "id", "--output", whole)[0] == 0
    with monkeypatch.context() as patched:
        stopped_after(2, patched)
        code, said = score(source, "--keep", "id", "--output", target)
    assert code == 130
    assert "16 rows are written; continue with the same command and --resume" in said
    assert not target.exists()
    partial = tmp_path / f"out.{form}.partial"
    with partial.open("ab") as file:
        file.write(b'{"row": 17, "sc')  # half a line, as a crash leaves it
    code, said = score(source, "--keep", "id", "--output", target, "--resume")
    assert code == 0
    assert "scored 24 rows" in said
    assert target.read_bytes() == whole.read_bytes()
    assert not partial.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_sigterm_ends_as_ctrl_c_does(
    comments: list[str | None], score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "score_chunk", lambda *_: signal.raise_signal(signal.SIGTERM))
    code, said = score(written("csv", tmp_path, comments), "--output", tmp_path / "out.csv")
    assert code == 143
    assert said.splitlines()[-1] == "worthit: stopped; nothing was written"


@pytest.fixture
def begun(
    comments: list[str | None], score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    target = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        stopped_after(2, patched)
        score(written("csv", tmp_path, comments), "--output", target)
    return target


def test_resuming_with_another_model_or_settings_is_refused(
    begun: Path, score: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    saved("lsa", other, seed=7)
    source = tmp_path / "in.csv"
    code, said = score(source, "--output", begun, "--resume", with_model=other)
    assert code == 2
    assert "was begun with the model lsa " in said
    code, said = score(source, "--output", begun, "--resume", "--keep", "id")
    assert (code, "was begun with --keep" in said) == (2, True)
    code, said = score(source, "--output", begun)
    assert (code, "continue with --resume" in said) == (2, True)
    code, said = score(source, "--output", begun, "--resume")
    assert (code, "scored 24 rows" in said) == (0, True)
    code, said = score(source, "--output", begun, "--resume")
    assert (code, "exists; give another --output" in said) == (2, True)


@pytest.mark.parametrize("rows_left", [40, 10])
def test_resuming_with_other_rows_is_refused(
    rows_left: int, begun: Path, comments: list[str | None], score: Any, tmp_path: Path
) -> None:
    others = ["another comment", *comments[1:]][:rows_left]
    code, said = score(written("csv", tmp_path, others, "other"), "--output", begun, "--resume")
    assert code == 2
    assert "the first 16 rows are not those in" in said
    assert said.endswith("to start over\n")
    assert score(tmp_path / "in.csv", "--output", begun, "--resume")[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"\n', "line 2 of"),
        (
            "a.jsonl",
            b'{"text": ["a"]}\n',
            "the column text of a.jsonl holds lists or objects; name another",
        ),
        ("a.jsonl", b'{"text": "\xff"}\n', "a.jsonl is not UTF-8 (line 1)"),
        ("a.jsonl", b'{"text": ' + b"[" * 200_000 + b"\n", "line 1 of"),
        ("a.json", b'[{"text": "a"}, {"text": "b"}', "object 2: no comma or bracket after it"),
        ("a.csv", b"", "is empty; give a table with a header and rows"),
        (
            "a.jsonl",
            b'{"text": "a"}\n' * 1000 + b'{"text": ["a"]}\n',
            "rows 1,001 to 1,001 of a.jsonl: the column",
        ),
        ("a.csv", b"id,label\n1,a\n", "none of which can be the text; name it with --text-column"),
        ("a.csv", b"id,text\n1,a\n2,b,c\n", "the row that begins in line 3 has 3 columns"),
        ("a.csv", b'text\na\n"b\n', "unexpected end of data"),
        ("a.csv", b"text\na\n\xff\n", "is not UTF-8 (line 3)"),
        ("a.csv", b"text,text\na,b\n", "the column text of a.csv appears 2 times"),
        ("a.parquet", b"PAR1, or is it", "cannot be read or unpacked"),
        ("a.docx", b"", "is not in a known format; known: .csv, "),
        ("no/such.csv", None, "there is no file"),
    ],
)
def test_malformed_input_is_refused_in_one_line(
    name: str, content: bytes | None, message: str, score: Any, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, said = score(tmp_path / name)
    assert code == 2
    assert message in said
    assert said.count("\n") == 1


def test_rows_before_a_malformed_row_are_kept(
    comments: list[str | None], score: Any, tmp_path: Path
) -> None:
    source, target = written("jsonl", tmp_path, comments), tmp_path / "out.jsonl"
    good = source.read_text("utf-8")
    source.write_text(good.replace('"id": 20,', '"id": 20;'), "utf-8")
    code, said = score(source, "--output", target)
    assert code == 2
    assert "line 21 of" in said
    assert "16 rows are written" in said
    source.write_text(good, "utf-8")
    assert score(source, "--output", target, "--resume")[0] == 0
    assert len(read(target)) == COMMENTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "nobody"], "but not nobody; name one of them with --keep"),
        (["--keep", "id,id"], "names a column twice"),
        (["--keep", "score"], "score is a column of the output"),
        (["--batch-size", "0"], "it must be at least 1"),
        (["--encoding", "klingon"], "which is not a known encoding"),
        (["--delimiter", "::"], "it takes one character"),
        (["--columns", "a,a"], "a different name for each column"),
        (["--columns", "a,b"], "names 2 columns, but the rows of in.csv have 3"),
        (["--resume"], "--output FILE"),
        (["--output-format", "parquet"], "cannot be written to a pipe"),
        (["--device", "cuda"], "lsa runs on cpu only"),
        (["--checkpoint", "x"], "holds all its weights"),
        (["--output", "no/such/folder/out.csv"], "cannot be written"),
    ],
)
def test_invalid_options_are_refused_in_one_line(
    options: list[str], message: str, score: Any, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("id,score,text\n1,2,a\n")
    code, said = score(tmp_path / "in.csv", *options)
    assert code == 2
    assert message in said
    assert said.count("\n") == 1


def test_no_rows_yield_a_header(score: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("")
    for form in ("csv", "parquet", "jsonl"):
        assert score(tmp_path / "in.jsonl", "--output", tmp_path / f"out.{form}")[0] == 0
    assert (tmp_path / "out.csv").read_text() == "row,score,predicted\n"
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["row", "score", "predicted"]
    assert (tmp_path / "out.jsonl").read_text() == ""


class Pipe(io.RawIOBase):
    """Bytes that are read once; counts them."""

    def __init__(self, content: bytes) -> None:
        self._content, self.bytes_read = io.BytesIO(content), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._content.readinto(buffer)
        self.bytes_read += found
        return found


def comments_of(pipe: Pipe, form: str, text_column: str | None, *keep: str) -> CommentReader:
    source = Input(Path("stdin"), io.BufferedReader(pipe, 100))
    return CommentReader(stream.open_table(source, form), text_column, keep)


def test_memory_holds_one_chunk() -> None:
    """A reader takes no more of a pipe than the head, then a chunk, and what is buffered."""
    line = b'{"text": "' + b"a" * 1_000 + b'"}\n'
    pipe = Pipe(line * 3_000)
    chunks = comments_of(pipe, "jsonl", "text").chunks(600)
    assert next(chunks).last == 600
    buffered_rows = 1 + io.DEFAULT_BUFFER_SIZE // len(line)
    assert 600 <= pipe.bytes_read / len(line) <= 600 + buffered_rows
    assert next(chunks).first == 601


def test_the_text_column_of_the_training_is_taken_if_the_file_has_it() -> None:
    def reader(header: str, named: str | None = None) -> CommentReader:
        content = io.BytesIO(f"{header}\na long comment,short\n".encode())
        source = Input(Path("new.csv"), io.BufferedReader(content))
        return CommentReader(stream.open_table(source, "csv"), named, [], trained_on="v2")

    assert reader("text,v2").text_column == "v2"
    assert not reader("text,v2").notes
    assert reader("text,v2", "text").text_column == "text"
    other = reader("body,v1")
    assert other.text_column == "body"
    assert other.notes == (
        "text column: body (guessed, the model was trained on v2, which new.csv lacks; --text-column changes it)",
    )


def test_a_text_column_is_guessed_in_a_pipe_too() -> None:
    pipe = Pipe(b'{"id": 1, "body": "you idiot"}\n' * 3000)
    reader = comments_of(pipe, "jsonl", None, "id")
    assert reader.text_column == "body"
    assert reader.notes == ("text column: body (guessed; --text-column changes it)",)
    chunks = list(reader.chunks(700))
    assert sum(len(chunk.texts) for chunk in chunks) == 3000
    assert chunks[0].extras == {"id": [1] * 700}


def test_parquet_is_refused_in_a_pipe() -> None:
    with pytest.raises(OptionError, match="Parquet cannot be read from a pipe"):
        comments_of(Pipe(b"PAR1, and so on"), "jsonl", None)


def test_unquoted_quotes_of_a_tsv_are_read_in_a_file_and_refused_in_a_pipe(
    score: Any, tmp_path: Path
) -> None:
    content = b'id\ttext\n1\ta\n2\t"b\n3\tc\n4\td"\n5\te\n'
    (tmp_path / "a.tsv").write_bytes(content)
    code, said = score(tmp_path / "a.tsv", "--output", tmp_path / "out.csv")
    assert code == 0
    assert "quotes in a.tsv are read as part of the texts" in said
    assert len(read(tmp_path / "out.csv")) == 5
    with (tmp_path / "a.tsv").open("rb") as redirected:
        table = stream.open_table(Input(Path("stdin"), redirected), "tsv")
        (chunk,) = CommentReader(table, None, ["id"]).chunks(10)
    assert chunk.texts == ["a", '"b', "c", 'd"', "e"]
    long = content + b"6\te\n" * dialect.SAMPLE_LINES
    with pytest.raises(DataError, match=r"enclose whole rows of stdin .*give the file itself"):
        list(comments_of(Pipe(long), "tsv", None).chunks(10))


def test_a_named_pipe_and_a_link_to_a_packed_file_are_read(score: Any, tmp_path: Path) -> None:
    lines = b'{"body": "you idiot"}\n{"body": null}\n'
    os.mkfifo(tmp_path / "pipe")
    Thread(target=(tmp_path / "pipe").write_bytes, args=(lines,), daemon=True).start()
    options = ("--input-format", "jsonl", "--output", tmp_path / "1.csv")
    code, said = score(tmp_path / "pipe", *options)
    assert (code, "text column: body (guessed" in said) == (0, True)
    (tmp_path / "blob").write_bytes(gzip.compress(lines))
    (tmp_path / "a.jsonl.gz").symlink_to(tmp_path / "blob")
    assert score(tmp_path / "a.jsonl.gz", "--output", tmp_path / "2.csv")[0] == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert len(read(tmp_path / "2.csv")) == 2


def test_a_key_that_comes_late_is_refused_if_all_columns_are_kept(
    score: Any, tmp_path: Path
) -> None:
    lines = ['{"text": "a", "id": 1}'] * 1_000 + ['{"text": "a", "late": 1}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    code, said = score(tmp_path / "a.jsonl", "--keep", "all", "--output", tmp_path / "out.csv")
    assert code == 2
    assert "rows 1,001 to 1,001 of a.jsonl have late" in said
    assert "1,000 rows are written" in said

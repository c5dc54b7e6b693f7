"""Using a trained model: rows in, scores out, in every format, interrupted or not."""

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.bench import kept
from worthit.datasets import registry as datasets
from worthit.datasets import rows
from worthit.datasets.errors import CheckpointError, OptionError, RunError
from worthit.models import registry, scoring
from worthit.models.llama import Llama, LlamaSettings
from worthit.reports import cli

COMMENTS = 40
CHUNK = 8  # so that a few comments make several chunks


@pytest.fixture(scope="module")
def comments() -> list[str | None]:
    """The third has no text, the fourth nothing but white space."""
    texts = datasets.source("synthetic:400").read()["text"].to_pylist()[:COMMENTS]
    return [*texts[:2], None, " \n", *texts[4:]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("lsa", tmp_path_factory.mktemp("lsa"))


def saved(name: str, folder: Path, seed: int = 0) -> Path:
    table = datasets.source("synthetic:400").read()
    made = registry.model_class(name)(seed=seed)
    made.fit(table["text"].to_pylist(), table["label"].to_numpy()).save(folder)
    return folder


@pytest.fixture
def score(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command; returns its exit code and what it says."""
    monkeypatch.setattr(scoring, "_CLASSICAL_CHUNK", CHUNK)

    def run(*arguments: Any, with_model: Path = model) -> tuple[int, str]:
        code = cli.main(["score", "--model", str(with_model), *map(str, arguments)])
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return code, error

    return run


def written(form: str, folder: Path, texts: list[str | None], name: str = "in") -> Path:
    """Comments with an id and a note, in a file."""
    file = folder / f"{name}.{form}"
    ids, notes = list(range(len(texts))), ['a "b", c\nd'] * len(texts)
    if form == "parquet":
        pq.write_table(pa.table({"id": ids, "text": texts, "note": notes}), file, row_group_size=16)
    elif form == "jsonl":
        records = zip(ids, texts, notes, strict=True)
        lines = [json.dumps(dict(zip(("id", "text", "note"), one, strict=True))) for one in records]
        file.write_text("\n".join(lines) + "\n", "utf-8")
    else:
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, delimiter=rows.DELIMITERS[form])
            writer.writerow(["id", "text", "note"])
            writer.writerows(zip(ids, texts, notes, strict=True))
    return file


def read(file: Path) -> list[dict[str, Any]]:
    form = rows.format_of(file.name)
    if form == "parquet":
        return list(pq.read_table(file).to_pylist())
    if form == "jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert form is not None
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter=rows.DELIMITERS[form]))


@pytest.mark.parametrize("into", rows.FORMATS)
@pytest.mark.parametrize("out_of", rows.FORMATS)
def test_every_format_goes_into_every_other(
    out_of: str, into: str, comments: list[str | None], model: Path, score: Any, tmp_path: Path
) -> None:
    target = tmp_path / f"out.{into}"
    code, said = score(written(out_of, tmp_path, comments), "--keep", "all", "--output", target)
    assert code == 0
    assert "scored 40 rows" in said
    assert "2 without text" in said
    found = read(target)
    assert list(found[0]) == ["row", "id", "note", "score"]
    assert [int(row["row"]) for row in found] == list(range(1, 41))
    assert [int(row["id"]) for row in found] == list(range(40))
    assert {row["note"] for row in found} == {'a "b", c\nd'}
    missing = [row["row"] for row in found if row["score"] in (None, "")]
    assert list(map(int, missing)) == [3, 4]
    texts = [text for text in comments if text and text.strip()]
    expected = registry.load(model).predict_proba(texts)[:, 1]
    scores = [float(row["score"]) for row in found if row["score"] not in (None, "")]
    assert scores == pytest.approx(expected, abs=1e-6)
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
    plain, calls = scoring.scores, [0]

    def stopping(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > chunks:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(scoring, "scores", stopping)


@pytest.mark.parametrize("form", rows.FORMATS)
def test_going_on_ends_as_if_there_had_been_no_interruption(
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
    assert "16 rows are kept; the same command with --resume goes on" in said
    assert not target.exists()
    partial = tmp_path / f"out.{form}.partial"
    with partial.open("ab") as file:
        file.write(b'{"row": 17, "sc')  # half a line, as a crash leaves it
    code, said = score(source, "--keep", "id", "--output", target, "--resume")
    assert code == 0
    assert "scored 24 rows" in said
    assert target.read_bytes() == whole.read_bytes()
    assert not partial.exists()


def test_a_killed_process_is_gone_on_with(model: Path, tmp_path: Path) -> None:
    source, whole, target = (tmp_path / name for name in ("in.jsonl", "whole.csv", "out.csv"))
    chunk = b'{"text": "you idiot"}\n{"text": "thanks for the article"}\n' * 512
    note = tmp_path / "out.csv.partial.json"
    with subprocess.Popen(
        command(model, "--output", str(target)), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        chunks = 0
        while not note.exists() or json.loads(note.read_bytes())["rows"] == 0:
            process.stdin.write(chunk)
            process.stdin.flush()
            chunks += 1
            time.sleep(0.2)
        process.kill()
    source.write_bytes(chunk * (chunks + 1))
    for output in (whole, target):
        arguments = (str(source), "--output", str(output), "--resume")
        subprocess.run(command(model, *arguments), check=True, capture_output=True)
    assert target.read_bytes() == whole.read_bytes()
    assert target.read_text().count("\n") == 1 + 1024 * (chunks + 1)


@pytest.fixture
def begun(
    comments: list[str | None], score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    target = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        stopped_after(2, patched)
        score(written("csv", tmp_path, comments), "--output", target)
    return target


def test_going_on_with_another_model_or_settings_is_refused(
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
    assert (code, "go on with --resume" in said) == (2, True)
    code, said = score(source, "--output", begun, "--resume")
    assert (code, "scored 24 rows" in said) == (0, True)
    code, said = score(source, "--output", begun, "--resume")
    assert (code, "is there already" in said) == (2, True)


@pytest.mark.parametrize("rows_left", [40, 10])
def test_going_on_with_other_rows_is_refused(
    rows_left: int, begun: Path, comments: list[str | None], score: Any, tmp_path: Path
) -> None:
    others = ["another comment", *comments[1:]][:rows_left]
    code, said = score(written("csv", tmp_path, others, "other"), "--output", begun, "--resume")
    assert code == 2
    assert "the first 16 rows are not those that" in said
    assert said.endswith("to begin anew\n")
    assert score(tmp_path / "in.csv", "--output", begun, "--resume")[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"\n', "line 2 of"),
        ("a.jsonl", b'{"text": "a"}\n\n{"texts": "b"}\n', "line 3 of"),
        ("a.jsonl", b'{"text": 3}\n', "text is a int, not a text"),
        ("a.jsonl", b'{"text": "\xff"}\n', "line 1 of"),
        ("a.csv", b"", "is empty; its first line names the columns"),
        ("a.csv", b"id,comment\n1,a\n", "has id, comment, but no 'text'"),
        ("a.csv", b"id,text\n1,a\n2,b,c\n", "row 2 of"),
        ("a.csv", b'text\na\n"b\n', "unexpected end of data"),
        ("a.csv", b"text\na\n\xff\n", "line 3 (not UTF-8)"),
        ("a.csv", b"text,text\na,b\n", "names a column twice"),
        ("a.parquet", b"PAR1, or is it", "cannot be read as Parquet"),
        ("a.docx", b"", "tells no format; give --input-format"),
    ],
)
def test_malformed_input_is_refused_in_one_line(
    name: str, content: bytes, message: str, score: Any, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    code, said = score(tmp_path / name)
    assert code == 2
    assert message in said
    assert said.count("\n") == 1


def test_what_came_before_a_malformed_row_is_kept(
    comments: list[str | None], score: Any, tmp_path: Path
) -> None:
    source, target = written("jsonl", tmp_path, comments), tmp_path / "out.jsonl"
    good = source.read_text("utf-8")
    source.write_text(good.replace('"id": 20,', '"id": 20;'), "utf-8")
    code, said = score(source, "--output", target)
    assert code == 2
    assert "line 21 of" in said
    assert "16 rows are kept" in said
    source.write_text(good, "utf-8")
    assert score(source, "--output", target, "--resume")[0] == 0
    assert len(read(target)) == COMMENTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "nobody"], "but no 'nobody'"),
        (["--keep", "id,id"], "names a column twice"),
        (["--keep", "score"], "a column score of its own"),
        (["--batch-size", "0"], "a number from 1 up"),
        (["--resume"], "--output FILE"),
        (["--output-format", "parquet"], "cannot be written to a pipe"),
        (["--device", "cuda"], "lsa runs on cpu only"),
        (["--checkpoint", "x"], "holds all its weights"),
        (["--output", "no/such/folder/out.csv"], "cannot be written"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(
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
    assert (tmp_path / "out.csv").read_text() == "row,score\n"
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["row", "score"]
    assert (tmp_path / "out.jsonl").read_text() == ""


def command(model: Path, *arguments: str) -> list[str]:
    main = "import sys; from worthit.reports import cli; code = cli.main(sys.argv[1:])\n"
    told = "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    return [sys.executable, "-P", "-c", main + told, "score", "--model", str(model), *arguments]


def test_pipes_work_without_torch_or_pictures(tmp_path: Path) -> None:
    source = "\n".join(json.dumps({"text": text}) for text in ("you idiot", "thanks"))
    done = subprocess.run(
        command(saved("tfidf", tmp_path)), input=source, capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["row"] for row in found] == [1, 2]
    assert found[0]["score"] > found[1]["score"]
    modules = done.stderr.split()
    assert "sklearn" in modules
    assert not {"torch", "transformers", "matplotlib"} & set(modules)


def test_a_reader_who_has_had_enough_ends_it_quietly(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "you idiot\n" * 20_000)
    with subprocess.Popen(
        command(model, str(source)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "Broken" not in said
    assert process.returncode == 1


def test_memory_holds_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader takes no more lines than a chunk has."""

    class Counted(io.BytesIO):
        taken = 0

        def __next__(self) -> bytes:
            Counted.taken += 1
            return super().__next__()

        def fileno(self) -> int:
            raise OSError

        def seekable(self) -> bool:
            return False

    stream = Counted(b'{"text": "a"}\n' * 100)
    chunks = rows.source(stream, "made", "jsonl", "text", []).chunks(10)
    assert next(chunks).last == 10
    assert Counted.taken == 10
    assert next(chunks).first == 11


def test_an_adapter_is_refused_on_top_of_other_weights(tiny_llama: Path, tmp_path: Path) -> None:
    import shutil

    import numpy as np

    base, folder = tmp_path / "base", tmp_path / "saved"
    shutil.copytree(tiny_llama, base)
    folder.mkdir()
    settings = LlamaSettings(checkpoint=str(base), precision="fp32")
    tuned = Llama(settings).fit(["you idiot", "thanks"] * 4, np.array([1, 0] * 4))
    tuned.save(folder)
    moved = base.rename(tmp_path / "moved")
    from worthit.models import checkpoints

    checkpoints.resolve.cache_clear()
    with pytest.raises(CheckpointError, match="there is no folder"):
        registry.load(folder)
    loaded = registry.load(folder, checkpoint=str(moved))
    expected = tuned.predict_proba(["you idiot"])
    assert loaded.predict_proba(["you idiot"]) == pytest.approx(expected, abs=1e-3)
    config = json.loads((moved / "config.json").read_text("utf-8"))
    (moved / "config.json").write_text(json.dumps(config | {"rope_theta": 5.0}), "utf-8")
    checkpoints.resolve.cache_clear()
    with pytest.raises(CheckpointError, match=r"was trained on top of .*but .*moved here is") as no:
        registry.load(folder, checkpoint=str(moved))
    assert "\n" not in str(no.value)


def test_a_bert_needs_no_checkpoint_and_scores_chunks(
    tiny_bert: Path, tmp_path: Path, comments: list[str | None], score: Any
) -> None:
    import numpy as np

    bert = registry.model_class("bert")().set_params(checkpoint=str(tiny_bert), max_length=16)
    bert.fit(["you idiot", "thanks"] * 4, np.array([1, 0] * 4)).save(tmp_path)
    source, target = written("csv", tmp_path, comments), tmp_path / "out.jsonl"
    code, said = score(source, "--output", target, "--batch-size", "2", with_model=tmp_path)
    assert (code, "bert in" in said) == (0, True)
    assert len(read(target)) == COMMENTS
    with pytest.raises(OptionError, match="holds all its weights"):
        registry.load(tmp_path, checkpoint=str(tiny_bert))


def test_a_damaged_model_is_refused_in_one_line(score: Any, tmp_path: Path) -> None:
    saved("tfidf", tmp_path)
    source = tmp_path / "in.csv"
    source.write_text("text\na\n")
    (tmp_path / "head.safetensors").write_bytes(b"cut")
    code, said = score(source, with_model=tmp_path)
    assert (code, "cannot be read" in said, said.count("\n")) == (2, True, 1)
    (tmp_path / "worthit.json").write_text("{}")
    code, said = score(source, with_model=tmp_path)
    assert (code, "holds no saved model" in said) == (2, True)


def test_the_models_of_runs_are_found_and_taken_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from worthit.bench import repeat

    runs = tmp_path / "reports" / "runs"
    options = ["--models", "lsa,tfidf", "--dataset", "synthetic:600", "-k", "train"]
    assert repeat.main(["--runs-folder", str(runs), *options]) == 0
    first, latest = sorted(file.stem for file in runs.glob("*-quick.json"))
    assert kept.find("tfidf", runs).title == f"tfidf-cpu of {latest}"
    by_run = kept.find(f"{first}:lsa", runs)
    assert by_run.title == f"lsa-cpu of {first}"
    assert by_run.folder == kept.find(f"{first}:lsa-cpu", runs).folder
    for given, message in [
        ("bert", "no complete run in"),
        ("gpt", "there is no model or folder 'gpt'"),
        (f"{first}:bert", "has no cell 'bert'; it has: lsa-cpu, tfidf-cpu"),
        ("never:lsa", "there is no readable run"),
    ]:
        with pytest.raises(RunError, match=message):
            kept.find(given, runs)

    capsys.readouterr()
    export = ["export", "tfidf", str(tmp_path / "mine"), "--root", str(tmp_path)]
    assert cli.main(export) == 0
    assert f"tfidf-cpu of {latest} is in" in capsys.readouterr().out
    assert cli.main(export) == 2
    assert "is there already" in capsys.readouterr().err
    original = kept.find("tfidf", runs).folder
    texts = ["you idiot", "thanks"]
    scores = registry.load(original).predict_proba(texts).tolist()
    for file in original.iterdir():
        file.unlink()
    original.rmdir()
    assert registry.load(tmp_path / "mine").predict_proba(texts).tolist() == scores
    with pytest.raises(RunError, match=f"does not hold tfidf of {first}"):
        kept.find(f"{first}:tfidf", runs)

"""`worthit score --cluster`: the same rows and scores as on one machine, whatever dies meanwhile."""

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import scored_comments, scoring_cluster
from tests.scoring_cluster import SMALL, VirtualCluster
from worthit.bench.saved import trained_models
from worthit.models.cluster import connection, input_files
from worthit.models.scoring import parts
from worthit.reports.cli import main, score_cluster, score_settings

Score = Callable[..., tuple[int, str]]
ODD = ("--encoding", "cp1252", "--keep", "id,note")


@pytest.fixture(scope="module")
def cluster() -> Iterator[VirtualCluster]:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'worthit[cluster]'")
    with scoring_cluster.running(2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_comments.saved("tfidf", tmp_path_factory.mktemp("tfidf"))


@pytest.fixture
def score(model: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    def run(*arguments: Any, with_model: Path = model) -> tuple[int, str]:
        code = main.main(["score", "--model", str(with_model), *map(str, arguments)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert printed.out == ""
        assert all(line.startswith("worthit: ") for line in printed.err.splitlines())
        return code, printed.err

    return run


@pytest.mark.cluster
def test_a_file_is_scored_as_on_one_machine_though_a_worker_and_a_node_are_killed(
    cluster: VirtualCluster, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = scoring_cluster.odd_csv(tmp_path, 700)
    options = (source, *ODD, "--batch-size", "16")
    assert score(*options, "--output", tmp_path / "one.parquet")[0] == 0
    monkeypatch.setattr(input_files, "nodes_without", lambda *_: ["node1"])
    acts = {2: cluster.kill_a_worker, 8: cluster.kill_a_node}
    scoring_cluster.on_parts(monkeypatch, acts)
    target = tmp_path / "parts"
    options = (*options, "--cluster", cluster.address, "--part-rows", "32", "--output", target)
    code, said = score(*options)
    assert (code, acts) == (0, {})
    assert "odd.csv is separated by semicolons" in said
    assert "this node reads for all: node1 cannot see the input" in said
    assert "scored 700 rows" in said
    assert "on 2 workers" in said
    assert pq.read_table(target).equals(pq.read_table(tmp_path / "one.parquet"))
    names = sorted(path.name for path in target.iterdir())
    assert names[:2] == [parts.MANIFEST, parts.part_name(1, 32)]
    assert len(names) == 1 + 22
    assert "is complete" in score(*options, "--resume")[1]


@pytest.mark.cluster
def test_files_of_a_folder_are_numbered_through_and_resumed_after_ctrl_c(
    cluster: VirtualCluster, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = scoring_cluster.mixed_folder(tmp_path / "in")
    target = tmp_path / "parts"
    options = (source, "--cluster", cluster.address, "--output", target, "--keep", "kind", *SMALL)
    with monkeypatch.context() as patched:
        scoring_cluster.on_parts(patched, {2: scoring_cluster.press_ctrl_c})
        code, said = score(*options)
    assert code == 130
    assert "continue with the same command and --resume" in said
    before = {path.name: path.stat().st_mtime_ns for path in target.glob("part-*")}
    assert 0 < len(before) < 10
    code, said = score(*options, "--resume")
    assert code == 0
    assert "rows are scored already" in said
    after = {path.name: path.stat().st_mtime_ns for path in target.glob("part-*")}
    assert before.items() <= after.items()
    assert parts.part_name(151, 182) in after  # a part holds rows of one file
    expected, rows = [], 0
    for file in sorted(source.iterdir()):
        one = tmp_path / f"scored-{file.name}.parquet"
        assert score(file, "--keep", "kind", "--batch-size", "16", "--output", one)[0] == 0
        table = pq.read_table(one)
        numbers = pa.array(range(rows + 1, rows + 1 + len(table)), pa.int64())
        expected.append(table.set_column(0, "row", numbers))
        rows += len(table)
    assert rows == 265
    assert pq.read_table(target).equals(pa.concat_tables(expected))


@pytest.fixture
def begun(score: Score, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output with one part, whose input is `in.csv`."""
    scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    target = tmp_path / "parts"

    def stopping(*arguments: Any) -> str:
        arguments[4].write(1, 32, b"a part")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(connection, "connected", lambda _: nullcontext(()))
        patched.setattr(connection, "head_watched", lambda _: nullcontext())
        patched.setattr(score_cluster, "_workers", lambda *_: None)
        patched.setattr(score_cluster, "_score", stopping)
        found = score_cluster._Input((input_files.described(tmp_path / "in.csv"),), {}, 1)
        patched.setattr(score_cluster, "_input", lambda *_: found)
        options = ("--cluster", "nowhere:1", "--output", target, *SMALL)
        code, said = score(tmp_path / "in.csv", *options)
    assert (code, "32 rows are written" in said) == (130, True)
    return target


@pytest.mark.cluster
def test_another_model_input_or_setting_is_refused_before_the_cluster_is_asked(
    begun: Path, score: Score, tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    cluster = ("--cluster", "nowhere:1", "--output", begun)
    code, said = score(source, *cluster, *SMALL)
    assert code == 2
    assert "is not complete; continue with --resume" in said
    (tmp_path / "other").mkdir()
    other = scored_comments.saved("majority", tmp_path / "other")
    said = score(source, *cluster, *SMALL, "--resume", with_model=other)[1]
    assert "was begun with the model tfidf" in said
    assert "not majority" in said
    said = score(source, *cluster, *SMALL, "--part-rows", "64", "--resume")[1]
    assert "was begun with --part-rows 32, not 64" in said
    source.write_bytes(source.read_bytes().replace(b"thanks", b"thank5"))
    said = score(source, *cluster, *SMALL, "--resume")[1]
    assert "was begun with another in.csv" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("in.csv", "--output", "o", "--workers", "2"), "add --cluster"),
        (("--cluster", "a:1", "--output", "o"), "give a file or a folder as INPUT"),
        (("in.csv", "--cluster", "a:1"), "name a new folder with --output"),
        (("in.csv", "--cluster", "a:1", "--output", "o", "--output-format", "csv"), "not csv"),
        (("in.csv", "--cluster", "a:1", "--output", "o", "--yes-send-comments"), "omit --cluster"),
        (("in.csv", "--cluster", "a:1", "--output", "o", "--workers", "0"), "at least 1"),
        (("in.csv", "--cluster", "a:1", "--output", "o", "--checkpoint", "."), "is a path"),
        (("none.csv", "--cluster", "a:1", "--output", "o"), "there is no file or folder none.csv"),
        (("in.csv", "--cluster", "a:1", "--output", "in.csv"), "in.csv is a file"),
        (("in.csv", "--cluster", "a:1", "--output", "full"), "full exists and holds in.csv"),
        (("full", "--cluster", "a:1", "--output", "o", "--keep", "x"), "but not x"),
        (("in.csv", "--cluster", "a", "--output", "o"), "it takes auto"),
        (("in.csv", "--cluster", "a:1", "--output", "o", "--part-rows", "9999999"), "memory"),
    ],
)
def test_what_does_not_go_with_a_cluster_is_refused_in_one_line(
    options: tuple[str, ...],
    message: str,
    score: Score,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "full").mkdir()
    scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    scored_comments.written("csv", tmp_path / "full", scored_comments.made_comments())
    monkeypatch.chdir(tmp_path)
    code, said = score(*options)
    assert code == 2
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_an_output_without_rows_has_the_types_of_one_with_rows(model: Path, tmp_path: Path) -> None:
    trained = trained_models.find(str(model), tmp_path)
    empty = score_settings.empty_table(argparse.Namespace(keep="id"), trained, ("id",))
    types = [("row", pa.int64()), ("id", pa.string()), ("score", pa.float64())]
    assert pa.table(empty).schema == pa.schema([*types, ("predicted", pa.string())])


def test_the_head_node_is_watched_while_rows_are_counted(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def watched(on_loss: Callable[[], object]) -> AbstractContextManager[None]:
        told.append(on_loss)
        return nullcontext()

    def count(*_: Any) -> NoReturn:
        told.pop()()
        raise KeyboardInterrupt

    source = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    monkeypatch.setattr(connection, "connected", lambda _: nullcontext(()))
    monkeypatch.setattr(connection, "head_watched", watched)
    monkeypatch.setattr(score_cluster, "_workers", lambda *_: None)
    monkeypatch.setattr(score_cluster, "_end_without_head", told.append)
    monkeypatch.setattr(score_cluster, "_input", count)
    score(source, "--cluster", "nowhere:1", "--output", tmp_path / "o")
    assert told == [None]


def test_a_machine_without_ray_is_told_how_to_install_it(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = scored_comments.written("csv", tmp_path, scored_comments.made_comments())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, said = score(source, "--cluster", "auto", "--output", tmp_path / "o")
    assert code == 2
    assert "--cluster needs ray: pip install 'worthit[cluster]'" in said

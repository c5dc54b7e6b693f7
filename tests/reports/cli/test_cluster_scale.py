"""What the workers of a cluster add: what is refused, and what has no rate."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from worthit.datasets.errors import CellError
from worthit.reports.cli import cluster_scale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--rows", "1000"],
            "--rows is 1,000; 25 parts of 4,096 rows for each worker need 204,800: ",
        ),
        (
            ["--rows", "1000", "--part-rows", "9", "--workers", "1"],
            "25 parts of 1,024 rows for each",
        ),
        (["--part-rows", "0"], "--part-rows is 0; it takes a number from 1 up"),
        (["--workers", "0"], "--workers is '0'; it takes numbers from 1 up"),
        (["--model", "gpt"], "unknown model 'gpt'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cluster_scale.main(options) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_rate_needs_some_seconds_after_the_first_part() -> None:
    run = cluster_scale._Scored(9.0, 1.0, 30, 1, 1.0, 1.0)
    assert cluster_scale._rate(run, 800) == 100
    with pytest.raises(CellError, match=r"took 4\.9 s, too short for a rate; give more --rows"):
        cluster_scale._rate(replace(run, seconds=5.9), 800)


def test_the_death_of_the_scoring_process_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dead: Future[object] = Future()
    dead.set_exception(BrokenProcessPool("a process died"))
    pool = SimpleNamespace(submit=lambda *_: dead)
    monkeypatch.setattr(cluster_scale, "ProcessPoolExecutor", lambda *_: nullcontext(pool))
    with pytest.raises(CellError, match=r"^worthit score failed \(its process died\)"):
        cluster_scale._on_cluster("auto", tmp_path, tmp_path / "in.jsonl", 1, 1024)

"""bench/scripts, repeat and scale: what they print and what they refuse."""

import functools
import itertools
import statistics
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from worthit.bench.cluster.on_node import Done
from worthit.bench.saved.record import CellRecord
from worthit.bench.scripts import recipes, time_cluster
from worthit.datasets.errors import CellError
from worthit.reports.cli import scale

SMALL = ["--dataset", "synthetic:1500", "--sizes", "100,200", "--validation", "100", "--seeds", "2"]


def compare(file: Path, *arguments: str) -> int:
    return recipes.main([*arguments, *SMALL, "--results", str(file)])


def test_each_recipe_is_trained_at_each_size_with_each_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "r.jsonl", "lsa", "components=5,20") == 0
    trials = recipes.read(tmp_path / "r.jsonl")
    expected = itertools.product((100, 200), (0, 1), (5, 20))
    assert [(t.size, t.seed, t.settings["components"]) for t in trials] == list(expected)
    table = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    mean = statistics.mean(t.accuracy for t in trials if t.group == (200, 100, "components=20"))
    (row,) = (line for line in table if line.startswith("200") and "components=20" in line)
    assert row.split()[3:5] == ["2", f"{100 * mean:.1f}"]


def test_an_interrupted_comparison_trains_only_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    assert compare(file, "lsa", "components=5") == 0
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:2]))
    assert compare(file, "lsa", "components=5") == 0
    assert file.read_text().splitlines(keepends=True)[:2] == whole[:2]
    assert [trial.accuracy for trial in recipes.read(file)] == [
        msgspec.json.decode(line)["accuracy"] for line in whole
    ]


def test_a_draw_has_each_class_and_depends_on_the_seed_alone() -> None:
    labels = np.array([0] * 900 + [1] * 100, np.int8)
    first, again, other = (recipes.draw(labels, 50, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert labels[first].sum() == labels[other].sum() == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["endpoint:gpt"], "endpoint:gpt is not trained"),
        (["gpt"], "unknown model 'gpt'"),
        (["lsa", "components"], "'components' is not NAME=VALUE"),
        (["lsa", "depth=3"], "lsa has no setting 'depth'"),
        (["lsa", "--sizes", "many"], "--sizes is 'many'"),
        (["lsa", "--sizes", "4000"], "--sizes asks for 4,000 comments, but"),
        (["lsa", "--sizes", "1"], "1 comments cannot be drawn by class"),
        (["lsa", "--validation", "0"], "--validation is 0; it takes a number from 1 up"),
        (["lsa", "--threads", "-1"], "--threads is -1; it takes a number from 1 up"),
        (["lsa", "--results", "/no/such/r.jsonl"], "r.jsonl cannot be written (No such file or"),
    ],
)
def test_a_comparison_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert recipes.main([*SMALL, "--results", str(tmp_path / "r.jsonl"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_data_protocol_is_timed_cold_and_from_the_cache() -> None:
    module = "worthit.bench.scripts.time_datasets"
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, "--dataset", "synthetic:500"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("synthetic:500: 500 comments")
    for step in ("cold", "download", "another split", "the same split again"):
        assert step in done.stdout


def test_scoring_is_timed_at_growing_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second time a process would only find the model in the cache.
    monkeypatch.setattr(scale, "trained", functools.cache(scale.trained))
    small = ["--dataset", "synthetic:600", "--train-size", "100", "--sample", "50"]
    assert scale.main([*small, "--rows", "100,1500", "--extrapolate", "tfidf"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    few, many = (line.split() for line in out.splitlines() if line[:1] == "1")
    assert (few[0], many[0]) == ("100", "1,500")
    assert 20 < float(few[1]) < 2_000
    slow = [line.split() for line in out.splitlines() if line.startswith("tfidf")][-1]
    rate, hours = float(slow[2].replace(",", "")), float(slow[3].removeprefix("≈"))
    assert hours == pytest.approx(1e6 / rate / 3600, rel=0.02)


@pytest.mark.parametrize("options", [["--rows", "ten"], ["--extrapolate", "gpt"]])
def test_scale_refuses_in_one_line(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert scale.main(["--dataset", "synthetic:600", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_timing_a_cluster_refuses_no_repeats_and_failed_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert time_cluster.main(["--cluster", "auto", "--repeats", "0"]) == 2
    said = capsys.readouterr().err
    assert said == "time_cluster: --repeats is 0; it takes a number from 1 up\n"
    lost = CellRecord("majority", "cpu", 0, failures=("training: one died",))
    with pytest.raises(CellError, match=r"nothing is timed \(training: one died\)"):
        time_cluster._require_done(Done(lost, {}, "", b""))

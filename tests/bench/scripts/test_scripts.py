"""The scripts in bench/ that anyone can run: what they print, and what they refuse."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import small_runs
from worthit.bench.saved import record
from worthit.bench.scripts import tune
from worthit.reports.cli import scale
from worthit.reports.compare import repeat

SMALL = ["--dataset", "synthetic:1500", "--train-size", "200", "--validation-size", "100"]


def test_tuning_tries_every_combination(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune.main(["lsa", "components=5,20", "max_iter=100,200", *SMALL]) == 0
    table = capsys.readouterr().out.split("\n\n")[1]
    for label in ("components=5 max_iter=100", "components=20 max_iter=200"):
        assert label in table
    assert table.count("%") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt", *SMALL], "unknown model 'gpt'"),
        (["lsa", "components", *SMALL], "'components' is not NAME=VALUE"),
        (["lsa", "depth=3", *SMALL], "lsa has no setting 'depth'"),
        (["lsa", "--dataset", "synthetic:1500"], "need more than the"),
    ],
)
def test_tuning_refuses_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert tune.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_repeating_a_benchmark_keeps_both_runs_and_their_predictions_agree(
    repeated: tuple[Path, str],
) -> None:
    root, printed = repeated
    assert len(list((root / "reports" / "runs").glob("*-quick.json"))) == 2
    table = printed.splitlines()
    assert [row.split()[0] for row in table[2:]] == ["lsa-cpu", "tfidf-cpu"]
    assert all(row.endswith("same") for row in table[2:])


_GOOD = small_runs.cell()
_SHIFTED = small_runs.cell(quality=record.Quality((0.5,) * 20, (0.5,) * 20, (), 1.0, 0.0))
_UNSCORED = small_runs.cell(quality=None)
_UNSCORED_OTHER = small_runs.cell(model="bert", quality=None)
_OTHER = small_runs.cell(model="tfidf")
_UNLIKE = "the runs do not repeat: see the scores above\n"


@pytest.mark.parametrize(
    ("first", "second", "codes", "scores", "error"),
    [
        ([_GOOD], [_GOOD], (0, 0), ["same"], ""),
        ([_GOOD, _UNSCORED_OTHER], [_GOOD, _UNSCORED_OTHER], (0, 0), ["same", "n/a"], ""),
        ([_GOOD], [_SHIFTED], (0, 0), ["differ by up to 0.4"], _UNLIKE),
        ([_GOOD], [_UNSCORED], (0, 0), ["only in the first run"], _UNLIKE),
        ([_UNSCORED], [_GOOD], (0, 0), ["only in the second run"], _UNLIKE),
        ([_GOOD, _OTHER], [_GOOD], (0, 0), ["same", "only in the first run"], _UNLIKE),
        ([_GOOD], [_GOOD, _OTHER], (0, 0), ["same", "only in the second run"], _UNLIKE),
        (
            [_UNSCORED], [_UNSCORED], (0, 0), ["n/a"],
            "no cell has scores, so nothing shows that runs repeat\n",
        ),
        (
            [_GOOD], [_GOOD], (0, 1), ["same"],
            "the second run ended with exit code 1; run `pytest bench/` to see why\n",
        ),
    ],
)  # fmt: skip
def test_only_runs_whose_every_score_is_there_and_the_same_repeat(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first: list[record.CellRecord],
    second: list[record.CellRecord],
    codes: tuple[int, int],
    scores: list[str],
    error: str,
) -> None:
    made = iter(zip((small_runs.run(*first), small_runs.run(*second)), codes, strict=True))
    monkeypatch.setattr(repeat, "_run", lambda *given: next(made))
    assert repeat.main([]) == (1 if error else 0)
    printed = capsys.readouterr()
    rows = printed.out.splitlines()[2:]
    assert len(rows) == len(scores)
    assert all(row.endswith(found) for row, found in zip(rows, scores, strict=True))
    assert printed.err == error


def test_the_data_protocol_is_timed_cold_and_from_the_cache() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "worthit.bench.scripts.time_datasets",
            "--dataset",
            "synthetic:500",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("synthetic:500: 500 comments")
    for step in ("cold", "download", "another split", "the same split again"):
        assert step in done.stdout


def test_scoring_is_timed_at_growing_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--dataset", "synthetic:600", "--train-size", "100", "--sample", "50"]
    assert scale.main([*small, "--rows", "100,1500", "--extrapolate", "lsa"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    few, many = (line.split() for line in out.splitlines() if line[:1] == "1")
    assert (few[0], many[0]) == ("100", "1,500")
    assert 20 < float(few[1]) < 2_000
    lsa = next(line.split() for line in out.splitlines() if line.startswith("lsa"))
    rate, hours = float(lsa[2].replace(",", "")), float(lsa[3].removeprefix("≈"))
    assert hours == pytest.approx(1e6 / rate / 3600, rel=0.02)


@pytest.mark.parametrize("options", [["--rows", "ten"], ["--extrapolate", "gpt"]])
def test_scale_refuses_in_one_line(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert scale.main(["--dataset", "synthetic:600", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1

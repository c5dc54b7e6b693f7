"""bench/scripts, repeat and scale: what they print and what they refuse."""

import subprocess
import sys

import pytest

from worthit.bench.scripts import tune
from worthit.reports.cli import scale

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


def test_the_data_protocol_is_timed_cold_and_from_the_cache() -> None:
    module = "worthit.bench.scripts.time_datasets"
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, "--dataset", "synthetic:500"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("synthetic:500: 500 comments")
    for step in ("cold", "download", "another split", "the same split again"):
        assert step in done.stdout


def test_scoring_is_timed_at_growing_numbers(capsys: pytest.CaptureFixture[str]) -> None:
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

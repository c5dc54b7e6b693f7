"""bench/speed/record.py: a speed run is saved, and checked when it is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.speed_runs import INT8, WORTHIT, comparison, speed_run
from worthit.bench.speed import record
from worthit.datasets.errors import RunError


def test_a_saved_run_is_read_back_unchanged(tmp_path: Path) -> None:
    run = speed_run(comparison(), comparison(INT8, WORTHIT))
    record.save(run, tmp_path / "a.json")
    assert record.load(tmp_path / "a.json") == run


def _remove_cpu(run: Any) -> None:
    del run["machine"]["cpu"]


def _remove_seconds(run: Any) -> None:
    run["comparisons"][0]["entries"][0]["seconds"].pop()


def _remove_slice(run: Any) -> None:
    for key in ("comments", "seconds"):
        run["comparisons"][0]["entries"][0][key].pop()


def _stop_the_clock(run: Any) -> None:
    run["comparisons"][0]["entries"][0]["seconds"][0] = 0


def _remove_worthit(run: Any) -> None:
    run["comparisons"][0]["entries"].pop(2)


def _remove_reason(run: Any) -> None:
    run["comparisons"][0]["entries"][1]["reason"] = ""


def _remove_rates(run: Any) -> None:
    run["comparisons"][0]["gemm_flops_per_s"].clear()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: run.update(schema_version=0), "schema_version"),
        (lambda run: run.update(comparisons=[]), "length >= 1"),
        (_remove_cpu, "missing required field `cpu`"),
        (_remove_seconds, "comments and seconds for each slice, or a reason"),
        (_remove_slice, "the same number of slices"),
        (_stop_the_clock, "> 0"),
        (_remove_worthit, "the last entry of a comparison is worthit's"),
        (_remove_reason, "or a reason"),
        (_remove_rates, "length >= 1"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[Any], None], message: str
) -> None:
    file = tmp_path / "a.json"
    record.save(speed_run(), file)
    run = json.loads(file.read_text())
    damage(run)
    file.write_text(json.dumps(run))
    with pytest.raises(RunError, match=message) as caught:
        record.load(file)
    assert "a.json is not a valid speed run" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_run_says_how_to_measure_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"measure one: python -m worthit.bench.speed"):
        record.load(tmp_path / "a.json")


def test_every_committed_speed_run_can_be_read() -> None:
    folder = record.path(Path(record.__file__).parents[2], "any").parent
    files = list(folder.glob("*.json"))
    assert files
    for file in files:
        assert record.load(file).comparisons

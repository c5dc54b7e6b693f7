"""bench/record.py: what is saved is checked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import small_runs
from small_runs import GOOD, cell, run
from worthit.bench import record
from worthit.bench.record import Figure, measured, unavailable
from worthit.datasets.errors import RunError


@pytest.mark.parametrize(
    "bad",
    [
        {"value": None, "origin": "measured"},
        {"value": 0.0, "origin": "unavailable", "reason": "x"},
        {"value": None, "origin": "unavailable"},
        {"value": float("nan"), "origin": "measured"},
    ],
)
def test_figures_that_contradict_themselves_cannot_be_made(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="figure"):
        Figure(**{"unit": "s", "instrument": "clock", **bad})


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record.save(run(), tmp_path / "a.json")
    assert record.load(tmp_path / "a.json") == run()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_list_of_numbers_is_one_line_and_text_stays_as_it_is(tmp_path: Path) -> None:
    odd = record.StepRecord('says "[\n 1,\n 2]", {then}', 2, 1)
    two = small_runs.part((1, 0))
    data = replace(run().data, steps=(odd, *run().data.steps), train=two)
    found = run(cell(quality=record.Quality((0.25, 1.0), GOOD, GOOD, 1.0, 0.0)), data=data)
    record.save(found, tmp_path / "a.json")
    assert '"train": [0.25,1.0],\n' in (tmp_path / "a.json").read_text("utf-8")
    assert record.load(tmp_path / "a.json") == found


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw.update(schema_version=99), "schema version 99, this worthit reads 1 to 3"),
        (lambda raw: raw.pop("schema_version"), "schema version None"),
        (lambda raw: raw.update(cells="none"), r"Expected `array`, got `str` - at `\$.cells`"),
        (lambda raw: raw["cells"][0].update(model=3), r"Expected `str`, got `int`"),
        (
            lambda raw: raw["cells"][0]["training"]["train_s"].update(value=None),
            "has a value unless it is unavailable",
        ),
        (lambda raw: raw.pop("data"), "missing required field `data`"),
    ],
)
def test_a_run_that_is_not_valid_is_refused(tmp_path: Path, damage: Any, message: str) -> None:
    file = tmp_path / "a.json"
    record.save(run(), file)
    raw = json.loads(file.read_text())
    damage(raw)
    file.write_text(json.dumps(raw))
    with pytest.raises(RunError, match=message):
        record.load(file)


def test_a_run_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    rising = record.Throughput(
        (record.BatchRate(8, measured(1, "comments/s", "c")),), "largest size"
    )
    today = run(cell(), cell(seed=1, throughput=rising), cell(seed=2, throughput=None))
    record.save(today, tmp_path / "a.json")
    raw = json.loads((tmp_path / "a.json").read_text())
    raw["schema_version"] = 1
    for old, stopped in zip(raw["cells"], (True, False), strict=False):
        del old["throughput"]["ended_by"]
        old["throughput"]["stopped_rising"] = stopped
    (tmp_path / "a.json").write_text(json.dumps(raw))
    assert record.load(tmp_path / "a.json") == today


def test_passes_of_an_older_run_are_found_to_be_of_the_same_comments(tmp_path: Path) -> None:
    timed = cell().latency
    assert timed is not None
    samples = tuple(float(i % 20 + 1) for i in range(400))  # the run's 20 test comments, 20 times
    old_timed = replace(
        timed, samples_ms=samples, characters=(5,) * 400, p99_ms=measured(20, "ms", "c"),
        ended_by="precision", p50_low_ms=10.4, p50_high_ms=10.6,
    )  # fmt: skip
    record.save(run(cell(latency=old_timed), schema_version=2), tmp_path / "a.json")
    found = record.load(tmp_path / "a.json").cells[0].latency
    assert found is not None
    assert found.comments == 20
    assert found.ended_by == "precision of passes"
    assert found.p99_ms == unavailable("ms", "p99 needs 299 comments, there are 20")
    assert (found.p50_low_ms, found.p50_high_ms) == (6, 15)  # Conover: the 6th and 15th of 20


def test_an_older_run_that_is_not_valid_is_refused_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    record.save(run(schema_version=2), file)
    raw = json.loads(file.read_text())
    del raw["data"]
    file.write_text(json.dumps(raw))
    with pytest.raises(RunError, match="is not a valid run of schema version 2"):
        record.load(file)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_files_that_are_no_runs_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RunError, match=r"not JSON|schema version None"):
        record.load(tmp_path / "a.json")
    with pytest.raises(RunError, match="there is no readable run"):
        record.load(tmp_path / "b.json")

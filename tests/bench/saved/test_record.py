"""bench/saved/record.py, run_file.py: a saved run is checked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.small_runs import GOOD, cell, run
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import Figure
from worthit.datasets.errors import RunError
from worthit.datasets.splits.manifest import Step


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
    run_file.save(run(), tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == run()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_run_that_was_not_saved_leaves_no_file(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(run_file, "save", interrupted)
    with pytest.raises(error):
        run_file.create(run(), tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_list_of_numbers_is_one_line_and_text_stays_as_it_is(tmp_path: Path) -> None:
    odd = Step('says "[\n 1,\n 2]", {then}', 2, (1, 1))
    two = factories.part((1, 0))
    data = replace(run().data, steps=(odd, *run().data.steps), train=two)
    found = run(cell(quality=record.Quality((0.25, 1.0), GOOD, GOOD, 1.0, 0.0)), data=data)
    run_file.save(found, tmp_path / "a.json")
    assert '"train": [0.25,1.0],\n' in (tmp_path / "a.json").read_text("utf-8")
    assert run_file.load(tmp_path / "a.json") == found


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw.update(schema_version=99), "schema version 99, this worthit reads 8"),
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
    run_file.save(run(), file)
    raw = json.loads(file.read_text())
    damage(raw)
    file.write_text(json.dumps(raw))
    with pytest.raises(RunError, match=message):
        run_file.load(file)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_files_that_are_not_runs_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RunError, match=r"not JSON|schema version None"):
        run_file.load(tmp_path / "a.json")
    with pytest.raises(RunError, match="there is no readable run"):
        run_file.load(tmp_path / "b.json")

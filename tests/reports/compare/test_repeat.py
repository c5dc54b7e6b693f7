"""reports/compare/repeat.py: two runs with the same options."""

import dataclasses
from pathlib import Path

import pytest

from tests import small_runs
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.compare import repeat


@pytest.mark.xdist_group("repeated")  # one worker makes the two runs
def test_repeating_a_benchmark_saves_both_runs_with_the_same_predictions(
    repeated: tuple[Path, str],
) -> None:
    root, printed = repeated
    assert len(list((root / "reports" / "runs").glob("*-quick.json"))) == 2
    table = printed.splitlines()
    # Lines with d, if the machine was busy, name the disturbed measurements.
    rows = [row for row in table[2:] if not row.startswith("d, in the ")]
    assert [row.split()[0] for row in rows] == ["lsa-cpu", "tfidf-cpu"]
    assert all(row.endswith("same") for row in rows)


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
def test_runs_repeat_only_if_all_their_scores_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first: list[record.CellRecord],
    second: list[record.CellRecord],
    codes: tuple[int, int],
    scores: list[str],
    error: str,
) -> None:
    made = iter(zip((small_runs.run(*first), small_runs.run(*second)), codes, strict=True))
    monkeypatch.setattr(repeat, "run_benchmark", lambda *given: next(made))
    assert repeat.main([]) == (1 if error else 0)
    printed = capsys.readouterr()
    rows = printed.out.splitlines()[2:]
    assert len(rows) == len(scores)
    assert all(row.endswith(found) for row, found in zip(rows, scores, strict=True))
    assert printed.err == error


def test_repeats_are_compared_figure_by_figure() -> None:
    slower = dataclasses.replace(
        small_runs.cell(),
        latency=dataclasses.replace(small_runs.cell().latency, p50_ms=measured(3.0, "ms", "c")),  # type: ignore[type-var]
    )
    (row,), agreements = repeat.ratios(small_runs.run(small_runs.cell()), small_runs.run(slower))
    assert row == ["lsa-cpu", "1.00", "2.00", "n/a", "1.00", "1.00", "n/a", "same"]
    assert agreements == ["same"]
    moved = (*small_runs.GOOD[:-1], small_runs.GOOD[-1] + 0.25)
    other = dataclasses.replace(
        small_runs.cell(),
        quality=record.Quality(small_runs.GOOD, moved, small_runs.GOOD, 1.0, 0.25),
    )
    (row,), agreements = repeat.ratios(small_runs.run(small_runs.cell()), small_runs.run(other))
    assert row[-1] == "differ by up to 0.25"
    assert agreements == [row[-1]]

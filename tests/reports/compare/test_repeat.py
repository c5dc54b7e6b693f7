"""reports/compare/repeat.py: two runs with the same options, and their models by name."""

import contextlib
import dataclasses
import io
import shutil
from pathlib import Path

import pytest

from tests import small_runs
from tests.command_line import prepare_comments
from worthit.bench.saved import record, trained_models
from worthit.bench.saved.record import measured
from worthit.datasets.errors import RunError
from worthit.models import registry
from worthit.reports.cli import main as cli
from worthit.reports.compare import repeat


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project with two identical runs and their cache, and the output of `repeat`."""
    root, printed = tmp_path_factory.mktemp("repeated"), io.StringIO()
    options = ["--models", "majority,lsa", "--seeds", "1", "--attempts", "1"]
    options += ["--dataset", "synthetic:600", "-k", "train or accuracy"]
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(printed):
        patched.setenv("WORTHIT_CACHE", str(root / "cache"))
        prepare_comments("--dataset", "synthetic:600")
        assert repeat.main(["--runs-folder", str(root / "reports" / "runs"), *options]) == 0
    return root, printed.getvalue()


def test_repeating_a_benchmark_saves_both_runs_with_the_same_predictions(
    repeated: tuple[Path, str],
) -> None:
    root, printed = repeated
    assert len(list((root / "reports" / "runs").glob("*-quick.json"))) == 2
    table = printed.splitlines()
    # Lines with d, if the machine was busy, name the disturbed measurements.
    rows = [row for row in table[2:] if not row.startswith("d, in the ")]
    assert [row.split()[0] for row in rows] == ["majority-cpu", "lsa-cpu"]
    assert all(row.endswith("same") for row in rows)


def test_models_of_runs_are_found_and_exported(
    repeated: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = shutil.copytree(repeated[0], tmp_path / "project")
    monkeypatch.setenv("WORTHIT_CACHE", str(project / "cache"))
    runs = project / "reports" / "runs"
    first, latest = sorted(file.stem for file in runs.glob("*-quick.json"))
    assert trained_models.find("lsa", runs).title == f"lsa-cpu of {latest}"
    by_run = trained_models.find(f"{first}:majority", runs)
    assert by_run.title == f"majority-cpu of {first}"
    assert by_run.folder == trained_models.find(f"{first}:majority-cpu", runs).folder
    for given, message in [
        ("bert", "no complete run in"),
        ("gpt", "there is no model or folder 'gpt'"),
        (f"{first}:bert", "has no cell 'bert'; it has: majority-cpu, lsa-cpu"),
        ("never:majority", "there is no readable run"),
    ]:
        with pytest.raises(RunError, match=message):
            trained_models.find(given, runs)

    export = ["export", "lsa", str(tmp_path / "mine"), "--root", str(project)]
    assert cli.main(export) == 0
    assert f"lsa-cpu of {latest} is in" in capsys.readouterr().out
    assert cli.main(export) == 2
    assert "exists already" in capsys.readouterr().err
    original = trained_models.find("lsa", runs).folder
    texts = ["you idiot", "thanks"]
    scores = registry.load(original).predict_proba(texts).tolist()
    for file in original.iterdir():
        file.unlink()
    original.rmdir()
    assert registry.load(tmp_path / "mine").predict_proba(texts).tolist() == scores
    with pytest.raises(RunError, match=f"does not hold lsa of {first}"):
        trained_models.find(f"{first}:lsa", runs)


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

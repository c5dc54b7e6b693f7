"""`worthit page`: which runs, which files, and errors in one line."""

from pathlib import Path

import pytest

from tests import page_runs
from worthit.bench.saved import run_file
from worthit.reports.cli import main
from worthit.reports.page import document


@pytest.fixture(autouse=True)
def _small_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "plotly_script", lambda: "var Plotly = {};")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs; the latest one was interrupted."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "worthit-runs"
    folder.mkdir()
    for name, complete in (("a", True), ("b", True), ("c", False)):
        started = f"2026-01-0{ord(name) - ord('a') + 1}T03:00:00+00:00"
        made = page_runs.run(run_id=f"run-{name}", complete=complete, started_at=started)
        run_file.save(made, folder / f"{name}.json")
    return tmp_path


def shown(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    return [name for name in ("run-a", "run-b", "run-c") if f'"{name}"' in text]


def test_without_a_run_it_is_the_latest_complete_one_in_a_folder(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["page"]) == 0
    assert capsys.readouterr().out == f"page: {Path('worthit-page', 'index.html')}\n"
    assert sorted(file.name for file in (project / "worthit-page").iterdir()) == [
        "index.html",
        document.PLOTLY_FILE,
    ]
    assert shown(project / "worthit-page" / "index.html") == ["run-b"]


def test_several_runs_become_one_file(project: Path) -> None:
    assert (
        main.main(["page", "a", "worthit-runs/c.json", "--single", "--output", "new/x.html"]) == 0
    )
    assert [file.name for file in (project / "new").iterdir()] == ["x.html"]
    assert shown(project / "new" / "x.html") == ["run-a", "run-c"]
    assert "var Plotly" in (project / "new" / "x.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "a"], "a is given twice; give each run once"),
        (["nothing"], "nothing.json"),
        (["a", "--output", "worthit-runs/a.json"], "the page cannot be written"),
        (["--root", "empty"], "no complete run in"),
    ],
)
def test_bad_input_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main.main(["page", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

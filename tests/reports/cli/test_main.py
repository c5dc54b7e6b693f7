"""reports/cli/main.py and publish.py: the `worthit` command, and the modules it imports."""

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_runs import cell, run
from worthit.bench.saved import record, run_file
from worthit.reports.cli import main
from worthit.reports.publish import publish


def test_publishing_writes_pictures_and_report_beside_the_run(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    both = run(cell(), cell(model="tfidf"))
    run_file.save(both, file)
    summary = publish.publish(both, file)
    written = {path.name for path in (tmp_path / "a").iterdir()}
    assert written == {
        "README.md", "frontier.png", "roc.png", "reliability.png", "precision-recall.png",
        "confusion-lsa-cpu.png", "confusion-tfidf-cpu.png",
    }  # fmt: skip
    text = (tmp_path / "a" / "README.md").read_text()
    assert "](frontier.png)" in text
    assert "](confusion-lsa-cpu.png)" in text
    assert "lsa" in summary


@pytest.fixture
def project(tmp_path: Path) -> Path:
    runs = tmp_path / "reports" / "runs"
    runs.mkdir(parents=True)
    run_file.save(run(), runs / "2026-01-02-quick.json")
    return tmp_path


def test_the_help_of_every_option_begins_with_what_it_is() -> None:
    (commands,) = (
        action.choices
        for action in main._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    assert len(commands) > 5
    for name, command in commands.items():
        for action in command._actions:
            said = (action.help or "").removeprefix("your own data: ")
            assert said, (name, action.dest)
            assert not said.startswith(("(", "of ")), (name, action.dest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nope"], "there is no readable run"),
    ],
)
def test_commands_refuse_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main.main([*arguments, "--root", str(project)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("worthit: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("blocked", "reason"),
    [
        ("blk", "File exists"),
        ("blk/README.md", "Is a directory"),
        ("blk/roc.png", "Is a directory"),
    ],
)
def test_a_report_that_cannot_be_written_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], blocked: str, reason: str
) -> None:
    runs = project / "reports" / "runs"
    run_file.save(run(), runs / "blk.json")
    if blocked == "blk":
        (runs / blocked).touch()
    else:
        (runs / blocked).mkdir(parents=True)
    assert main.main(["report", "blk", "--root", str(project)]) == 2
    assert capsys.readouterr().err == (
        f"worthit: the report cannot be written ({reason}: {runs / blocked}); "
        f"correct that, then: worthit report {runs / 'blk.json'}\n"
    )


def test_runs_lists_saved_runs_and_unreadable_ones(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = project / "reports" / "runs"
    (runs / "broken.json").write_text("{")
    long = run(complete=False)
    cpu = {"cpu": "AMD Ryzen Threadripper PRO 5995WX with 64 Cores"}
    long = dataclasses.replace(long, machine=long.machine | cpu)
    data = dataclasses.replace(long.data, dataset="jigsaw:/home/someone/comments/train.csv.gz")
    run_file.save(dataclasses.replace(long, data=data), runs / "2026-01-03-152233-reference.json")
    assert main.main(["runs", "--root", str(project)]) == 0
    printed = capsys.readouterr().out
    assert "2026-01-02-quick" in printed
    assert "(interrupted)" in printed
    assert "unreadable [1]" in printed
    assert "is not JSON" in printed.replace("\n   ", "")
    assert max(map(len, printed.splitlines())) <= 80


def test_report_renders_a_run_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["report", "2026-01-02-quick", "--root", str(project)]) == 0
    assert (project / "reports" / "runs" / "2026-01-02-quick" / "README.md").exists()
    assert "lsa" in capsys.readouterr().out


@pytest.mark.usefixtures("without_pictures")
def test_a_report_with_options_leaves_the_runs_own_report(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["report", "2026-01-02-quick", "--root", str(project)]
    assert main.main(command) == 0
    runs = project / "reports" / "runs"
    own = (runs / "2026-01-02-quick" / "README.md").read_text()
    capsys.readouterr()
    assert main.main([*command, "--machine-price", "0.1"]) == 0
    assert (runs / "2026-01-02-quick" / "README.md").read_text() == own
    assert "2026-01-02-quick-options/README.md" in capsys.readouterr().out
    priced = (runs / "2026-01-02-quick-options" / "README.md").read_text()
    assert "0.1" in priced
    assert priced != own
    elsewhere = tmp_path / "new" / "folder"
    assert main.main([*command, "--machine-price", "0.1", "--output", str(elsewhere)]) == 0
    assert (elsewhere / "README.md").read_text() == priced


def test_every_committed_run_can_be_read() -> None:
    folder = Path(record.__file__).parents[2] / "reports" / "runs"
    for file in folder.glob("*.json"):
        assert run_file.load(file).cells


def test_reports_import_no_torch() -> None:
    program = "import sys, worthit.reports.cli.main, worthit.reports.pictures.pictures; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_report_without_pictures_imports_no_slow_library(tmp_path: Path) -> None:
    run_file.save(run(), tmp_path / "one.json")
    program = (
        "import sys, pathlib; from worthit.bench.saved import run_file; from worthit.reports.cli import main; "
        "from worthit.reports.analysis.analysis import Analysis; from worthit.reports.sections import report; "
        "from worthit.reports.verdict import rules; "
        f"analysis = Analysis.of(run_file.load(pathlib.Path({str(tmp_path / 'one.json')!r}))); "
        "verdict = rules.decide(analysis); "
        "assert report.render(analysis, verdict, {}) and report.brief(analysis, verdict); "
        "print({'torch', 'matplotlib', 'sklearn', 'pandas'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"

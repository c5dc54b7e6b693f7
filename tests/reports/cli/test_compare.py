"""`worthit compare`: exit codes, invalid input, committed runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compared_runs import cell, compare, memory, run
from worthit.bench.saved import record, run_file
from worthit.reports.cli import main


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "reports" / "runs"
    folder.mkdir(parents=True)
    run_file.save(run(), folder / "a.json")
    run_file.save(run(), folder / "b.json")
    run_file.save(run(cell(memory=memory(600))), folder / "worse.json")
    run_file.save(run(cell("lsa")), folder / "other.json")
    (folder / "broken.json").write_text("{")
    return tmp_path


def test_the_exit_code_tells_whether_a_run_is_worse(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", "--root", str(project)]
    assert main.main([*command, "a", "b"]) == 0
    assert capsys.readouterr().out.startswith(
        "# Comparison of runs\n\n**no regression beyond 10 %**"
    )
    assert main.main([*command, "a", str(project / "reports" / "runs" / "worse.json")]) == 1
    assert main.main([*command, "a", "worse", "--limit", "25"]) == 0
    capsys.readouterr()
    assert main.main([*command, "a", "worse", "--output", str(project / "c.md")]) == 1
    assert capsys.readouterr().out == "regression: bert-cpu peak memory (B)\n"
    assert "## Figures" in (project / "c.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "compare takes 2 to 26 runs, got 1"),
        (["a", "b", "a"], "a is given twice"),
        (["a", "nope"], "there is no readable run"),
        (["a", "broken"], "is not JSON"),
        (["a", "other"], "no model and seed in common: a has bert-cpu; other has lsa-cpu"),
        (["a", "b", "--limit", "0"], "--limit is 0; it takes a percentage above 0"),
        (["a", "b", "--limit", "nan"], "--limit is nan; it takes a percentage above 0"),
        (["a", "b", "--output", "/no/folder/c.md"], "cannot be written"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main.main(["compare", *arguments, "--root", str(project)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_committed_runs_can_be_compared() -> None:
    folder = Path(record.__file__).parents[2] / "reports" / "runs"
    for file in folder.glob("*.json"):
        found = run_file.load(file)
        assert "## Figures" in compare(found, found).text


def test_comparing_imports_no_torch() -> None:
    program = "import sys, worthit.reports.compare.compare; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"

"""datasets/README.md, "From a CSV to a decision": its commands print what it shows.

Measured output is compared as far as it does not depend on the machine: comments, guesses, accuracy,
scores. Output of a published run is compared exactly. To show another run:

    python tests/test_tutorial.py RUN
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from worthit.bench.saved import record

ROOT = Path(record.__file__).parents[2]
README = ROOT / "datasets" / "README.md"
_SECTION = re.compile(r"<!-- tutorial -->\n(.*?)<!-- end of tutorial -->", re.DOTALL)
_FENCED = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_OMITTED = "…\n"


def tutorial() -> str:
    (section,) = _SECTION.findall(README.read_text("utf-8"))
    return str(section)


def run_name(section: str) -> str:
    """The run whose figures it shows."""
    (name,) = set(re.findall(r"\d{4}-\d\d-\d\d-\d{6}-quick", section))
    return str(name)


def filled(section: str, root: Path, run: str) -> str:
    """The tutorial with the figures of this published run, rendered with the command it shows."""
    section = section.replace(run_name(section), run)
    *_, report, answer, _, _ = _FENCED.findall(section)
    _, _, verdict, _ = typed(report, root).split("\n\n")
    rendered = (root / "reports" / "runs" / f"{run}-options" / "README.md").read_text("utf-8")
    tables = iter(_TABLE.findall(rendered.partition("\n## Budget\n")[2]))
    section = section.replace(answer, f"{_OMITTED}{verdict}\n")
    return _TABLE.sub(lambda shown: _rows(next(tables), like=shown[0]), section)


def _rows(table: str, like: str) -> str:
    """The rows of a Markdown table whose first cell is also in another table."""
    shown = set(map(_first_cell, like.splitlines()))
    return "".join(line for line in table.splitlines(True) if _first_cell(line) in shown)


def _first_cell(line: str) -> str:
    return line.split("|")[1].strip(" :-")  # empty for the rule below the headings


def typed(command: str, folder: Path, **env: str) -> str:
    """The output of a shell command with this environment's programs first on the path."""
    bash = shutil.which("bash")
    assert bash is not None
    here = str(Path(sys.executable).parent)
    done = subprocess.run(
        [bash, "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": os.pathsep.join((here, os.environ["PATH"]))} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def quality(printed: str) -> list[str]:
    """Accuracy and ROC AUC of tfidf in the results table; the other figures depend on the machine."""
    (line,) = re.findall(r"^tfidf +[\d.]+ % .*", printed, re.MULTILINE)
    return str(line).split()[:4]


def scores(printed: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The part of a checkout that the commands need, without its runs."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "reports" / "runs").mkdir(parents=True)
    return tmp_path


def test_its_commands_print_what_it_shows(project: Path) -> None:
    measure, measured, _, _, score, scored = _FENCED.findall(tutorial())
    # Figures that depend on the machine are not compared, so they are not measured.
    printed = typed(measure, project, PYTEST_ADDOPTS="-k 'train or accuracy'")
    comments, guesses, results, verdict = measured.split(_OMITTED)
    assert printed.startswith(comments)
    assert guesses in printed
    assert quality(results) == quality(printed)
    assert f"\n{verdict}" in printed

    found, shown = scores(typed(score, project)), scores(scored)
    assert len(found) == len(shown) > 1
    for one, other in zip(found, shown, strict=True):
        assert one == pytest.approx(other, abs=0.01)


def test_its_figures_come_from_the_run_that_it_names(project: Path) -> None:
    section = tutorial()
    run = run_name(section)
    shutil.copy(ROOT / "reports" / "runs" / f"{run}.json", project / "reports" / "runs")
    assert filled(section, project, run) == section


if __name__ == "__main__":
    text = README.read_text("utf-8")
    README.write_text(text.replace(tutorial(), filled(tutorial(), ROOT, sys.argv[1])), "utf-8")

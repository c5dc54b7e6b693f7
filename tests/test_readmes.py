"""The READMEs: links lead somewhere, what they name exists, and they name every option and model."""

import argparse
import re
from pathlib import Path

import pytest

from worthit.bench import options
from worthit.bench.saved import record
from worthit.models.registry import MODELS
from worthit.reports import options as report_options
from worthit.reports.analysis import figures, objective
from worthit.reports.cli import main

ROOT = Path(record.__file__).parents[2]
FOLDERS = ("", "datasets", "models", "bench", "reports", "tests")
#: options of Ray and of pytest
_FOREIGN = {"--address", "--dist", "--head", "--labels", "--num-cpus", "--port"}
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read(folder: str) -> str:
    return (ROOT / folder / "README.md").read_text("utf-8")


def anchors(text: str) -> set[str]:
    """Where links into a Markdown file can lead, as GitHub names it."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_link_leads_somewhere(folder: str) -> None:
    here = ROOT / folder / "README.md"
    links = _LINK.findall(read(folder))
    assert links
    for path, anchor in links:
        target = (here.parent / path).resolve() if path else here
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{path}#{anchor}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_option_exists(folder: str) -> None:
    files = [file for top in FOLDERS[1:-1] for file in (ROOT / top).rglob("*.py")]
    code = "\n".join(file.read_text("utf-8") for file in files)
    named = {flag for flag in _FLAG.findall(read(folder)) if not flag.startswith("--benchmark-")}
    assert [flag for flag in sorted(named - _FOREIGN) if f'"{flag}"' not in code] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_command_exists(folder: str) -> None:
    text = read(folder)
    named = re.findall(r"`worthit ([a-z-]+)", text)
    named += re.findall(r"\bworthit ([a-z-]+)", "".join(_SHELL.findall(text)))
    (commands,) = (
        action.choices
        for action in main._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    assert set(named) <= set(commands)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_that_is_run_exists(folder: str) -> None:
    for name in re.findall(r"python -m worthit\.([\w.]+\w)", read(folder)):
        path = ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_every_option_of_a_run_is_described() -> None:
    named = {flag for folder in FOLDERS for flag in _FLAG.findall(read(folder))}
    short = {flag for option in options.OPTIONS.values() for flag in option.short}
    own = {option.flag for option in (*options.OPTIONS.values(), *report_options.OPTIONS)}
    assert own | short <= named


def test_every_model_limit_and_objective_is_described() -> None:
    for name in MODELS:
        assert f"`{name}`" in read(""), name
        assert f"| `{name}` |" in read("models"), name
    for name in (*figures.by_limit(), *objective.NAMES):
        assert f"`{name}`" in read("reports"), name


def test_the_first_page_is_short() -> None:
    own = re.sub(r"<!-- (\w+): .*?<!-- end of \1 -->", "", read(""), flags=re.DOTALL)
    assert len(own.splitlines()) <= 125

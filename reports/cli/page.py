"""`worthit page`: a page to explore saved runs, static HTML without a server or requests."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from worthit.datasets.errors import OptionError, OutputError
from worthit.reports import saved_runs

_FOLDER = "worthit-page"


def add_to(commands: Any, find: Callable[[Path, str], Path]) -> argparse.ArgumentParser:
    """Declare the command.

    Args:
        find: returns the file of a run that the user names, in a project's folder.
    """
    command: argparse.ArgumentParser = commands.add_parser(
        "page",
        help="write a page to explore saved runs",
        description="Write a page to explore saved runs: static HTML that needs no server and no network. "
        "It needs plotly: pip install 'worthit[page]'.",
    )
    command.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="names or JSON files of runs, the first one is shown first (default: the latest complete run)",
    )
    command.add_argument(
        "--single", action="store_true", help="write one file, with plotly inside (5 MB)"
    )
    command.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help=f"the folder to write, or with --single the file ({_FOLDER}, or {_FOLDER}.html)",
    )
    command.set_defaults(action=lambda parsed: _page(parsed, find))
    return command


def _page(parsed: argparse.Namespace, find: Callable[[Path, str], Path]) -> int:
    from worthit.reports.page import content, document

    files = [find(parsed.root, run) for run in parsed.runs]
    files = files or [saved_runs.latest(saved_runs.folder(parsed.root))]
    _refuse_repeated(files)
    pages = document.files(
        content.of([saved_runs.load(file) for file in files]), single=parsed.single
    )
    print(f"page: {_write(pages, parsed.output, single=parsed.single)}")
    return 0


def _refuse_repeated(files: Sequence[Path]) -> None:
    for number, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:number]]:
            raise OptionError(f"{file.stem} is given twice; give each run once")


def _write(pages: dict[str, str], output: Path | None, *, single: bool) -> Path:
    """The file to open."""
    if single:
        first = output or Path(f"{_FOLDER}.html")
        targets = {first: pages["index.html"]}
    else:
        folder = output or Path(_FOLDER)
        first = folder / "index.html"
        targets = {folder / name: text for name, text in pages.items()}
    try:
        for file, text in targets.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8", newline="\n")  # the hashes are of these bytes
    except OSError as error:
        raise OutputError(
            f"the page cannot be written ({error.strerror}: {error.filename or first}); "
            "give another --output"
        ) from error
    return first

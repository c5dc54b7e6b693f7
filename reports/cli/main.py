"""The `worthit` command."""

import argparse
import dataclasses
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tabulate import tabulate

from worthit.bench import terminal
from worthit.datasets.errors import OptionError, OutputError, RunError, WorthitError
from worthit.reports import options, saved_runs
from worthit.reports.analysis import objective
from worthit.reports.cli import check_model, page, run, score

# widths of columns; with the gaps, tables are 80 wide
_DOCTOR_WIDTHS = (18, 14, 8, 7, 25)
_RUNS_WIDTHS = (31, 24, 14, 5)
#: of the folder of a report with other options than the run's own, after the run's name
_WITH_OPTIONS = "-options"


Action = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error of the user is one line on stderr and exit code 2."""
    terminal.print_anything()
    parsed, unknown = _parser().parse_known_args(arguments)
    try:
        if unknown:
            raise OptionError(
                f"{parsed.command} does not take {unknown[0]}; `worthit {parsed.command} --help` lists "
                "what it takes"
            )
        return int(parsed.action(parsed))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Refuses arguments in one line: the usage of some commands fills a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="worthit",
        description="Measure text classifiers on labelled comments, report, and use the trained models.",
        epilog="to begin: worthit run mine.csv",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(name: str, action: Action, about: str, **texts: Any) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=about, **texts)
        command.set_defaults(action=action)
        return command

    run.add_to(commands)
    report = add(
        "report",
        _report,
        "render the report of a saved run again",
        description="Render the report of a saved run again, in the folder RUN. Options replace those "
        f"that the run was measured with; that report is written to RUN{_WITH_OPTIONS}, unless --output "
        "names a folder. The saved run does not change.",
    )
    report.add_argument("run", help="name or JSON file of the run")
    for option, about in {
        "--errors": "print N comments that most models misclassify although all raters agree",
        "--suspects": "print the N test comments whose labels are most likely wrong",
    }.items():
        report.add_argument(option, type=int, metavar="N", help=about)
    report.add_argument("--html", action="store_true", help="also write RUN/report.html, one file")
    output = f"where to write the report (RUN; with options RUN{_WITH_OPTIONS})"
    report.add_argument("--output", type=Path, metavar="FOLDER", help=output)
    options.add(report.add_argument, new_run=False)

    compare = add(
        "compare",
        _compare,
        "compare saved runs with the first one",
        epilog="exit code 0: no later run is worse than the first, or there is no verdict; "
        "1: a later run is worse; 2: invalid input",
    )
    compare.add_argument("runs", nargs="+", metavar="RUN", help="name or JSON file of a run")
    limit = "how much worse a figure may be (default: %(default)g)"
    compare.add_argument("--limit", type=float, default=10.0, metavar="PERCENT", help=limit)
    output = "write Markdown to FILE, print the verdict only"
    compare.add_argument("--output", type=Path, metavar="FILE", help=output)

    explore = page.add_to(commands, _run_file)
    scoring = score.add_to(commands)
    runs = add("runs", _runs, "list the saved runs")
    readme = add("readme", _readme, "fill the READMEs' results from committed runs")
    readme.add_argument(
        "run", nargs="?", help="the name of the run to publish (the one published now)"
    )
    further = "the names of further runs to list, one line each (those listed now)"
    readme.add_argument("--runs", nargs="+", metavar="RUN", help=further)
    speed = "the name of the speed run to publish, in reports/runs/speed (the one published now)"
    readme.add_argument("--speed", metavar="RUN", help=speed)
    check = "change nothing; exit code 1 if results are stale"
    readme.add_argument("--check", action="store_true", help=check)
    doctor = add("doctor", _doctor, "check the instruments against known quantities")
    in_project = (report, compare, explore, runs, readme, doctor, *scoring)
    check_model.add_to(commands)
    root = "project folder (default: the current folder)"
    for command in in_project:
        command.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help=root)
    return parser


# Actions import what they need: `score` needs neither scipy nor matplotlib.


def _report(parsed: argparse.Namespace) -> int:
    from worthit.reports.cli import comments
    from worthit.reports.publish import publish

    file = _run_file(parsed.root, parsed.run)
    saved = saved_runs.load(file)
    given = options.checked(vars(parsed).get, saved.options)
    classes, multilabel = len(saved.data.classes), saved.data.multilabel
    objective.require_suitable(classes, multilabel=multilabel, given=given)
    asked = dataclasses.replace(saved, options={**saved.options, **given})
    width, lines = shutil.get_terminal_size().columns, []
    # First, so that an error leaves the report as it was.
    for most, describe in ((parsed.errors, comments.missed), (parsed.suspects, comments.suspects)):
        if most is not None:
            lines += ["", *describe(asked, most, width)]
    folder = parsed.output or file.with_name(file.stem + _WITH_OPTIONS * bool(given))
    summary = publish.publish(saved, file, given, folder=folder, as_html=parsed.html)
    print(summary, *lines, sep="\n")
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    from worthit.reports.compare.compare import compare

    files = [_run_file(parsed.root, run) for run in parsed.runs]
    for number, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:number]]:
            raise OptionError(f"{file.stem} is given twice; compare it with another run")
    to_terminal = parsed.output is None and sys.stdout.isatty()
    comparison = compare(
        [(file.stem, saved_runs.load(file)) for file in files],
        limit_percent=parsed.limit,
        form="terminal" if to_terminal else "markdown",
    )
    if parsed.output is None:
        print(comparison.text, end="")
    else:
        try:
            parsed.output.write_text(comparison.text, "utf-8")
        except OSError as error:
            raise OptionError(
                f"--output {parsed.output} cannot be written ({error.strerror}); give another file"
            ) from error
        print(comparison.verdict)
    return int(comparison.regressed)


def _runs(parsed: argparse.Namespace) -> int:
    from worthit.reports.text.format import Footnotes

    folder, notes = saved_runs.folder(parsed.root), Footnotes()
    rows = [_run_row(file, notes) for file in sorted(folder.glob("*.json"))]
    if not rows:
        print(f"no runs in {folder}; measure one with: worthit run")
        return 0
    headings = ["run", "machine", "dataset", "cells"]
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_RUNS_WIDTHS))
    for line in notes.lines():
        print(textwrap.fill(line, 80, subsequent_indent="    ", break_on_hyphens=False))
    return 0


def _run_row(file: Path, notes: Any) -> list[str]:
    try:
        run = saved_runs.load(file)
    except RunError as error:
        return [file.stem, f"unreadable {notes.mark(str(error))}", "", ""]
    state = "" if run.complete else " (interrupted)"
    dataset = run.options.get("--dataset", run.data.dataset)
    return [file.stem + state, run.machine["cpu"], dataset, str(len(run.cells))]


def _readme(parsed: argparse.Namespace) -> int:
    from worthit.reports.publish import readme

    further = " ".join(parsed.runs) if parsed.runs else None
    names = {"results": parsed.run, "runs": further, "speed": parsed.speed}
    stale = readme.stale_files(parsed.root, names)
    for file, text in stale.items():
        if parsed.check:
            print(f"worthit: {file} is stale; run `worthit readme` and commit it", file=sys.stderr)
            continue
        try:
            file.write_text(text, "utf-8")
        except OSError as error:
            raise OutputError(
                f"{file} cannot be written ({error.strerror}); mend that and run this again"
            ) from error
        print(f"{file} filled")
    if not stale:
        print("the READMEs are up to date")
    return int(parsed.check and bool(stale))


def _doctor(parsed: argparse.Namespace) -> int:
    from worthit.bench.instruments import doctor  # imports codecarbon

    print("checking the instruments for half a minute; leave the machine idle")
    checks = tuple(doctor.examine(saved_runs.folder(parsed.root)))
    headings = [field.name for field in dataclasses.fields(doctor.Check)]
    rows = list(map(dataclasses.astuple, checks))
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_DOCTOR_WIDTHS))
    return int(any(check.verdict == "off" for check in checks))


def _run_file(root: Path, run: str) -> Path:
    path = Path(run)
    return path if path.suffix == ".json" else saved_runs.folder(root) / f"{run}.json"


if __name__ == "__main__":
    sys.exit(main())

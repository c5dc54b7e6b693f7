"""The `worthit` command."""

import argparse
import dataclasses
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from worthit.datasets.errors import OptionError, OutputError, RunError, WorthitError
from worthit.reports import options, saved_runs
from worthit.reports.cli import check_model, score

# Of columns, which with the gaps make 80.
_DOCTOR_WIDTHS = (18, 14, 8, 7, 25)
_RUNS_WIDTHS = (31, 24, 14, 5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; errors of people end in one line on stderr and exit code 2."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.action(parsed))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="worthit",
        description="Reports of text classifier benchmarks, and use of the models they trained.",
        epilog="to measure: pytest bench/ --benchmark-only",  # in a line of its own, hence unbroken
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    rendered = commands.add_parser(
        "report",
        help="render a saved run again",
        description="Render a saved run again. Options stand in for those it was measured with; "
        "the run itself stays as it is.",
    )
    rendered.add_argument("run", help="a run's name or JSON file")
    rendered.add_argument(
        "--errors",
        type=int,
        metavar="N",
        help="print N comments that most models miss though all raters agree",
    )
    rendered.add_argument(
        "--suspects",
        type=int,
        metavar="N",
        help="print N test comments whose labels look wrong, the likeliest first",
    )
    rendered.add_argument(
        "--html", action="store_true", help="write RUN/report.html too, a page of one file"
    )
    options.add(rendered.add_argument, new_run=False)
    rendered.set_defaults(action=_report)

    compared = commands.add_parser(
        "compare",
        help="compare saved runs with the first",
        epilog="exit code 1: a later run is worse than the first; 0: none is, or there "
        "is no verdict; 2: bad input",
    )
    compared.add_argument("runs", nargs="+", metavar="RUN", help="a run's name or JSON file")
    compared.add_argument(
        "--limit",
        type=float,
        default=10.0,
        metavar="PERCENT",
        help="how much worse a figure may be (%(default)g)",
    )
    compared.add_argument(
        "--output", type=Path, metavar="FILE", help="write the Markdown there, print the verdict"
    )
    compared.set_defaults(action=_compare)

    listed = commands.add_parser("runs", help="list the saved runs")
    listed.set_defaults(action=_runs)

    filled = commands.add_parser("readme", help="fill the READMEs' results from committed runs")
    filled.add_argument(
        "run", nargs="?", help="the name of the run to publish (the one published now)"
    )
    filled.add_argument(
        "--speed",
        metavar="RUN",
        help="the name of the speed run to publish, in reports/runs/speed (the one published now)",
    )
    filled.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 if results are stale"
    )
    filled.set_defaults(action=_readme)

    examined = commands.add_parser("doctor", help="have the instruments measure themselves")
    examined.set_defaults(action=_doctor)

    check_model.add_to(commands)
    for command in (rendered, compared, listed, filled, examined, *score.add_to(commands)):
        command.add_argument(
            "--root",
            type=Path,
            default=Path(),
            metavar="FOLDER",
            help="the project's folder (here)",
        )
    return parser


# What an action needs it imports itself: of scipy and pictures `score` has no use.


def _report(parsed: argparse.Namespace) -> int:
    from worthit.reports.analysis import mistakes
    from worthit.reports.publish import publish
    from worthit.reports.sections import data_audit

    file = _run_file(parsed.root, parsed.run)
    run, given = saved_runs.load(file), options.checked(vars(parsed).get)
    run = dataclasses.replace(run, options=run.options | given)
    width, comments = shutil.get_terminal_size().columns, []
    # First: what is refused leaves the report as it was.
    for most, lines in ((parsed.errors, mistakes.missed), (parsed.suspects, data_audit.suspects)):
        if most is not None:
            comments += ["", *lines(run, most, width)]
    print(publish.publish(run, file, as_page=parsed.html), *comments, sep="\n")
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    from worthit.reports.compare import compare

    files = [_run_file(parsed.root, given) for given in parsed.runs]
    for file in files:
        if sum(file.resolve() == other.resolve() for other in files) > 1:
            raise OptionError(f"{file.stem} is given twice; compare it with another run")
    terminal = parsed.output is None and sys.stdout.isatty()
    found = compare.compared(
        [(file.stem, saved_runs.load(file)) for file in files],
        limit_percent=parsed.limit,
        form="terminal" if terminal else "markdown",
    )
    if parsed.output is None:
        print(found.text, end="")
    else:
        try:
            parsed.output.write_text(found.text, "utf-8")
        except OSError as error:
            raise OptionError(
                f"--output {parsed.output} cannot be written ({error.strerror}); give another file"
            ) from error
        print(found.verdict)
    return int(found.regressed)


def _runs(parsed: argparse.Namespace) -> int:
    from worthit.reports.text.format import Footnotes

    folder = parsed.root / "reports" / "runs"
    rows, notes = [], Footnotes()
    for file in sorted(folder.glob("*.json")):
        try:
            run = saved_runs.load(file)
        except RunError as error:
            rows.append([file.stem, f"unreadable {notes.mark(str(error))}", "", ""])
            continue
        state = "" if run.complete else " (interrupted)"
        dataset = run.options.get("--dataset", run.data.dataset)
        rows.append([file.stem + state, run.machine["cpu"], dataset, str(len(run.cells))])
    if not rows:
        print(f"no runs in {folder}; measure one with: pytest bench/ --benchmark-only")
        return 0
    headings = ["run", "machine", "dataset", "cells"]
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_RUNS_WIDTHS))
    for line in notes.lines():
        print(textwrap.fill(line, 80, subsequent_indent="    ", break_on_hyphens=False))
    return 0


def _readme(parsed: argparse.Namespace) -> int:
    from worthit.reports.publish import readme

    stale = readme.stale_files(parsed.root, {"results": parsed.run, "speed": parsed.speed})
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
    from worthit.bench.instruments import doctor  # codecarbon and others that no report needs

    print("the instruments measure themselves; leave the machine alone for half a minute")
    checks = tuple(doctor.examine(parsed.root / "reports" / "runs"))
    headings = [field.name for field in dataclasses.fields(doctor.Check)]
    rows = list(map(dataclasses.astuple, checks))
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_DOCTOR_WIDTHS))
    return int(any(check.verdict == "off" for check in checks))


def _run_file(root: Path, given: str) -> Path:
    path = Path(given)
    return path if path.suffix == ".json" else root / "reports" / "runs" / f"{given}.json"


if __name__ == "__main__":
    sys.exit(main())

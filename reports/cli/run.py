"""`worthit run`: the benchmark in any folder, without a clone.

It starts the same tests as `pytest bench/`, in this process. Nothing of the folder that it is called in
leaks in: no `conftest.py`, no settings of a pytest.ini or pyproject.toml, no environment variable of
pytest, and no plugin but pytest-benchmark.
"""

import argparse
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worthit.bench import options as bench_options
from worthit.bench.options import OPTIONS, BenchmarkOptions
from worthit.datasets.errors import OptionError
from worthit.reports import options as report_options
from worthit.reports import saved_runs
from worthit.reports.analysis.objective import require_suitable
from worthit.reports.cli import interrupts

#: titles of the help's groups → names of fields; the rest is `_OTHER`
_GROUPS = {
    "what to measure": ("preset", "models", "devices", "resume", "dry_run"),
    "your data": (
        "text_column", "label_column", "positive_label", "multilabel", "encoding", "delimiter", "columns",
        "sheet",
        "group_column", "split_column", "test_file", "also_test", "language", "balance", "merge_rare",
        "train_size", "test_size",
    ),
    "training": (
        "seeds", "retrain", "learning_curve", "tune", "max_length", "checkpoint", "processes",
    ),
    "a model on a server": ("endpoint", "yes_send_comments", "shots"),
    "measuring": ("cell_limit", "attempts", "cpu_watts", "runs_folder"),
    "other machines": ("cluster", "on"),
}  # fmt: skip
_OTHER = "your data"
_REPORT = "report (`worthit report` takes these again)"


def add_to(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    command: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="train and measure the models on your comments",
        usage="worthit run [DATASET] [options]",
        description="Train and measure the models on labelled comments, and report whether an LLM is "
        "worth it. First a forecast says how long that takes. Ctrl-C keeps the finished cells.",
        epilog=f"The run and its report are saved in ./{saved_runs.FOLDER} (in a clone: reports/runs). Exit "
        f"code 0: all cells ended well; 1: a cell failed; 2: invalid input; {interrupts.INTERRUPTED}: Ctrl-C; "
        f"{interrupts.TERMINATED}: SIGTERM.",
        allow_abbrev=False,
    )
    dataset = OPTIONS["dataset"]
    command.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET",
        default=dataset.parser_arguments["default"],
        help=dataset.parser_arguments["help"],
    )
    groups = {title: command.add_argument_group(title) for title in _GROUPS}
    group_of = {name: title for title, names in _GROUPS.items() for name in names}
    for name, option in OPTIONS.items():
        if name != "dataset":
            option.declare(groups[group_of.get(name, _OTHER)].add_argument)
    report_options.add(command.add_argument_group(_REPORT).add_argument, new_run=True)
    command.set_defaults(action=_run)
    return command


def _run(parsed: argparse.Namespace) -> int:
    get = vars(parsed).get
    folder = saved_runs.folder_for_new(Path())
    given = bench_options.read(get, folder, report_options.checked(get))
    return measure(given)


def measure(given: BenchmarkOptions) -> int:
    """Prepare, forecast, measure and report; returns the exit code.

    Raises:
        WorthitError: as `Session.open`; nothing was measured.
    """
    # Now, not at the top: pytest and the session take half a second, which no other command needs.
    from worthit.bench import terminal
    from worthit.bench.cells.progress import Progress
    from worthit.bench.cluster import session

    opened: Any = None
    with (
        terminal.stderr() as stream,
        interrupts.sigterm_as_ctrl_c() as sigterm,
        contextlib.ExitStack() as cluster,  # left after the message, since that may take long
    ):
        progress = Progress(stream)
        try:
            kinds = cluster.enter_context(session.find_kinds(given))
            if not session.cells(given, kinds):
                raise OptionError(
                    f"no model of {', '.join(given.models)} runs on {', '.join(given.devices)}; choose others "
                    "with --models or --devices"
                )
            opened = session.new_session(given, kinds, progress)
            opened.open()
            require_suitable(
                opened.classes, multilabel=opened.multilabel, given=given.report_options
            )
            return 0 if given.dry_run else _start_pytest(given, progress, kinds, opened)
        except KeyboardInterrupt:
            progress.line(f"worthit: {_kept(opened, given)}")
            return sigterm.exit_code
        finally:
            if opened is not None:
                opened.discard_empty()


def _kept(opened: Any, given: BenchmarkOptions) -> str:
    if opened is None or not opened.has_results:
        return "interrupted before the first result; nothing is saved"
    how = " with --resume continues"
    if given.cluster is not None:
        how = (
            " without --retrain" * given.retrain + " measures again, without the finished trainings"
        )
    return f"interrupted; the finished measurements are saved. The same command{how}"


def _start_pytest(given: BenchmarkOptions, progress: Any, kinds: Any, opened: Any) -> int:
    """Raises KeyboardInterrupt once the finished measurements are saved and reported."""
    import pytest

    from worthit.reports.cli.pytest_plugin import BENCHMARK, BenchmarkPlugin, QuietInterrupt

    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER"):
        os.environ.pop(name, None)
    plugin, interrupt = BenchmarkPlugin(given, progress, kinds, opened), QuietInterrupt()
    code = pytest.main(arguments(BENCHMARK, given.runs_folder), plugins=[plugin, interrupt])
    if interrupt.raised is not None:
        raise interrupt.raised
    return exit_code(code)


def arguments(benchmark: Path, runs_folder: Path) -> list[str]:
    """What pytest is started with, so that only worthit decides."""
    return [
        str(benchmark),
        f"--rootdir={benchmark.parents[1]}",
        f"--config-file={os.devnull}",
        "--noconftest",
        "--import-mode=importlib",
        "--strict-markers",
        "--disable-plugin-autoload",
        *("-p", "pytest_benchmark.plugin"),
        *("-p", "no:cacheprovider"),
        "--benchmark-only",
        "--benchmark-quiet",  # the report has the figures
        f"--benchmark-storage=file://{runs_folder.resolve() / 'logs' / 'benchmarks'}",
        "--no-header",
        "--disable-warnings",
        *("--quiet", "--quiet"),
        *("--override-ini", "console_output_style=classic"),
    ]


_CODES: Mapping[int, int] = {0: 0, 1: 1, 2: interrupts.INTERRUPTED, 4: 2}


def exit_code(code: int) -> int:
    """The exit code of this command for one of pytest's."""
    return _CODES.get(int(code), 1)

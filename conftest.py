"""Wires the benchmark into pytest: its options, its cells as parameters, its run as a result."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worthit.bench import session as bench_session
from worthit.bench.cell import cell_name
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress, terminal
from worthit.bench.presets import PRESETS
from worthit.bench.session import Options, Session
from worthit.datasets.errors import OutputError, WorthitError
from worthit.datasets.registry import DATASETS
from worthit.datasets.tables.columns import Choices
from worthit.models.registry import MODELS, USAGES
from worthit.reports import options as report_options

_OPTIONS = pytest.StashKey[Options]()
_SESSION = pytest.StashKey[Session]()
_PROGRESS = pytest.StashKey[Progress]()
_SUMMARY = pytest.StashKey[str]()
_DONE = pytest.StashKey[bool]()  # of a cell's test: it came to its end, good or bad


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("worthit")
    presets = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    group.addoption("--preset", default="quick", help=f"how much data and time ({presets})")
    group.addoption(
        "--models",
        help=f"which, separated by commas: {', '.join(MODELS)}, {', '.join(USAGES)}; default, all "
        f"(default: all but {', '.join(name for name, known in MODELS.items() if not known.default)})",
    )
    group.addoption("--devices", help="cpu, cuda, mps, separated by commas (all present)")
    usages = ", ".join(usage for _, usage in DATASETS.values())
    group.addoption("--dataset", default="wikipedia", help=f"one of {usages} (%(default)s)")
    _add_choices(group)
    group.addoption(
        "--also-test",
        action="append",
        default=[],
        metavar="DATASET",
        help="comments of other origin, never trained on: a file or any --dataset; may be repeated",
    )
    group.addoption("--train-size", type=int, metavar="N", help="comments to train on (by preset)")
    group.addoption("--test-size", type=int, metavar="N", help="comments to test on (by preset)")
    group.addoption(
        "--max-length",
        type=int,
        metavar="TOKENS",
        help="tokens of a comment that transformers read (128)",
    )
    group.addoption(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=ID_OR_PATH",
        help="other pretrained weights: a hub id, a folder, a .gguf file; may be repeated",
    )
    group.addoption(
        "--seeds", type=int, default=1, metavar="K", help="train each model K times (%(default)s)"
    )
    group.addoption(
        "--learning-curve",
        action="store_true",
        help="train on a half, a quarter, … of the comments too: how many labels buy what",
    )
    group.addoption(
        "--retrain", action="store_true", help="train even what the cache holds trained"
    )
    group.addoption(
        "--cell-limit",
        type=float,
        metavar="SECONDS",
        help="longest training or measurement of a cell (by preset)",
    )
    group.addoption(
        "--runs-folder", type=Path, metavar="FOLDER", help="where runs are saved (reports/runs)"
    )
    report_options.add(group.addoption, new_run=True)


def _add_choices(group: pytest.OptionGroup) -> None:
    """What a user may say about a table of their own."""
    for what, about in (
        ("text", "the comments"),
        ("label", "their classes"),
        ("group", "authors, threads, …: those of one stay on one side of the split"),
        ("split", "train, validation or test, in every row"),
    ):
        guessed = "" if what == "group" else " (guessed)"
        group.addoption(
            f"--{what}-column", metavar="NAME", help=f"own data, the column of: {about}{guessed}"
        )
    group.addoption(
        "--positive-label",
        metavar="LABEL",
        help="own data: the class to be found (guessed); of more than two, the rest is one class",
    )
    group.addoption(
        "--test-file", type=Path, metavar="PATH", help="own data: a file to test on, as it is"
    )
    group.addoption(
        "--language",
        metavar="en|any",
        help="drop comments that are confidently not English, or none (any for own data, else en)",
    )
    group.addoption(
        "--balance",
        action=argparse.BooleanOptionalAction,
        help="as many comments of each class (yes, but for own data of many classes or with a test side)",
    )


def pytest_configure(config: pytest.Config) -> None:
    get = config.getoption
    try:
        config.stash[_OPTIONS] = bench_session.checked(
            preset_name=get("preset"),
            models=get("models"),
            devices=get("devices"),
            dataset=get("dataset"),
            train_size=get("train_size"),
            test_size=get("test_size"),
            max_length=get("max_length"),
            checkpoints=get("checkpoint"),
            seeds=get("seeds"),
            retrain=get("retrain"),
            learning_curve=get("learning_curve"),
            cell_limit_s=get("cell_limit"),
            runs_folder=get("runs_folder") or config.rootpath / "reports" / "runs",
            report_options=report_options.checked(get),
            choices=Choices(**{name: get(name) for name in Choices.__dataclass_fields__}),
            language=get("language"),
            balance=get("balance"),
            also_test=get("also_test"),
        )
    except WorthitError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_PROGRESS] = Progress(terminal())  # now, while nothing is captured yet


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        chosen = bench_session.cells(metafunc.config.stash[_OPTIONS])
        ids = [cell_name(model, device, int(seed)) for model, device, seed in chosen]
        # Session scope keeps a cell's tests together, so that its model is trained and loaded once.
        metafunc.parametrize(("model", "device", "seed"), chosen, ids=ids, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("learning_curve"):
        extra = [item for item in items if item.get_closest_marker("learning_curve")]
        config.hook.pytest_deselected(items=extra)
        items[:] = [item for item in items if item not in extra]


def _of_cells(session: pytest.Session) -> list[pytest.Function]:
    return [
        item
        for item in session.items
        if isinstance(item, pytest.Function) and "cell" in item.fixturenames
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    result = yield  # Ctrl-C is raised here
    item.stash[_DONE] = True
    return result


@pytest.fixture(scope="session")
def benchmark_session(request: pytest.FixtureRequest) -> Session:
    config = request.config
    planned = {item.callspec.id for item in _of_cells(request.session)}
    session = Session(config.stash[_OPTIONS], len(planned), config.stash[_PROGRESS])
    config.stash[_SESSION] = session
    try:
        # A download shows its bar: what is captured here nobody would see for minutes.
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            session.open()
    except WorthitError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    return session


@pytest.fixture(scope="session")
def cell(benchmark_session: Session, model: str, device: str, seed: str) -> Iterator[CellRun]:
    run = benchmark_session.cell_run(model, device, int(seed))
    yield run
    run.close()


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    from worthit.bench.instruments import machine

    machine_info["worthit"] = machine.describe()


def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """Cells print lines of their own, between which pytest's dots would only be litter."""
    if (
        _SESSION not in config.stash
        or report.when == "teardown"
        or (report.when == "setup" and report.passed)
    ):
        return None
    return report.outcome, "", report.outcome.upper()


def pytest_sessionfinish(session: pytest.Session) -> None:
    held = session.config.stash.get(_SESSION, None)
    if held is None:
        return
    # What -x or --maxfail cut short is no complete run either, whatever the exit code says.
    run = held.finish(interrupted=not all(_DONE in item.stash for item in _of_cells(session)))
    if run is not None and held.run_file is not None:
        from worthit.reports.publish import publish as report

        try:
            session.config.stash[_SUMMARY] = report.publish(run, held.run_file)
        except OutputError as error:
            session.config.stash[_SUMMARY] = str(error)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if _SUMMARY in config.stash:
        terminalreporter.section("worthit")
        terminalreporter.write_line(config.stash[_SUMMARY])

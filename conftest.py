"""Wires the benchmark into pytest: options, cells as parameters, and a saved and reported run."""

from collections.abc import Iterator
from typing import Any

import pytest

from worthit.bench import options, session, terminal
from worthit.bench.cell import cell_name
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress
from worthit.bench.options import BenchmarkOptions
from worthit.bench.session import Session
from worthit.datasets.errors import OutputError, WorthitError
from worthit.reports import options as report_options
from worthit.reports.analysis.objective import require_two_classes

_OPTIONS = pytest.StashKey[BenchmarkOptions]()
_SESSION = pytest.StashKey[Session]()
_PROGRESS = pytest.StashKey[Progress]()
_SUMMARY = pytest.StashKey[str]()
_ENDED = pytest.StashKey[bool]()  # of a test: it passed, failed or was skipped


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("worthit")
    options.add(group.addoption)
    report_options.add(group.addoption, new_run=True)


def pytest_configure(config: pytest.Config) -> None:
    terminal.print_anything()
    get, runs_folder = config.getoption, config.rootpath / "reports" / "runs"
    try:
        config.stash[_OPTIONS] = options.read(get, runs_folder, report_options.checked(get))
    except WorthitError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_PROGRESS] = Progress(terminal.stderr())  # now: later pytest captures stderr


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        cells = session.cells(metafunc.config.stash[_OPTIONS])
        ids = [cell_name(model, device, int(seed)) for model, device, seed in cells]
        # Session scope keeps a cell's tests together, so its model is trained and loaded once.
        metafunc.parametrize(("model", "device", "seed"), cells, ids=ids, scope="session")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # after pytest and --ff have sorted the tests
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    result = yield
    with_curve = config.stash[_OPTIONS].learning_curve
    extra = {
        item
        for item in items
        if (item.get_closest_marker("learning_curve") and not with_curve)
        or (item.get_closest_marker("first_seed") and _cell_of(item)[-1] not in ("", "0"))
    }
    config.hook.pytest_deselected(items=[item for item in items if item in extra])
    order = {cell: place for place, cell in enumerate(session.cells(config.stash[_OPTIONS]))}
    items[:] = sorted(
        (item for item in items if item not in extra),
        key=lambda item: order.get(_cell_of(item), -1),  # a first seed decides on later ones
    )
    return result


def _cell_of(item: pytest.Item) -> tuple[str, ...]:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return tuple(params.get(name, "") for name in ("model", "device", "seed"))


def _cell_tests(items: list[pytest.Item]) -> list[pytest.Function]:
    tests = [item for item in items if isinstance(item, pytest.Function)]
    return [test for test in tests if "cell" in test.fixturenames]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    result = yield  # Ctrl-C is raised here
    item.stash[_ENDED] = True
    return result


@pytest.fixture(scope="session")
def benchmark_session(request: pytest.FixtureRequest) -> Session:
    config = request.config
    planned = {test.callspec.id for test in _cell_tests(request.session.items)}
    new = Session(config.stash[_OPTIONS], len(planned), config.stash[_PROGRESS])
    config.stash[_SESSION] = new
    try:
        # Without capture, so that progress bars of downloads are visible.
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            new.open()
        require_two_classes(new.classes, new.options.report_options)
    except WorthitError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    return new


@pytest.fixture(scope="session")
def cell(benchmark_session: Session, model: str, device: str, seed: str) -> Iterator[CellRun]:
    omitted = benchmark_session.why_no_seed(model, device, int(seed))
    if omitted:
        pytest.skip(omitted)
    run = benchmark_session.cell_run(model, device, int(seed))
    yield run
    run.close()


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    from worthit.bench.instruments import machine

    described = machine.describe()
    # --benchmark-compare takes another commit for another machine; commit_info and our run have it.
    machine_info["worthit"] = {key: described[key] for key in described if key != "commit"}


def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """Print no dots: cells print their own lines."""
    no_outcome = report.when == "teardown" or (report.when == "setup" and report.passed)
    if _SESSION not in config.stash or no_outcome:
        return None
    return report.outcome, "", report.outcome.upper()


def pytest_sessionfinish(session: pytest.Session) -> None:
    benchmark = session.config.stash.get(_SESSION, None)
    if benchmark is None:
        return
    # After -x or --maxfail, tests are missing whatever the exit code says.
    ended = all(_ENDED in test.stash for test in _cell_tests(session.items))
    run = benchmark.finish(interrupted=not ended)
    if run is not None and benchmark.run_file is not None:
        from worthit.reports.publish import publish

        try:
            session.config.stash[_SUMMARY] = publish.publish(run, benchmark.run_file)
        except OutputError as error:
            session.config.stash[_SUMMARY] = str(error)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if _SUMMARY in config.stash:
        terminalreporter.section("worthit")
        terminalreporter.write_line(config.stash[_SUMMARY])

"""Wires the benchmark into pytest: options, cells as parameters, and a saved and reported run.

`conftest.py` names this module as a plugin, so `pytest bench/` has its options. `worthit run` registers
`BenchmarkPlugin` itself, with options that it has read.

It is not a `pytest11` entry point. That would add some fifty options with common names (`--models`,
`--seeds`, `--tune`) to every pytest session of the environment. Another plugin with one of these names
would end all tests of the user's other projects with an error.
"""

import argparse
import textwrap
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from worthit.bench import options, session, terminal
from worthit.bench.cell import cell_name
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.measured_cell import MeasuredCell
from worthit.bench.cells.progress import Progress
from worthit.bench.cluster import session as cluster
from worthit.bench.cluster.dispatch import CellKey
from worthit.bench.cluster.kinds import Kind
from worthit.bench.cluster.session import ClusterSession
from worthit.bench.options import BenchmarkOptions
from worthit.bench.saved.record import Run
from worthit.bench.session import Session
from worthit.datasets.errors import OptionError, OutputError, WorthitError
from worthit.reports import options as report_options
from worthit.reports.analysis.objective import require_suitable
from worthit.reports.cli import interrupts

#: the benchmark itself; its folder is what `pytest bench/` names
BENCHMARK = Path(session.__file__).with_name("bench_classifiers.py")
_ENDED = pytest.StashKey[bool]()  # of a test: it passed, failed or was skipped

#: options of pytest-benchmark that change how it times; here it only replays durations
_TIMING = (
    "min_time", "max_time", "min_rounds", "precision", "confidence", "timer", "calibration_precision",
    "warmup", "warmup_iterations", "disable_gc", "cprofile", "cprofile_loops", "cprofile_top",
    "cprofile_dump",
)  # fmt: skip
#: and those that measure nothing
_OFF = ("disable", "skip")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("worthit")
    options.add(group.addoption)
    report_options.add(group.addoption, new_run=True)


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark refuses xdist in its own words
def pytest_configure(config: pytest.Config) -> None:
    terminal.print_anything()
    get, runs_folder = config.getoption, config.rootpath / "reports" / "runs"
    try:
        if _runs_benchmark(config):
            refuse_options_without_effect(config)
        given = options.read(get, runs_folder, report_options.checked(get))
    except WorthitError as error:
        raise pytest.UsageError(str(error)) from None
    progress = Progress(terminal.stderr())  # now: later pytest captures stderr
    connected = ExitStack()
    config.add_cleanup(connected.close)
    try:
        kinds = connected.enter_context(cluster.find_kinds(given))
    except WorthitError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(BenchmarkPlugin(given, progress, kinds), "worthit-benchmark")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """SIGTERM ends `pytest bench/` as Ctrl-C does; pytest alone would lose the report."""
    if not _runs_benchmark(session.config):
        return (yield)
    with interrupts.sigterm_as_ctrl_c():
        return (yield)


def _runs_benchmark(config: pytest.Config) -> bool:
    """True if the benchmark is below what the user asked pytest to run."""
    given = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return any(path in (BENCHMARK, *BENCHMARK.parents) for path in map(Path.resolve, given))


def refuse_options_without_effect(config: pytest.Config) -> None:
    """Raises OptionError for an option of another plugin that would be ignored, or spoil the figures."""
    if config.getoption("dist", "no") != "no":
        raise OptionError("-n measures cells side by side, which disturbs all of them; omit it")
    usual = _usual_values()
    for name in (*_OFF, *_TIMING):
        if config.getoption(f"benchmark_{name}", None) == usual.get(f"benchmark_{name}"):
            continue
        flag = f"--benchmark-{name.replace('_', '-')}"
        if name in _OFF:
            raise OptionError(f"{flag} measures nothing; omit it")
        raise OptionError(
            f"{flag} has no effect: a cell's process measures, and pytest-benchmark shows its "
            "durations; omit it (--preset sets how long to measure)"
        )


def _usual_values() -> dict[str, Any]:
    """What pytest-benchmark's options are unless given."""
    from pytest_benchmark import plugin

    parser = argparse.ArgumentParser(add_help=False)

    class Group:
        addoption = parser.add_argument

        def getgroup(self, name: str) -> "Group":
            return self

    plugin.pytest_addoption(Group())
    return vars(parser.parse_args([]))


class BenchmarkPlugin:
    """The hooks and fixtures of one run.

    Args:
        kinds: of machines of a cluster; none: the cells run on this machine.
        opened: the session, if its data is already prepared.
    """

    def __init__(
        self,
        given: BenchmarkOptions,
        progress: Progress,
        kinds: Sequence[Kind] = (),
        opened: Session | ClusterSession | None = None,
    ) -> None:
        self.options = given
        self._kinds = kinds
        #: None until the first cell begins
        self.session = opened
        self._progress = progress
        self._cells = cluster.cells(given, kinds)
        self._wanted: list[pytest.Function] = []  # all tests of these cells
        self._steps: dict[CellKey, list[str]] = {}
        self._omitted: list[str] = []  # measurements that the user deselected
        self._summary = ""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[_PLUGIN] = self
        config.addinivalue_line("markers", "learning_curve: runs only with --learning-curve")
        config.addinivalue_line(
            "markers", "first_seed: measures a model once, whatever the number of its seeds"
        )

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "cell" in metafunc.fixturenames:
            names = ("model", "device", "seed", *["label"] * (len(self._kinds) > 1))
            values = [
                (cell.model, cell.device, str(cell.seed), cell.label)[: len(names)]
                for cell in self._cells
            ]
            ids = [
                cell_name(cell.model, cell.device, cell.seed) + f"-on-{cell.label}" * len(names[3:])
                for cell in self._cells
            ]
            # Session scope keeps a cell's tests together, so its model is trained and loaded once.
            metafunc.parametrize(names, values, ids=ids, scope="session")

    # Innermost, before --last-failed removes tests.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, Any]:
        report = yield
        self._wanted += filter(self._is_wanted, _cell_tests(report.result or ()))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        extra = [item for item in items if not self._is_wanted(item)]
        config.hook.pytest_deselected(items=extra)
        items[:] = [item for item in items if self._is_wanted(item)]

    # After every plugin has sorted the tests, and before they are shown.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        place: dict[CellKey | None, int] = {cell: i for i, cell in enumerate(self._cells)}
        only = self._kinds[0].label if self._kinds else ""
        # A first seed decides on later ones, and a cell's later tests need its training.
        session.items.sort(key=lambda item: (place.get(_cell_of(item, only), -1), _place(item)))
        self._steps = _steps(session.items, only)
        self._omitted = _omitted(self._wanted, _cell_tests(session.items))

    def _is_wanted(self, item: pytest.Item) -> bool:
        if item.get_closest_marker("learning_curve") and not self.options.learning_curve:
            return False
        cell = _cell_of(item)
        return not item.get_closest_marker("first_seed") or cell is None or cell.seed == 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        result = yield  # Ctrl-C is raised here
        item.stash[_ENDED] = True
        return result

    def begin(self, config: pytest.Config) -> Session | ClusterSession:
        """The open session, before the first cell; ends pytest if the data cannot be used."""
        if self.session is None:
            self.session = cluster.new_session(self.options, self._kinds, self._progress)
            try:
                # Without capture, so that progress bars of downloads are visible.
                capture = config.pluginmanager.getplugin("capturemanager")
                with capture.global_and_fixture_disabled():
                    self.session.open()
                require_suitable(
                    self.session.classes,
                    multilabel=self.session.multilabel,
                    given=self.options.report_options,
                )
            except WorthitError as error:
                pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
            if self.options.dry_run:
                pytest.exit("--dry-run measures nothing", returncode=pytest.ExitCode.OK)
        if self._omitted:
            self._progress.line(f"  not measured, as you chose: {', '.join(self._omitted)}")
        if isinstance(self.session, ClusterSession):
            self.session.start(self._steps)
        return self.session

    # Fixtures are static: of instances, pytest deprecates those that last a session.

    @pytest.fixture(scope="session")
    @staticmethod
    def benchmark_session(request: pytest.FixtureRequest) -> Session | ClusterSession:
        return request.config.stash[_PLUGIN].begin(request.config)

    @pytest.fixture(scope="session")
    @staticmethod
    def label(request: pytest.FixtureRequest) -> str:
        """The kind of machine, unless the tests have it as a parameter."""
        kinds = request.config.stash[_PLUGIN]._kinds
        return kinds[0].label if kinds else ""

    @pytest.fixture(scope="session")
    @staticmethod
    def cell(
        benchmark_session: Session | ClusterSession, model: str, device: str, seed: str, label: str
    ) -> Iterator[CellRun | MeasuredCell]:
        cells = benchmark_session.at(label)
        omitted = cells.why_no_seed(model, device, int(seed))
        if omitted:
            pytest.skip(omitted)
        run = cells.cell_run(model, device, int(seed))
        yield run
        run.close()

    def pytest_benchmark_update_machine_info(
        self, config: pytest.Config, machine_info: dict[str, Any]
    ) -> None:
        from worthit.bench.instruments import machine

        described = machine.describe()
        # --benchmark-compare takes another commit for another machine; commit_info and our run have it.
        machine_info["worthit"] = {key: described[key] for key in described if key != "commit"}

    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str] | None:
        """Print no dots: cells print their own lines."""
        no_outcome = report.when == "teardown" or (report.when == "setup" and report.passed)
        if self.session is None or no_outcome:
            return None
        return report.outcome, "", report.outcome.upper()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.session is None:
            return
        # After -x or --maxfail, tests are missing whatever the exit code says.
        ended = all(_ENDED in test.stash for test in _cell_tests(session.items))
        try:
            if runs := self.session.finish(interrupted=not ended):
                from worthit.reports.publish import publish

                self._summary = publish.publish_all(runs)
                if self.options.cluster is None:
                    self._summary += _how_to_repeat(runs)
        except OutputError as error:
            self._summary = str(error)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._summary:
            terminalreporter.section("worthit")
            terminalreporter.write_line(self._summary)


_PLUGIN = pytest.StashKey[BenchmarkPlugin]()


class QuietInterrupt:
    """Ends the tests on Ctrl-C without pytest's lines on it, and keeps it for the caller."""

    def __init__(self) -> None:
        self.raised: KeyboardInterrupt | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except KeyboardInterrupt as interrupt:
            self.raised = interrupt
            return True


def _how_to_repeat(runs: Iterable[tuple[Run, Path]]) -> str:
    """What to do about failed cells; empty if there is none."""
    failed = [
        cell_name(cell.model, cell.device, cell.seed)
        for run, _ in runs
        for cell in run.cells
        if cell.failures
    ]
    if not failed:
        return ""
    line = f"{', '.join(failed)} failed; the same command with --resume measures failed cells again"
    return f"\n\n{textwrap.fill(line, 80)}"


def _omitted(wanted: list[pytest.Function], kept: list[pytest.Function]) -> list[str]:
    """The measurements that were deselected, with their cells unless it is all of them."""
    missing: dict[str, list[str]] = {}
    left = set(kept)
    for test in wanted:
        if test not in left:
            missing.setdefault(_figure(test), []).append(test.callspec.id)
    total = Counter(map(_figure, wanted))
    return [
        figure if len(cells) == total[figure] else f"{figure} of {', '.join(cells)}"
        for figure, cells in missing.items()
    ]


def _cell_of(item: pytest.Item, label: str = "") -> CellKey | None:
    """The cell of a test; None of other tests.

    Args:
        label: of the kind of machine, if it is not a parameter.
    """
    params = getattr(getattr(item, "callspec", None), "params", {})
    if "seed" not in params:
        return None
    label = params.get("label", label)
    return CellKey(label, params["model"], params["device"], int(params["seed"]))


def _steps(items: Iterable[pytest.Item], label: str) -> dict[CellKey, list[str]]:
    """The wanted measurements of each cell, as methods of `CellRun`."""
    steps: dict[CellKey, list[str]] = {}
    for test in _cell_tests(items):
        if (cell := _cell_of(test, label)) is not None:
            name = test.originalname.removeprefix("test_")
            steps.setdefault(cell, []).append("quality" if name == "accuracy" else name)
    return steps


def _place(item: pytest.Item) -> int:
    """The line of a cell's test in its module; 0 for other tests, which keep their order."""
    return item.location[1] or 0 if _cell_tests([item]) else 0


def _figure(test: pytest.Function) -> str:
    return test.originalname.removeprefix("test_").replace("_", " ")


def _cell_tests(items: Iterable[pytest.Item]) -> list[pytest.Function]:
    tests = [item for item in items if isinstance(item, pytest.Function)]
    return [test for test in tests if "cell" in test.fixturenames]

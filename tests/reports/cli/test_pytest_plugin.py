"""reports/cli/pytest_plugin.py: which options of other plugins it refuses. tests/bench has the rest."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests import small_runs
from worthit.datasets.errors import OptionError
from worthit.reports.cli import pytest_plugin


def config(**given: Any) -> pytest.Config:
    values = pytest_plugin._usual_values() | {"dist": "no"} | given
    return cast(pytest.Config, SimpleNamespace(getoption=lambda name, default=None: values[name]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"benchmark_min_rounds": 9}, "--benchmark-min-rounds has no effect: "),
        ({"benchmark_warmup": True}, "--benchmark-warmup has no effect: "),
        ({"benchmark_disable_gc": True}, "--benchmark-disable-gc has no effect: "),
        ({"benchmark_calibration_precision": 1}, "--benchmark-calibration-precision has no effect"),
        ({"benchmark_disable": True}, "--benchmark-disable measures nothing; omit it"),
        ({"benchmark_skip": True}, "--benchmark-skip measures nothing; omit it"),
        ({"dist": "load"}, "-n measures cells side by side"),
    ],
)
def test_options_without_effect_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as refused:
        pytest_plugin.refuse_options_without_effect(config(**given))
    assert "\n" not in str(refused.value)


def test_other_options_of_pytest_benchmark_are_not_refused() -> None:
    shown = {"benchmark_sort": "max", "benchmark_only": True, "benchmark_save": "before"}
    pytest_plugin.refuse_options_without_effect(config(**shown))


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["bench/"], True),
        (["bench/bench_classifiers.py::test_train"], True),
        (["tests", "."], True),
        (["tests"], False),
        (["bench/session.py"], False),
    ],
)
def test_only_sessions_of_the_benchmark_are_checked(arguments: list[str], runs: bool) -> None:
    root = pytest_plugin.BENCHMARK.parents[1]
    params = SimpleNamespace(dir=root)
    session: Any = SimpleNamespace(args=arguments, invocation_params=params)
    assert pytest_plugin._runs_benchmark(session) is runs


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
@pytest.mark.parametrize(("arguments", "as_ctrl_c"), [(["bench/"], True), (["tests"], False)])
def test_sigterm_ends_the_benchmark_as_ctrl_c_does(arguments: list[str], as_ctrl_c: bool) -> None:
    params = SimpleNamespace(dir=pytest_plugin.BENCHMARK.parents[1])
    session: Any = SimpleNamespace(config=SimpleNamespace(args=arguments, invocation_params=params))
    before = signal.getsignal(signal.SIGTERM)
    loop = pytest_plugin.pytest_runtestloop(session)
    next(loop)
    assert (signal.getsignal(signal.SIGTERM) is not before) is as_ctrl_c
    if as_ctrl_c:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    loop.close()
    assert signal.getsignal(signal.SIGTERM) is before


def test_failed_cells_are_named_with_what_to_do() -> None:
    cells = [
        small_runs.cell(model="bert", failures=("training: train took longer",)),
        small_runs.cell(model="tfidf"),
    ]
    run = small_runs.run(*cells)
    assert pytest_plugin._how_to_repeat([(run, Path("run.json"))]) == (
        "\n\nbert-cpu failed; the same command with --resume measures failed cells again"
    )
    assert pytest_plugin._how_to_repeat([(small_runs.run(cells[1]), Path("run.json"))]) == ""


def test_conftest_only_names_the_plugin() -> None:
    text = (pytest_plugin.BENCHMARK.parents[1] / Path("conftest.py")).read_text()
    assert f'pytest_plugins = ("{pytest_plugin.__name__}",)' in text
    assert "def " not in text


@dataclass(frozen=True)
class CellTest:
    originalname: str
    callspec: SimpleNamespace = field(hash=False)


def test_deselected_measurements_are_named() -> None:
    wanted: list[Any] = [
        CellTest(f"test_{figure}", SimpleNamespace(id=cell))
        for cell in ("lsa-cpu", "bert-cpu")
        for figure in ("train", "energy", "learning_curve")
    ]
    assert pytest_plugin._omitted(wanted, wanted) == []
    named = pytest_plugin._omitted(wanted, wanted[:1])
    assert named == ["energy", "learning curve", "train of bert-cpu"]


def test_all_measurements_are_known_before_last_failed_removes_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin: Any = object.__new__(pytest_plugin.BenchmarkPlugin)
    plugin._wanted, plugin._is_wanted = [], lambda item: item != "learning curve"
    monkeypatch.setattr(pytest_plugin, "_cell_tests", list)
    collecting = plugin.pytest_make_collect_report()
    next(collecting)
    report = SimpleNamespace(result=["train", "energy", "learning curve"])
    with pytest.raises(StopIteration) as ended:
        collecting.send(report)
    assert ended.value.value is report
    assert plugin._wanted == ["train", "energy"]
    last = plugin.pytest_make_collect_report()
    next(last)
    with pytest.raises(StopIteration):
        last.send(SimpleNamespace(result=None))  # a file that cannot be imported


@pytest.mark.parametrize("last_ended", [True, False])
def test_after_x_a_run_is_complete_if_its_last_test_has_ended(
    monkeypatch: pytest.MonkeyPatch, last_ended: bool
) -> None:
    interrupted: list[bool] = []

    def finish(**given: bool) -> list[Any]:
        interrupted.append(given["interrupted"])
        return []

    plugin: Any = object.__new__(pytest_plugin.BenchmarkPlugin)
    plugin.session = SimpleNamespace(finish=finish)
    monkeypatch.setattr(pytest_plugin, "_cell_tests", list)
    items = [SimpleNamespace(stash={pytest_plugin._ENDED: True}), SimpleNamespace(stash={})]
    protocol = plugin.pytest_runtest_protocol(items[1])
    next(protocol)
    if last_ended:
        with pytest.raises(StopIteration):
            protocol.send(True)
    stopped = "stopping after 1 failures"
    plugin.pytest_sessionfinish(SimpleNamespace(items=items, shouldfail=stopped, exitstatus=1))
    assert interrupted == [not last_ended]

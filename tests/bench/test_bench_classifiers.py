"""bench/bench_classifiers.py: a cell's tests."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from worthit.bench.bench_classifiers import one_line
from worthit.bench.cells.cell_run import CellRun
from worthit.datasets.errors import CellError, DeviceError


def failing_cell() -> CellRun:
    fake: Any = SimpleNamespace(
        cell=SimpleNamespace(name="bert-cpu"),
        record=SimpleNamespace(failures=("training: no memory",)),
        reported="",
    )
    return cast(CellRun, fake)


def test_a_cell_fails_once_and_its_other_tests_name_the_failure() -> None:
    cell = failing_cell()
    with pytest.raises(pytest.fail.Exception, match="no memory") as failed, one_line(cell):
        raise CellError("no memory")
    assert failed.value.__suppress_context__  # else pytest prints it twice
    for _ in range(2):
        with (
            pytest.raises(pytest.skip.Exception, match="bert-cpu has failed: training: no memory"),
            one_line(cell),
        ):
            raise CellError("no memory")


def test_what_a_device_cannot_do_is_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="no GPU"), one_line(failing_cell()):
        raise DeviceError("no GPU")

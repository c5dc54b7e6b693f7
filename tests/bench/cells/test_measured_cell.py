"""bench/cells/measured_cell.py: the record of a cell, asked as if it was measured here."""

import pytest

from tests import factories
from worthit.bench.cells.measured_cell import MeasuredCell
from worthit.bench.saved.record import CellRecord
from worthit.datasets.errors import CellError, DeviceError


def measured(**parts: object) -> MeasuredCell:
    record = CellRecord("lsa", "cpu", 0, **parts)  # type: ignore[arg-type]
    return MeasuredCell(record, {"train": 1.5, "memory": 2.5})


def test_parts_of_the_record_are_returned_with_their_seconds() -> None:
    cell = measured(training=factories.training(1.0))
    assert cell.train() is cell.record.training
    assert cell.seconds == 1.5
    assert cell.learning_curve() == ()


def test_failures_and_skips_are_raised() -> None:
    with pytest.raises(DeviceError, match=r"^no cuda$"):
        measured(skipped="no cuda").train()
    with pytest.raises(CellError, match=r"^n1 died$"):
        measured(failures=("training: n1 died",)).latency()
    trained = measured(
        training=factories.training(1.0), failures=("latency: lost", "curve: too slow")
    )
    with pytest.raises(CellError, match=r"^lost$"):
        trained.latency()
    with pytest.raises(CellError, match=r"^too slow$"):
        trained.learning_curve()


def test_a_part_that_its_node_skipped_is_skipped() -> None:
    cell = measured(training=factories.training(1.0))
    with pytest.raises(DeviceError, match=r"^its node could not measure memory$"):
        cell.memory()

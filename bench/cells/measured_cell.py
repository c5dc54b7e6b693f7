"""A cell that is measured already, with the methods of a `CellRun` that measures now."""

from collections.abc import Mapping
from typing import Any

from worthit.bench.saved import record
from worthit.datasets.errors import CellError, DeviceError


class MeasuredCell:
    """Returns what is in the record of a cell, or raises the error that is.

    Args:
        seconds: of each step, as far as they are known.
    """

    def __init__(self, measured: record.CellRecord, seconds: Mapping[str, float]) -> None:
        #: name and model, as of a `Cell`
        self.cell = self.record = measured
        self.seconds = 0.0  # of the last operation asked for
        self.reported = ""
        self._seconds = seconds

    def train(self) -> record.Training:
        """Raises DeviceError if the cell was skipped, CellError if training failed."""
        if self.record.skipped:
            raise DeviceError(self.record.skipped)
        training: record.Training = self._part("training", "train")
        return training

    def latency(self) -> record.Latency:
        return self._measured("latency")  # type: ignore[no-any-return]

    def throughput(self) -> record.Throughput:
        return self._measured("throughput")  # type: ignore[no-any-return]

    def energy(self) -> record.Energy:
        return self._measured("energy")  # type: ignore[no-any-return]

    def quality(self) -> record.Quality:
        return self._measured("quality")  # type: ignore[no-any-return]

    def memory(self) -> record.Memory:
        return self._measured("memory")  # type: ignore[no-any-return]

    def learning_curve(self) -> tuple[record.CurvePoint, ...]:
        self.train()
        failed = self._failure("curve")
        if failed:
            raise CellError(failed)
        return self.record.learning_curve

    def close(self) -> None: ...

    def _measured(self, name: str) -> Any:
        self.train()
        return self._part(name, name)

    def _part(self, name: str, step: str) -> Any:
        part = getattr(self.record, name)
        if part is None:
            if failed := self._failure(name) or "; ".join(self.record.failures):
                raise CellError(failed)
            # A device that is gone after the training skips a part, which no record says.
            raise DeviceError(f"its node could not measure {name}")
        self.seconds = self._seconds.get(step, 0.0)
        return part

    def _failure(self, name: str) -> str:
        begin = f"{name}: "
        own = [text.removeprefix(begin) for text in self.record.failures if text.startswith(begin)]
        return own[0] if own else ""

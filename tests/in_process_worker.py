"""A worker without a process, since importing everything again takes seconds."""

from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.cell import Cell
from worthit.bench.cells.engine import Limit
from worthit.bench.cells.work import Work


class InProcessWorker:
    """Runs operations here. Answers are converted as if they came over the pipe."""

    seconds = 0.0

    def __init__(self, cell: Cell, log: Path, progress: Any) -> None:
        self._work = Work(cell, progress)

    def start(self, answer: Any, limit: Limit) -> Any:
        return self.ask("setup", answer, limit)

    def ask(self, operation: str, answer: Any, limit: Limit, **arguments: Any) -> Any:
        result = getattr(self._work, operation)(**arguments)
        return msgspec.convert(msgspec.to_builtins(result), answer)

    def alive(self) -> bool:
        return True

    def close(self) -> None: ...

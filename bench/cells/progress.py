"""What a person sees while cells run: what runs now, how far, how long it may take."""

import os
import time
from typing import TextIO

from tqdm import tqdm

from worthit.bench.saved.record import Figure, significant


class Progress:
    """Lines on a terminal or in a log; on a terminal also a bar while a model trains.

    Args:
        stream: where to; pytest captures the usual ones while a test runs.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[None] | None = None
        self._label = ""
        self._since = time.monotonic()

    def line(self, text: str) -> None:
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def stage(self, label: str) -> None:
        """A new stage begins; on a terminal its line is replaced by what comes of it."""
        self._clear()
        self._label, self._since = label, time.monotonic()
        if self._stream.isatty():
            self._stream.write(f"  {label} …\r")
            self._stream.flush()

    def result(self, text: str) -> None:
        """The stage is over, with this outcome."""
        self.line(f"  {self._label:<11} {text:<42} {time.monotonic() - self._since:7.1f} s")

    def trained(self, done: int, total: int) -> None:
        if not self._stream.isatty():
            return
        if self._bar is None:
            self._bar = tqdm(
                total=total,
                unit=" comments",
                desc=f"  {self._label}",
                file=self._stream,
                ncols=78,
                leave=False,
            )
        self._bar.update(done - self._bar.n)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stream.isatty():
            self._stream.write("\x1b[2K\r")


def terminal() -> TextIO:
    """A stream to the real stderr that stays open while pytest captures the usual one."""
    return os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")


def shown(figure: Figure) -> str:
    """A figure in a line of progress."""
    return "n/a" if figure.value is None else f"{significant(figure.value)} {figure.unit}"


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

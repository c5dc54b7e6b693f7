"""Progress lines while cells run, at most 80 columns wide."""

import textwrap
import time
from typing import TextIO

from tqdm import tqdm

from worthit.bench.saved.record import Figure, Setup, Training, significant

_WIDTH = 80


class Progress:
    """Lines on a terminal or in a log; on a terminal also a bar during training.

    Args:
        stream: pytest captures stdout and stderr while a test runs, so see `terminal.stderr`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[None] | None = None
        self._label = ""
        self._since = time.monotonic()

    def line(self, text: str) -> None:
        self._clear()
        self._stream.write(_wrap(text) + "\n")
        self._stream.flush()

    def stage(self, label: str) -> None:
        """Start a stage; on a terminal, its result replaces this line."""
        self._clear()
        self._label, self._since = label, time.monotonic()
        if self._stream.isatty():
            self._stream.write(f"  {label} …\r")
            self._stream.flush()

    def result(self, text: str) -> None:
        """End the stage with this result; the time of a further one begins here."""
        self.line(f"  {self._label:<11} {text:<42} {time.monotonic() - self._since:7.1f} s")
        self._since = time.monotonic()

    def advance(self, done: int, total: int) -> None:
        if not self._stream.isatty():
            return
        if self._bar is None:
            self._bar = tqdm(
                total=total,
                unit=" comments",
                desc=f"  {self._label}",
                file=self._stream,
                ncols=_WIDTH - 2,
                leave=False,
            )
        elif self._bar.total != total or done < self._bar.n:  # another count began
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stream.isatty():
            self._stream.write("\x1b[2K\r")


def figure_text(figure: Figure) -> str:
    return "n/a" if figure.value is None else f"{significant(figure.value)} {figure.unit}"


def shortened(setup: Setup | None, training: Training) -> str:
    """A line if the model reads fewer tokens than it was told to; empty if not."""
    given = setup and setup.settings.get("max_length")
    used = training.settings.get("max_length")
    if not given or used is None or used >= given:
        return ""
    return (
        f"max length is {used:,} tokens of a comment, not {given:,}: the checkpoint's context has no room "
        "for more"
    )


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _wrap(text: str) -> str:
    """Break long lines at spaces; later lines are indented."""
    return "\n".join(
        textwrap.fill(
            line,
            _WIDTH,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )

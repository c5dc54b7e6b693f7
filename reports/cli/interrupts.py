"""Ctrl-C and SIGTERM end a command in the same way: one line, and what is finished is kept."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

#: exit codes of shells after Ctrl-C, and after SIGTERM
INTERRUPTED, TERMINATED = 130, 143


@dataclass
class Sigterm:
    """Distinguishes Ctrl-C from SIGTERM: Ray raises a KeyboardInterrupt of its own for both."""

    has_come: bool = False

    @property
    def exit_code(self) -> int:
        """Of a command that a KeyboardInterrupt has ended."""
        return TERMINATED if self.has_come else INTERRUPTED


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[Sigterm]:
    """SIGTERM raises KeyboardInterrupt during the block."""
    sigterm = Sigterm()

    def end(*_: object) -> NoReturn:
        sigterm.has_come = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield sigterm
    finally:
        signal.signal(signal.SIGTERM, before)

"""Numbers, shares and figures as text, with their footnotes."""

from collections.abc import Callable
from typing import Protocol

from worthit.bench.saved.record import Figure, significant


class Footnotes:
    """Reasons that stand below a table, numbered as they come up, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        return f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]"

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for text, number in self._numbers.items()]


def written(figure: Figure, notes: Footnotes, number: Callable[[float], str] = significant) -> str:
    """A figure as a table shows it, its value written by `number`.

    Measured plain; estimated behind ≈ and in italics; cached with a mark, estimates too; missing as
    n/a with its reason below.
    """
    if figure.value is None:
        return f"n/a {notes.mark(figure.reason)}"
    text = number(figure.value)
    if "estimated" in (figure.origin, figure.was):
        text = f"*≈{text}*"
    return f"{text} (cached)" if figure.origin == "cached" else text


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


class WithInterval(Protocol):
    """A share, from 0 to 1, and its 95 % interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def percent_with_interval(share: WithInterval | None) -> str:
    if share is None:
        return "n/a"
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"

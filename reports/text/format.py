"""Numbers, shares and figures as text, with their footnotes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from worthit.bench.saved.record import Figure, significant


class Footnotes:
    """Reasons below a table, each once, numbered in the order in which they come up."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        return f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]"

    def marked(self, text: str, reason: str) -> str:
        """An entry with the number of its reason, if it has one."""
        return f"{text} {self.mark(reason)}" if reason else text

    def missing(self, reason: str) -> str:
        """An entry without a value."""
        return f"n/a {self.mark(reason)}"

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for text, number in self._numbers.items()]


def written(figure: Figure, notes: Footnotes, number: Callable[[float], str] = significant) -> str:
    """A figure in a table, with its value formatted by `number`.

    Measured values are plain, estimates are in italics with ≈, cached values have a mark, and
    missing ones are n/a with a footnote. A mark says that other work disturbed the measurement.
    """
    if figure.value is None:
        return notes.missing(figure.reason)
    text = number(figure.value)
    if "estimated" in (figure.origin, figure.was):
        text = f"*≈{text}*"
    if figure.origin == "cached":
        text += " (cached)"
    return f"{text} (disturbed)" if figure.disturbed else text


def with_reason(figure: Figure, notes: Footnotes) -> str:
    """`written`, with a footnote too if a known figure has a reason."""
    text = written(figure, notes)
    return text if figure.value is None else notes.marked(text, figure.reason)


def shared_by(processes: int) -> str:
    """A note on the costs of a training; empty if it had one process."""
    return f"{processes} processes shared the training" if processes > 1 else ""


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def two_digits(ratio: float) -> str:
    """A ratio of measurements, which do not repeat to a third digit: `9.6`, `1,200`."""
    return significant(float(f"{ratio:.2g}"))


def points(difference: float) -> str:
    """A difference of two shares in percentage points."""
    return f"{100 * difference:+.1f}"


class WithInterval(Protocol):
    """A value and its 95 % interval; None if unknown."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def with_interval(of: WithInterval | None, number: Callable[[float], str]) -> str:
    """A value with its interval as far as both are known: `0.91 (0.90 to 0.92)`."""
    if of is None or of.value is None:
        return "n/a"
    if of.low is None or of.high is None:
        return number(of.value)
    return f"{number(of.value)} ({number(of.low)} to {number(of.high)})"


class Estimated(WithInterval, Protocol):
    @property
    def reason(self) -> str: ...


def estimate(estimated: Estimated, number: Callable[[float], str], notes: Footnotes) -> str:
    """An estimate in a table, with a footnote why its value or interval is missing."""
    return notes.marked(with_interval(estimated, number), estimated.reason)


def p_value(p: float, *, bold: bool = False) -> str:
    """A p value in a table."""
    text = "< 0.001" if p < 0.001 else f"{p:.3f}"
    return f"**{text}**" if bold else text


def joined(names: Sequence[str]) -> str:
    """Names in a sentence: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def span(figures: Mapping[str, Figure], unit: str = "") -> str:
    """The lowest and the highest of the known figures, with the names of their models.

    Disturbed figures do not count.
    """
    values = {
        model: figure.value
        for model, figure in figures.items()
        if figure.value is not None and not figure.disturbed
    }
    if not values:
        return "not available"
    texts = []
    for value in sorted({min(values.values()), max(values.values())}):
        models = [model for model in values if values[model] == value]
        number = written(figures[models[0]], Footnotes())
        texts.append(f"{number} {unit}".strip() + f" ({joined(models)})")
    return " to ".join(texts)

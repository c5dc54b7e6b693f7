"""Figures with their bounds, as the page reads them: numbers to draw, and texts as reports write them."""

import math
from collections.abc import Callable
from typing import Any

from worthit.bench.saved.record import Figure, significant
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.page.plain import plain
from worthit.reports.text.format import Footnotes, WithInterval, percent, points, written

Number = Callable[[float], str]


def figure(found: Bounded, number: Number = significant) -> dict[str, Any]:
    """A figure; its bounds are missing where they are unknown.

    Args:
        number: how tables write the value.
    """
    own = found.figure
    if own.value is None:
        return {"value": None, "text": "n/a", "reason": plain(own.reason)}
    value: dict[str, Any] = {"value": own.value, "text": _text(found, number)}
    if found.nothing:
        return {**value, "low": 0.0, "high": 0.0, "nothing": True}
    if not math.isnan(found.low):
        value["low"] = found.low
    if math.isfinite(found.high):
        value["high"] = found.high
    if "high" in value and found.low < found.high:
        value["interval"] = f"{number(found.low)} to {number(found.high)}"
    marks = {
        "estimated": found.estimated,
        "cached": own.origin == "cached",
        "disturbed": own.disturbed,
        "reason": plain(own.reason),
        "instrument": own.instrument,
    }
    return value | {key: mark for key, mark in marks.items() if mark}


def _text(found: Bounded, number: Number) -> str:
    return "none" if found.nothing else written(found.figure, Footnotes(), number).replace("*", "")


def plain_figure(found: Figure) -> dict[str, Any]:
    """A figure with the bounds that its origin implies."""
    return figure(bounds.within(found))


def share(found: WithInterval) -> dict[str, Any]:
    """A share with its interval."""
    return _with_interval(found, percent)


def difference(found: WithInterval) -> dict[str, Any]:
    """A difference of two shares, written in points."""
    return _with_interval(found, points)


def _with_interval(found: WithInterval, number: Number) -> dict[str, Any]:
    if found.value is None or found.low is None or found.high is None:
        return {"value": None, "text": "n/a", "reason": "unknown"}
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "text": number(found.value),
        "interval": f"{number(found.low)} to {number(found.high)}",
    }

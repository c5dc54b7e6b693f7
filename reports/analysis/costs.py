"""Which of two models is cheaper to run, for the verdict, the frontier and cascades.

Costs are compared on one scale:

- on one device, by what occupies it: core-seconds on the CPU, accelerator-seconds on an accelerator;
- an endpoint, by the price of its tokens or answers, and another model by `--machine-price`, else not at
  all: what a server computes with is unknown;
- on different devices, by their price, if `--machine-price` gives one to both;
- on different devices without prices, in core-seconds, with an accelerator-second at
  `bounds.CORES_PER_ACCELERATOR`. What holds at both ends holds between, because costs are linear.

Core-seconds are compared, not the rate of one process: a process on one core leaves the other cores
to others.
"""

from worthit.bench.saved.record import ON_SERVER, significant
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import Values

#: the cost that this module compares
KEY = "compute_ms"
#: the key of the price of compute alone; `values` has it if `--machine-price` is given
PRICE = "compute_price"

Scale = tuple[Bounded, ...]  # the costs of some cells in one unit


def scales(values: Values, *cells: str) -> tuple[Scale, ...]:
    """The costs per comment of these cells; what holds on each of the scales is known.

    Args:
        values: with `core_ms`, `device_ms` and, if given, the price of compute.
        cells: their names.
    """
    device_ms = [values[cell, "device_ms"] for cell in cells]
    prices = tuple(values[cell, PRICE] for cell in cells if (cell, PRICE) in values)
    is_priced = len(prices) == len(cells) and all(price.value is not None for price in prices)
    if is_priced and any(is_on_server(values, cell) for cell in cells):
        return (prices,)
    if all(time.nothing for time in device_ms):
        return (tuple(values[cell, "core_ms"] for cell in cells),)
    if not any(time.nothing for time in device_ms):
        return (tuple(device_ms),)
    if is_priced:
        return (prices,)
    return tuple(
        tuple(
            bounds.total([values[cell, "core_ms"], time.times(cores, "core-ms")], "core-ms")
            for cell, time in zip(cells, device_ms, strict=True)
        )
        for cores in bounds.CORES_PER_ACCELERATOR
    )


def is_on_server(values: Values, cell: str) -> bool:
    return values[cell, "core_ms"].figure.reason == ON_SERVER


def is_cheaper(values: Values, cell: str, other: str) -> bool:
    """True if a cell costs less to run than another, beyond the bounds of both costs.

    Args:
        cell, other: names of two cells.
    """
    return all(own.below(theirs) for own, theirs in scales(values, cell, other))


def compares(values: Values, cell: str, other: str) -> bool:
    """True if it is known which of two cells costs less, or that they cost about the same.

    Args:
        cell, other: names of two cells.
    """
    found = scales(values, cell, other)
    if any(
        cost.value is None or cost.disturbed or cost.estimated for both in found for cost in both
    ):
        return False
    cheaper = is_cheaper(values, cell, other) or is_cheaper(values, other, cell)
    return cheaper or len(found) == 1


def times_cheaper(values: Values, cell: str, other: str) -> float | None:
    """How many times as much the other costs to run, at least; None if a cost is unknown or 0."""
    return _least_ratio(scales(values, cell, other))


def written(values: Values, *cells: str) -> str:
    """What cells occupy for a comment, one after the other: `0.1 ms of the accelerator and 2 core-ms`."""
    text = f"{significant(sum(values[cell, 'core_ms'].value or 0.0 for cell in cells))} core-ms"
    device_ms = sum(values[cell, "device_ms"].value or 0.0 for cell in cells)
    return f"{significant(device_ms)} ms of the accelerator and {text}" if device_ms else text


def cascade_scales(
    values: Values, cheap: str, expensive: str, passed_share: float
) -> tuple[Scale, ...]:
    """The costs of a cascade and of its expensive model alone, on each scale."""
    return tuple(
        (bounds.total([first, second.times(passed_share, second.figure.unit)], ""), second)
        for first, second in scales(values, cheap, expensive)
    )


def saved_share(values: Values, cheap: str, expensive: str, passed_share: float) -> float:
    """The share of the expensive model's compute that a cascade saves, at least; may be negative."""
    times = _least_ratio(cascade_scales(values, cheap, expensive, passed_share))
    return 0.0 if times is None else 1 - 1 / times


def _least_ratio(costs: tuple[Scale, ...]) -> float | None:
    """Of the second cost to the first."""
    pairs = [(own.value, theirs.value) for own, theirs in costs]
    ratios = [theirs / own for own, theirs in pairs if own and theirs]
    return min(ratios) if len(ratios) == len(pairs) else None

"""What scoring costs in money, at the prices of the report's options, and when it pays off.

Bounds are propagated by interval arithmetic, which is never too narrow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worthit.bench.saved.record import NOTHING_CHOSEN, CellRecord, Run, measured
from worthit.reports.analysis import bounds, costs, error_costs
from worthit.reports.analysis import figures as table
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.analysis.figures import tokens
from worthit.reports.analysis.paired_tests import Pair, between
from worthit.reports.analysis.run_view import by_model
from worthit.reports.options import ReportOptions

MILLION = 1e6
#: key of the total cost of 1,000 comments: their errors, and running the model if the machine has a price
TOTAL_COST = "total_cost"
J_PER_KWH = 3.6e6


def has_price(run: Run, options: ReportOptions) -> bool:
    """True if scoring with some model of the run has a price."""
    prices_answers = options.prices_tokens or options.api_per_million is not None
    on_server = any(cell.is_endpoint for cell in run.cells)
    return options.has_price or (prices_answers and on_server)


def figures(run: Run, options: ReportOptions) -> list[FigureSpec]:
    """The price of scoring as one more figure of the frontier, and that of compute alone for `costs`."""
    found = []
    if has_price(run, options):

        def price(run: Run, cell: CellRecord) -> Bounded:
            return scoring(run, cell, options)

        found.append(
            FigureSpec(
                key="price",
                read=lambda run, cell: price(run, cell).figure,
                bounds=price,
                frontier=("price", "price of scoring a million"),
                cascade="per comment",
            )
        )
    if options.prices_compute:

        def running(run: Run, cell: CellRecord) -> Bounded:
            return _running(run, cell, options)

        found.append(
            FigureSpec(
                key=costs.PRICE, read=lambda run, cell: running(run, cell).figure, bounds=running
            )
        )
    if options.error_costs is not None:

        def total(run: Run, cell: CellRecord) -> Bounded:
            return total_cost(run, cell, options)

        found.append(
            FigureSpec(key=TOTAL_COST, read=lambda run, cell: total(run, cell).figure, bounds=total)
        )
    return found


def total_cost(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """The errors of 1,000 comments, and what scoring them costs if the machine has a price."""
    parts = [error_costs.bounded(run, cell)]
    if options.prices_compute:
        parts.append(_running(run, cell, options).times(error_costs.PER / MILLION, ""))
    return bounds.total(parts, "")


def _running(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """Scoring a million comments: the machine without electricity, or an endpoint's answers."""
    if cell.is_endpoint:
        return _of_answers(run, cell, options)
    return bounds.total(_compute_of_scoring(run, cell, options), "")


def scoring(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """A million comments: the machine at its best throughput, and electricity; an endpoint's answers."""
    if cell.is_endpoint:
        return _of_answers(run, cell, options)
    parts = _compute_of_scoring(run, cell, options)
    return _priced(parts, options, lambda: bounds.energy_j(run, cell).times(MILLION, "J"))


def of_correct(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """A million correct decisions: scoring as many comments as it takes on the test set."""
    return bounds.per_correct(scoring(run, cell, options), bounds.test_accuracy(run, cell))


def training(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """One training: the machine, and electricity."""
    if cell.is_endpoint:
        return bounds.nothing("")
    parts = _compute(
        cell,
        options,
        machine_s=bounds.training_s(run, cell),
        core_s=bounds.training_core_s(run, cell),
        device_s=bounds.training_device_s(run, cell),
    )
    return _priced(parts, options, lambda: bounds.training_j(run, cell))


def choosing(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """Choosing settings before one training: the machine. Its CPU time and energy are not metered."""
    seconds = table.choosing_s(run, cell)
    if seconds.value is None:
        is_known = seconds.reason == NOTHING_CHOSEN
        return bounds.nothing("") if is_known else bounds.absent("", seconds.reason)
    if options.machine_per_hour is None or options.electricity_per_kwh is not None:
        return bounds.absent("", "CPU time and energy of choosing settings are not metered")
    return bounds.within(seconds, bounds.noise(run)).times(options.machine_per_hour / 3600, "")


def with_training(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """A million comments, with their part of a training whose cost the volume shares."""
    share = training(run, cell, options).times(MILLION / options.volume, "")
    return bounds.total([scoring(run, cell, options), share], "")


def _of_answers(run: Run, cell: CellRecord, options: ReportOptions) -> Bounded:
    """An endpoint's answers to a million comments: its tokens, else the price that an API has."""
    if not options.prices_tokens:
        if options.api_per_million is None:
            reason = "`--price-in` and `--price-out`, or `--api-price`, price an endpoint"
            return bounds.absent("", reason)
        return bounds.within(measured(options.api_per_million, "", "given"))
    parts = []
    for name, flag, per_million in (
        ("prompt", "--price-in", options.price_in_per_million),
        ("completion", "--price-out", options.price_out_per_million),
    ):
        if per_million is None:
            return bounds.absent("", f"the price of {name} tokens, {flag}, is not given")
        parts.append(bounds.within(tokens(name)(run, cell)).times(per_million, ""))
    return bounds.total(parts, "")


def _compute_of_scoring(run: Run, cell: CellRecord, options: ReportOptions) -> list[Bounded]:
    def of_a_million(time_ms: Bounded) -> Bounded:
        return time_ms.times(MILLION / 1e3, "s")

    return _compute(
        cell,
        options,
        machine_s=of_a_million(bounds.machine_ms(run, cell)),
        core_s=of_a_million(bounds.core_ms(run, cell)),
        device_s=of_a_million(bounds.device_ms(run, cell)),
    )


def _compute(
    cell: CellRecord, options: ReportOptions, machine_s: Bounded, core_s: Bounded, device_s: Bounded
) -> list[Bounded]:
    """The price of the whole machine, or of each part that the cell occupies."""
    if options.machine_per_hour is not None:
        return [machine_s.times(options.machine_per_hour / 3600, "")]
    if not options.part_per_hour:
        return []
    occupied = {"core": core_s} if cell.device == "cpu" else {"core": core_s, cell.device: device_s}
    return [
        seconds.times(options.part_per_hour[part] / 3600, "")
        if part in options.part_per_hour
        else bounds.absent("", f"--machine-price gives no price of {part}")
        for part, seconds in occupied.items()
    ]


def _priced(parts: list[Bounded], options: ReportOptions, joules: Callable[[], Bounded]) -> Bounded:
    if options.electricity_per_kwh is not None:
        parts = [*parts, joules().times(options.electricity_per_kwh / J_PER_KWH, "")]
    if not parts:
        return bounds.absent("", "no price was given")
    return bounds.total(parts, "")


@dataclass(frozen=True)
class BreakEven:
    """The number of comments from which one choice costs less than another; infinite: never."""

    volume: float
    low: float
    high: float
    estimated: bool = False


def break_even(
    train: Bounded, score: Bounded, other_train: Bounded, other_score: Bounded
) -> BreakEven | None:
    """The volume V from which train + V x score is less than the other's; None if one is not known.

    Args:
        score, other_score: of a million comments.
    """
    parts = (train, score, other_train, other_score)
    known = [part.value for part in parts if part.value is not None and not part.disturbed]
    if len(known) < len(parts):
        return None
    return BreakEven(
        _volume(known[0] - known[2], known[3] - known[1]),
        _volume(train.low - other_train.high, other_score.high - score.low),
        _volume(train.high - other_train.low, other_score.low - score.high),
        any(part.estimated for part in parts),
    )


def _volume(extra_training: float, saved_per_million: float) -> float:
    """Comments after which the savings outweigh a more expensive training."""
    if saved_per_million <= 0:
        return math.inf
    return max(0.0, extra_training / saved_per_million * MILLION)


@dataclass(frozen=True)
class Gain:
    """The price of one more correct comment than a cheaper model gives; None without a gain."""

    cell: CellRecord
    over: CellRecord | None  # None: nothing is cheaper
    price: float | None = None
    low: float = math.nan
    high: float = math.nan


def gains(run: Run, pairs: Sequence[Pair], options: ReportOptions) -> tuple[Gain, ...]:
    """Models by price, each compared with the most expensive cheaper one that is worth its price.

    As in incremental cost-effectiveness analysis (Drummond et al. 2015), a more expensive model
    without a significant gain is skipped, and nothing is compared with it. The first of several
    seeds represents its model. Cells with unknown cost or accuracy are omitted. Nothing is ranked if
    a part of a cost is an estimate, or was measured under disturbance.
    """
    models = [cells[0] for cells in by_model(run).values()]
    priced = [(with_training(run, cell, options), cell) for cell in models]
    known = [(cost, cell) for cost, cell in priced if cost.value is not None]
    if any(cost.estimated or cost.disturbed for cost, _ in known):
        return ()
    found: list[Gain] = []
    base: tuple[Bounded, CellRecord] | None = None
    for cost, cell in sorted(known, key=lambda entry: (entry[0].value, entry[1].name)):
        gain = Gain(cell, None) if base is None else _gain(cost, cell, *base, pairs)
        found.append(gain)
        if base is None or gain.price is not None:
            base = cost, cell
    return tuple(found)


def _gain(
    cost: Bounded, cell: CellRecord, base: Bounded, over: CellRecord, pairs: Sequence[Pair]
) -> Gain:
    more = between(pairs, cell.name, over.name).accuracy  # correct comments, as a share of all
    if not (more.is_significant and more.value > 0):
        return Gain(cell, over)
    assert cost.value is not None
    assert base.value is not None
    return Gain(
        cell,
        over,
        (cost.value - base.value) / (more.value * MILLION),
        max(0.0, cost.low - base.high) / (more.high * MILLION),
        (cost.high - base.low) / (more.low * MILLION) if more.low > 0 else math.inf,
    )

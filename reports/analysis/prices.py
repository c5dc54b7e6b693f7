"""What scoring costs in money, as far as the run was told prices, and from when on it pays off.

Bounds are carried through by interval arithmetic, which is wider than need be but never too narrow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worthit.bench.saved.record import CellRecord, Run, measured, significant
from worthit.reports import options
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.paired_tests import Pair, between
from worthit.reports.analysis.run_view import by_model, name
from worthit.reports.text.format import Footnotes, written
from worthit.reports.text.tables import listed, tabulated

MILLION = 1e6
_J_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Prices:
    """In one currency, whichever; None where not given."""

    electricity_per_kwh: float | None
    machine_per_hour: float | None
    api_per_million: float | None
    volume: float  # comments over which training is spread

    @property
    def own(self) -> bool:
        """Whether a model of one's own has a price at all."""
        return self.electricity_per_kwh is not None or self.machine_per_hour is not None


def prices(run: Run) -> Prices:
    volume = options.number(run, options.VOLUME)
    return Prices(
        options.number(run, options.ELECTRICITY),
        options.number(run, options.MACHINE),
        options.number(run, options.API),
        options.DEFAULT_VOLUME if volume is None else volume,
    )


def scoring(run: Run, cell: CellRecord) -> Bounded:
    """Of a million comments: hours of the machine at its best throughput, and electricity."""
    seconds = bounds.compute_ms(run, cell).times(MILLION / 1e3, "s")
    return _priced(prices(run), seconds, lambda: bounds.energy_j(run, cell).times(MILLION, "J"))


def training(run: Run, cell: CellRecord) -> Bounded:
    """Of one training: hours of the machine, and electricity."""
    seconds = bounds.training_s(run, cell)
    return _priced(prices(run), seconds, lambda: bounds.training_j(run, cell))


def with_training(run: Run, cell: CellRecord) -> Bounded:
    """Of a million comments, with their share of a training spread over the volume."""
    share = training(run, cell).times(MILLION / prices(run).volume, "")
    return bounds.total([scoring(run, cell), share], "")


def _priced(asked: Prices, seconds: Bounded, joules: Callable[[], Bounded]) -> Bounded:
    parts = []
    if asked.machine_per_hour is not None:
        parts.append(seconds.times(asked.machine_per_hour / 3600, ""))
    if asked.electricity_per_kwh is not None:
        parts.append(joules().times(asked.electricity_per_kwh / _J_PER_KWH, ""))
    if not parts:
        return bounds.absent("", "no price was given")
    return bounds.total(parts, "")


@dataclass(frozen=True)
class BreakEven:
    """From how many comments on one choice costs less than another; infinite: never."""

    volume: float
    low: float
    high: float
    estimated: bool = False


def break_even(
    train: Bounded, score: Bounded, other_train: Bounded, other_score: Bounded
) -> BreakEven | None:
    """The volume V from which train + V x score is less than the other's; None if one is unknown.

    Args:
        score, other_score: of a million comments.
    """
    parts = (train, score, other_train, other_score)
    known = [part.value for part in parts if part.value is not None]
    if len(known) < len(parts):
        return None
    return BreakEven(
        _volume(known[0] - known[2], known[3] - known[1]),
        _volume(train.low - other_train.high, other_score.high - score.low),
        _volume(train.high - other_train.low, other_score.low - score.high),
        any(part.estimated for part in parts),
    )


def _volume(dearer: float, saved_per_million: float) -> float:
    """Comments after which what is saved outweighs a dearer training."""
    return max(0.0, dearer / saved_per_million * MILLION) if saved_per_million > 0 else math.inf


@dataclass(frozen=True)
class Gain:
    """The price of one more correct comment over a cheaper model; None if no gain is supported."""

    cell: CellRecord
    over: CellRecord | None  # None: nothing is cheaper
    price: float | None = None
    low: float = math.nan
    high: float = math.nan
    estimated: bool = False


def gains(run: Run, pairs: Sequence[Pair]) -> tuple[Gain, ...]:
    """The cheapest first, each against the dearest before it that is worth its own price.

    As in incremental cost-effectiveness analysis (Drummond et al. 2015), a model that is dearer
    without a supported gain is passed over, and nothing is compared with it. Of several seeds the
    first stands for its model. Cells whose cost or accuracy is unknown are left out; nothing is
    ranked if a cost is made of estimates alone.

    Args:
        pairs: of `worthit.reports.analysis.paired_tests.pairs(run)`.
    """
    priced = [(with_training(run, cells[0]), cells[0]) for cells in by_model(run).values()]
    known = [(cost, cell) for cost, cell in priced if cost.value is not None]
    if not all(cost.measured_part for cost, _ in known):
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
    more = between(pairs, cell.name, over.name)  # correct comments, as a share of all
    if not (more.accuracy_differs and more.accuracy_difference > 0):
        return Gain(cell, over)
    assert cost.value is not None
    assert base.value is not None
    return Gain(
        cell,
        over,
        (cost.value - base.value) / (more.accuracy_difference * MILLION),
        max(0.0, cost.low - base.high) / (more.accuracy_high * MILLION),
        (cost.high - base.low) / (more.accuracy_low * MILLION)
        if more.accuracy_low > 0
        else math.inf,
        cost.estimated or base.estimated,
    )


def section(run: Run, pairs: Sequence[Pair]) -> list[str]:
    """Money and emissions, as far as the run was told prices; nothing if it was told none."""
    asked = prices(run)
    carbon = options.number(run, options.CARBON)
    paragraphs = [_at(asked, carbon), *_costs(run, asked, carbon)]
    if asked.own:
        paragraphs += [*_break_evens(run, asked), *_gains(run, pairs)]
    return (
        paragraphs if asked.own or carbon is not None or asked.api_per_million is not None else []
    )


def _at(asked: Prices, carbon: float | None) -> str:
    given = {
        "{:g} an hour of the machine at its best throughput": asked.machine_per_hour,
        "{:g} a kWh of CPU and GPU, gross": asked.electricity_per_kwh,
        "{:g} a million comments of a hosted API": asked.api_per_million,
        "{:g} g of CO2e a kWh": carbon,
    }
    parts = [text.format(value) for text, value in given.items() if value is not None]
    lacking = "" if asked.own else (
        " What scoring costs here is not known: give --machine-price, --electricity-price or both."
    )  # fmt: skip
    return f"At {', '.join(parts)}.{lacking}"


def _costs(run: Run, asked: Prices, carbon: float | None) -> list[str]:
    columns: dict[str, Callable[[Run, CellRecord], Bounded]] = {}
    if asked.own:
        columns = {
            "scoring a million": scoring,
            "one training": training,
            f"a million, with training spread over {_comments(asked.volume)}": with_training,
        }
    if carbon is not None:
        grams = carbon * MILLION / _J_PER_KWH
        columns["CO2e of scoring a million, g"] = lambda run, cell: bounds.energy_j(
            run, cell
        ).times(grams, "g")
    if not columns:
        return []
    notes = Footnotes()
    body = [
        [name(run, cell), *(_money(of(run, cell), notes) for of in columns.values())]
        for cell in run.cells
    ]
    return [tabulated(["model", *columns], body), *listed(notes.lines())]


def _money(cost: Bounded, notes: Footnotes) -> str:
    if cost.nothing:
        return "none"
    text = written(cost.figure, notes)
    return text if cost.value is None or not cost.figure.reason else (
        f"{text} {notes.mark(cost.figure.reason)}"
    )  # fmt: skip


def _break_evens(run: Run, asked: Prices) -> list[str]:
    """Against what is cheapest to train, unless estimates alone say what is, and a hosted API.

    What is used as it comes is not trained at all, and no rival in that.
    """
    costs = {name(run, cell): (training(run, cell), scoring(run, cell)) for cell in run.cells}
    known = [
        model for model, parts in costs.items() if all(part.value is not None for part in parts)
    ]
    rivals: dict[str, tuple[Bounded, Bounded]] = {}
    trained = [model for model in known if not costs[model][0].nothing]
    measured_part = all(part.measured_part for model in known for part in costs[model])
    if len(known) > 1 and trained and measured_part:
        first = min(trained, key=lambda model: [part.figure.value for part in costs[model]])
        rivals[f"{first}, the cheapest to train"] = costs[first]
    if asked.api_per_million is not None:
        price = measured(asked.api_per_million, "", "given")
        rivals["the API"] = bounds.nothing(""), bounds.within(price)
    if not rivals:
        return []
    notes = Footnotes()
    body = [
        [model, *("" if rival == own else _from(own, rival, notes) for rival in rivals.values())]
        for model, own in costs.items()
    ]
    return [
        "From how many comments on each costs less than another choice, training included and "
        "quality left aside; in brackets, what the bounds of its figures allow.",
        tabulated(["model", *(f"against {rival}" for rival in rivals)], body),
        *listed(notes.lines()),
    ]


def _from(own: tuple[Bounded, Bounded], rival: tuple[Bounded, Bounded], notes: Footnotes) -> str:
    found = break_even(*own, *rival)
    if found is None:
        return f"n/a {notes.mark(bounds.total(own, '').figure.reason)}"
    if found.high == 0:
        return "the first"
    text = _comments(found.volume)
    if found.low < found.high:
        text += f" ({_comments(found.low)} to {_comments(found.high)})"
    return f"*≈{text}*" if found.estimated and found.low < math.inf else text


def _comments(volume: float) -> str:
    return "never" if math.isinf(volume) else f"{float(f'{volume:.3g}'):,.0f}"


def _gains(run: Run, pairs: Sequence[Pair]) -> list[str]:
    found = gains(run, pairs)
    about = (
        "The price of 1,000 more correct comments than the next cheaper model gives, training "
        "included; a model without a gain that the paired test supports is passed over."
    )
    if len(found) < 2:
        return []
    body = [
        [name(run, gain.cell), name(run, gain.over) if gain.over else "", _price(gain)]
        for gain in found
    ]
    return [
        about,
        tabulated(["model, the cheapest first", "over", "1,000 more correct"], body, left=2),
    ]


def _price(gain: Gain) -> str:
    if gain.over is None:
        return "the cheapest"
    if gain.price is None:
        return "no supported gain"
    high = "no bound" if math.isinf(gain.high) else significant(1e3 * gain.high)
    text = f"{significant(1e3 * gain.price)} ({significant(1e3 * gain.low)} to {high})"
    return f"*≈{text}*" if gain.estimated else text

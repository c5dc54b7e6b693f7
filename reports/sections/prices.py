"""The section on prices: what scoring costs in money and emissions, and when it pays off."""

import math
from collections.abc import Callable, Mapping, Sequence

from worthit.bench.saved.record import CellRecord, Run, measured, significant
from worthit.reports.analysis import bounds, prices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figures import choosing_s
from worthit.reports.analysis.prices import J_PER_KWH, MILLION, Gain
from worthit.reports.analysis.run_view import first_seeds, name
from worthit.reports.options import PRICED_PARTS, ReportOptions
from worthit.reports.sections.glossary import link
from worthit.reports.text.format import Footnotes, span, with_reason
from worthit.reports.text.tables import table

_ESTIMATES = (
    "Prices with ≈ contain an estimate of energy (`--cpu-watts`, or power at intervals), not a metered "
    "figure; nothing is ranked by them."
)
_CORRECT = (
    "“A million correct”: scoring as many comments as give a million correct answers, at the accuracy on the "
    "test set (of several labels, subset accuracy)."
)
_NOT_IN_CO2E = (
    "CO2e is that of the electricity of the processor and of the GPU that a model uses, while it scores. It "
    "leaves out memory, disks, network, power supplies, cooling (PUE), idle time, training, and the making "
    "of the machine."
)

Costs = Mapping[str, tuple[Bounded, Bounded]]  # model → one training, scoring a million


def section(analysis: Analysis) -> list[str]:
    """Money and emissions at the given prices; nothing without prices."""
    run, options = analysis.run, analysis.options
    has_price = prices.has_price(run, options)
    if not (
        has_price
        or options.prices_tokens
        or options.carbon_g_per_kwh is not None
        or options.api_per_million is not None
    ):
        return []
    paragraphs = ["## Prices", _conclusion(run, options), *_costs(run, options)]
    if has_price:
        paragraphs += [*_break_evens(run, options), *_gains(analysis)]
    return paragraphs


def _conclusion(run: Run, options: ReportOptions) -> str:
    parts = {
        "{:.10g} per hour of the whole machine at its best throughput": options.machine_per_hour,
        "{:.10g} per kWh of CPU and GPU, gross": options.electricity_per_kwh,
        "{:.10g} per million comments of a hosted API": options.api_per_million,
        "{:.10g} per million prompt tokens": options.price_in_per_million,
        "{:.10g} per million completion tokens": options.price_out_per_million,
        "{:.10g} g of CO2e per kWh": options.carbon_g_per_kwh,
    }
    texts = [text.format(value) for text, value in parts.items() if value is not None]
    texts[:0] = [
        f"{price:.10g} per hour of {PRICED_PARTS[part]}"
        for part, price in options.part_per_hour.items()
    ]
    given = f"Given: {', '.join(texts)}"
    if not prices.has_price(run, options):
        return (
            f"{given}. The price of scoring on this machine is unknown; give --machine-price, "
            "--electricity-price or both."
        )
    scoring = {name(run, cell): prices.scoring(run, cell, options) for cell in first_seeds(run)}
    if any(cost.estimated for cost in scoring.values()):
        return f"{given}. {_ESTIMATES}"
    costs = span({model: cost.figure for model, cost in scoring.items()})
    return f"{given}. Scoring a million comments costs: {costs}."


def _costs(run: Run, options: ReportOptions) -> list[str]:
    columns: dict[str, Callable[[CellRecord], Bounded]] = {}
    if prices.has_price(run, options):
        volume = f"{options.volume:,.0f}"
        columns = {
            "scoring a million": lambda cell: prices.scoring(run, cell, options),
            "a million correct": lambda cell: prices.of_correct(run, cell, options),
            "one training": lambda cell: prices.training(run, cell, options),
            f"a million, with training spread over {volume}": lambda cell: prices.with_training(
                run, cell, options
            ),
        }
    if options.has_price and any(choosing_s(run, cell).value for cell in run.cells):
        columns["choosing settings for it"] = lambda cell: prices.choosing(run, cell, options)
    if options.carbon_g_per_kwh is not None:
        grams = options.carbon_g_per_kwh * MILLION / J_PER_KWH
        columns["CO2e of scoring a million, g"] = lambda cell: bounds.energy_j(run, cell).times(
            grams, "g"
        )
    if not columns:
        return []
    notes = Footnotes()
    body = [
        [name(run, cell), *(_cost(read(cell), notes) for read in columns.values())]
        for cell in first_seeds(run)
    ]
    about = [_CORRECT] if prices.has_price(run, options) else []
    if options.has_price and any(choosing_s(run, cell).value for cell in run.cells):
        about.append(f"Prices of training leave out {link('choosing settings')}.")
    about += [_NOT_IN_CO2E] if options.carbon_g_per_kwh is not None else []
    return [*about, *table("Prices", ["model", *columns], body, notes)]


def _cost(cost: Bounded, notes: Footnotes) -> str:
    return "none" if cost.nothing else with_reason(cost.figure, notes)


def _break_evens(run: Run, options: ReportOptions) -> list[str]:
    costs = {
        name(run, cell): (prices.training(run, cell, options), prices.scoring(run, cell, options))
        for cell in first_seeds(run)
    }
    servers = [name(run, cell) for cell in first_seeds(run) if cell.is_endpoint]
    rivals = _rivals(costs, servers, options)
    if not rivals:
        return []
    notes = Footnotes()
    body = [
        [model, *("" if rival == own else _volume(own, rival, notes) for rival in rivals.values())]
        for model, own in costs.items()
    ]
    return [
        "Number of comments from which each model costs less than another choice, training included and "
        f"quality ignored ({link('break-even', 'method')}).",
        *table("Break-even", ["model", *(f"against {rival}" for rival in rivals)], body, notes),
    ]


def _rivals(costs: Costs, servers: Sequence[str], options: ReportOptions) -> Costs:
    """The model that is cheapest to train, unless a cost is an estimate; endpoints; and a hosted API.

    An untuned model is not trained, and therefore not the cheapest to train.
    """
    rivals: dict[str, tuple[Bounded, Bounded]] = {}
    known = {
        model: both for model, both in costs.items() if all(part.value is not None for part in both)
    }
    trained = [model for model, (training, _) in known.items() if not training.nothing]
    is_measured = not any(
        part.estimated or part.disturbed for both in known.values() for part in both
    )
    if len(known) > 1 and trained and is_measured:
        first = min(trained, key=lambda model: [part.figure.value for part in costs[model]])
        rivals[f"{first}, the cheapest to train"] = costs[first]
    rivals |= {model: costs[model] for model in servers if model in known}
    if options.api_per_million is not None and not (servers and not options.prices_tokens):
        price = measured(options.api_per_million, "", "given")
        rivals["the API"] = bounds.nothing(""), bounds.within(price)
    return rivals


def _volume(own: tuple[Bounded, Bounded], rival: tuple[Bounded, Bounded], notes: Footnotes) -> str:
    found = prices.break_even(*own, *rival)
    if found is None:
        figure = bounds.total((*own, *rival), "").figure
        is_known = figure.value is not None
        return notes.missing(f"disturbed: {figure.disturbed}" if is_known else figure.reason)
    if found.high == 0:
        return "the first"
    text = _comments(found.volume)
    if found.estimated and found.low < math.inf:
        return f"*≈{text}*"  # how far it is off is unknown
    if found.low < found.high:
        text += f" ({_comments(found.low)} to {_comments(found.high)})"
    return text


def _comments(volume: float) -> str:
    return "never" if math.isinf(volume) else f"{float(f'{volume:.3g}'):,.0f}"


def _gains(analysis: Analysis) -> list[str]:
    run = analysis.run
    gains = prices.gains(run, analysis.pairs, analysis.options)
    if len(gains) < 2:
        return []
    body = [
        [name(run, gain.cell), name(run, gain.over) if gain.over else "", _gain(gain)]
        for gain in gains
    ]
    headings = ["model, the cheapest first", "over", "1,000 more correct"]
    return [
        "The price of 1,000 more correct comments than the next cheaper model gives, training included "
        f"({link('price of a gain', 'method')}).",
        *table("Price of 1,000 more correct comments", headings, body, left=2),
    ]


def _gain(gain: Gain) -> str:
    if gain.over is None:
        return "the cheapest"
    if gain.price is None:
        return "no significant gain"
    high = "no bound" if math.isinf(gain.high) else significant(1e3 * gain.high)
    return f"{significant(1e3 * gain.price)} ({significant(1e3 * gain.low)} to {high})"

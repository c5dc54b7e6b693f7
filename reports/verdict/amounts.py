"""How a verdict writes leads and costs: in points, or in money per 1,000 comments."""

import math

from worthit.bench.saved.record import CellRecord, significant
from worthit.reports.analysis import error_costs, prices
from worthit.reports.analysis.leads import Lead
from worthit.reports.statistics import metrics
from worthit.reports.text.format import points, with_interval
from worthit.reports.verdict.case import Case, lead


def size(case: Case, difference: float) -> str:
    """A difference without a sign: `1 point`, or money."""
    if case.in_money:
        return f"{significant(difference)} per 1,000 comments"
    return f"{100 * difference:g} point{'s' * (difference != 0.01)}"


def gain(case: Case, rival: CellRecord) -> str:
    """What the LLM gains over a rival: `gains 2.0 points`, or money."""
    value = case.lead(rival).value
    if case.in_money:
        return f"saves {significant(value)} per 1,000 comments"
    return f"gains {100 * value:.1f} points{of_measure(case)}"


def signed(case: Case, difference: float) -> str:
    """A difference with a sign, without its unit."""
    if not case.in_money:
        return points(difference)
    if math.isinf(difference):
        return "n/a"
    return f"{'+' if difference >= 0 else '-'}{significant(abs(difference))}"


def unit(case: Case) -> str:
    """What `signed` is in."""
    return "per 1,000 comments" if case.in_money else "points"


def interval(case: Case, found: Lead) -> str:
    """The interval of a lead: `-1.0 and +2.0 points`."""
    return (
        f"{signed(case, found.low)} and {signed(case, found.high)} {unit(case)}{of_measure(case)}"
    )


def of_measure(case: Case) -> str:
    """What points are of, unless it is accuracy."""
    plain = case.in_money or case.measure == metrics.ACCURACY
    return "" if plain else f" of {case.measure.heading}"


def total_costs(case: Case, rival: CellRecord | None, shown: str) -> str:
    """The total costs of the LLM and of the rival, the lowest of all, and what a difference shows."""
    what = "errors and running" if case.analysis.options.prices_compute else "errors"
    costs_of = {
        models[0].name: case.analysis.values[models[0].name, prices.TOTAL_COST]
        for models in case.analysis.models.values()
    }
    known = {
        cells[0].name: (value, cells[0])
        for cells in case.analysis.models.values()
        if (value := costs_of[cells[0].name].value) is not None
    }
    llm = with_interval(costs_of[case.llm.name], significant)
    text = f"1,000 comments cost {llm} ({what}) with {case.name(case.llm)}"
    if rival is None:
        constant = significant(error_costs.of_constant(case.run))
        return f"{text}; with the best constant answer {constant}."
    found, of_rival = case.lead(rival), costs_of[rival.name].value
    text += f", {'n/a' if of_rival is None else significant(of_rival)} with {case.name(rival)}: "
    if is_unknown(found):
        text += "their difference is n/a."
    else:
        text += (
            f"{case.name(case.llm)} saves {signed(case, found.value)} ({signed(case, found.low)} to "
            f"{signed(case, found.high)}), {shown}."
        )
    if known:
        lowest, least = min(known.values(), key=lambda entry: entry[0])
        if least.name not in (case.llm.name, rival.name):
            text += f" {_lowest(case, lowest, least)}"
    return text


def is_unknown(found: Lead) -> bool:
    """True if a part of a lead is missing, such as a price of running."""
    return math.isinf(found.low)


def _lowest(case: Case, lowest: float, least: CellRecord) -> str:
    """The model with the lowest total cost, and its lead over the LLM."""
    text = f"The lowest total cost is that of {case.name(least)}, {significant(lowest)}"
    over = lead(case.analysis, least, case.llm)
    if is_unknown(over):
        return f"{text}."
    return (
        f"{text}; that of {case.name(case.llm)} is higher by {signed(case, over.value)} ({signed(case, over.low)} to "
        f"{signed(case, over.high)})."
    )

"""How a verdict writes leads and costs: in points, or in money per 1,000 comments."""

import math

from worthit.bench.saved.record import CellRecord, significant
from worthit.reports.analysis import error_costs, metrics, prices
from worthit.reports.analysis.leads import Lead
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
    what = "errors and machine" if case.analysis.options.prices_compute else "errors"
    costs_of = {
        models[0].name: case.analysis.values[models[0].name, prices.TOTAL_COST]
        for models in case.analysis.models.values()
    }
    known = [cell for cell in case.analysis.models.values() if costs_of[cell[0].name].value]
    llm = with_interval(costs_of[case.llm.name], significant)
    text = f"1,000 comments cost {llm} ({what}) with {case.name(case.llm)}"
    if rival is None:
        constant = significant(error_costs.of_constant(case.run))
        return f"{text}; with the best constant answer {constant}."
    lead, of_rival = case.lead(rival), costs_of[rival.name].value
    text += (
        f", {'n/a' if of_rival is None else significant(of_rival)} with {case.name(rival)}: "
        f"{case.name(case.llm)} saves {signed(case, lead.value)} ({signed(case, lead.low)} to "
        f"{signed(case, lead.high)}), {shown}."
    )
    if known:
        least = min(known, key=lambda cells: costs_of[cells[0].name].value or math.inf)[0]
        text += f" {_lowest(case, least, case.llm if least is not case.llm else rival)}"
    return text


def _lowest(case: Case, least: CellRecord, other: CellRecord) -> str:
    """The model with the lowest total cost, and its lead over another."""
    over, cost = lead(case.analysis, least, other), case.analysis.values
    lowest = significant(cost[least.name, prices.TOTAL_COST].value or 0.0)
    return (
        f"The lowest total cost is that of {case.name(least)}, {lowest}: {signed(case, over.value)} "
        f"({signed(case, over.low)} to {signed(case, over.high)}) less than that of {case.name(other)}."
    )

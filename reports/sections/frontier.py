"""The section on the frontier: which models are worth which cost."""

from collections.abc import Sequence

from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import CascadePoint, Frontier, Point, Standing
from worthit.reports.sections.cascade import standing_text
from worthit.reports.sections.glossary import link
from worthit.reports.text.format import Footnotes, joined
from worthit.reports.text.tables import table

_ESTIMATES = "the cost of some model is an estimate; estimates are not ranked"
_CACHED = "its cost is cached: an earlier run measured it"


def section(analysis: Analysis) -> list[str]:
    """Which models are on the frontier of which costs."""
    if len(analysis.models) < 2:
        return [
            "## Frontier",
            "The run measured fewer than two models: there is nothing to compare.",
        ]
    frontiers, notes = analysis.frontiers, Footnotes()
    body = [
        [points[0].label, *(_entry(point, notes) for point in points)]
        for points in zip(
            *((*frontier.points, *frontier.cascades) for frontier in frontiers), strict=True
        )
    ]
    headings = ["model", *(_heading(frontier) for frontier in frontiers)]
    return [
        "## Frontier",
        _conclusion(frontiers),
        *table("Standing of each model, cost by cost", headings, body, notes, left=len(headings)),
    ]


def _conclusion(frontiers: Sequence[Frontier]) -> str:
    ranked = [one for one in frontiers if one.ranked and any(p.is_known for p in one.points)]
    sentences = (
        _models_on(ranked),
        _replacements(ranked),
        _guessing(frontiers),
        f"{link('cheaper', 'Cheaper')} means: by more than the uncertainty of the costs.",
    )
    return " ".join(filter(None, sentences))


def _models_on(ranked: Sequence[Frontier]) -> str:
    """Models by the costs whose frontier they are on, those on most frontiers first."""
    if not ranked:
        return "No cost is ranked."
    groups: dict[tuple[str, ...], list[str]] = {}
    for points in zip(*(frontier.points for frontier in ranked), strict=True):
        costs = tuple(
            _heading(frontier)
            for frontier, point in zip(ranked, points, strict=True)
            if point.standing == "frontier"
        )
        groups.setdefault(costs, []).append(points[0].label)
    most_first = sorted(groups.items(), key=lambda group: -len(group[0]))
    texts = [
        f"{'every ranked cost' if len(costs) == len(ranked) else joined(costs)}: {joined(models)}"
        for costs, models in most_first
        if costs
    ]
    if not texts:
        return f"No model is on the {link('frontier')} of any cost."
    return f"On the {link('frontier')} of {'; of '.join(texts)}."


def _replacements(ranked: Sequence[Frontier]) -> str:
    costs: dict[str, list[str]] = {}
    for frontier in ranked:
        for point in frontier.cascades:
            if point.pays:
                costs.setdefault(point.label, []).append(_heading(frontier))
    texts = [f"{label} ({joined(headings)})" for label, headings in costs.items()]
    what = link("in place of Y", "in place of the expensive model")
    return f"Cascades {what}: {'; '.join(texts)}." if texts else ""


def _guessing(frontiers: Sequence[Frontier]) -> str:
    models = {
        point.label: None
        for frontier in frontiers
        for point in frontier.points
        if point.standing == "guessing"
    }
    return f"Not shown to beat {link('guessing')}: {joined(list(models))}." if models else ""


def _heading(frontier: Frontier) -> str:
    assert frontier.figure.frontier is not None
    return frontier.figure.frontier[0]


def _entry(point: Point | CascadePoint, notes: Footnotes) -> str:
    if isinstance(point, CascadePoint):
        return _cascade_entry(point, notes)
    texts: dict[Standing, str] = {
        "frontier": "**frontier**",
        "dominated": f"dominated by {point.by}",
        "same accuracy": f"not shown to beat {point.by}",
        "same cost": f"costs as better {point.by}",
        "guessing": "not shown to beat guessing",
    }
    if point.standing == "disturbed":
        return notes.marked("not ranked", f"disturbed: {point.cost.figure.disturbed}")
    if point.standing == "not ranked":
        return notes.marked("not ranked", _ESTIMATES)
    text = texts.get(point.standing)
    if text is None:
        return notes.missing(point.reason)
    return notes.marked(text, _CACHED if point.cost.figure.origin == "cached" else "")


def _cascade_entry(point: CascadePoint, notes: Footnotes) -> str:
    if point.cost.value is None:
        return notes.missing(point.cost.figure.reason)
    if point.cost.estimated:
        return notes.marked("not ranked", _ESTIMATES)
    if point.standing == "disturbed":
        return notes.marked("not ranked", f"disturbed: {point.cost.figure.disturbed}")
    return standing_text(point.standing, point.cheap, point.expensive)

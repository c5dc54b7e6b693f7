"""The section on the data: where they come from, and how many comments each step leaves."""

from worthit.bench.saved.data import Data
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.statistics import natural
from worthit.reports.text import class_names
from worthit.reports.text.format import joined
from worthit.reports.text.tables import folded, listed, tabulated

_MOST_COUNTED = 8  # classes with a column of their own


def section(analysis: Analysis) -> list[str]:
    """Source, split and steps."""
    data = analysis.run.data
    headings, counts = _counted(data)
    body = [
        [step.name, *(f"{count:,}" for count in (step.comments, *classes))]
        for step, classes in zip(data.steps, counts, strict=True)
    ]
    return [
        "## Data",
        f"{data.title} ({data.citation}). Split with seed {data.seed}; key `{data.key}`.",
        *listed(data.notes),
        _natural(data),
        _without_weights(analysis),
        *folded("Comments left after each step", tabulated(["step", "comments", *headings], body)),
    ]


def _without_weights(analysis: Analysis) -> str:
    """The models that class weights did not change; empty without class weights."""
    if not analysis.run.data.weighted:
        return ""
    unchanged = [
        model for model, cells in analysis.models.items() if not natural.is_weighted(cells[0])
    ]
    if not unchanged:
        return "All models were trained with class weights."
    return f"Without class weights, which they do not take: {joined(unchanged)}."


def _natural(data: Data) -> str:
    """Where the shares of the classes in the natural test set come from."""
    if not data.balanced:
        return ""
    if not data.stream:
        return (
            "The data do not say which comments were drawn at random, so the natural test set has the data's "
            "own shares of the classes."
        )
    return (
        f"{sum(data.population):,} comments are a random sample of {data.stream}; the natural test set comes "
        "from them. The others were selected in another way; training, validation and test set have both kinds."
    )


def _counted(data: Data) -> tuple[list[str], list[tuple[int, ...]]]:
    """What to count at each step: the positive class, or all classes; of many, the extremes."""
    names = class_names.names(data)
    if class_names.kind(data) == "two classes":
        return names[1:], [(step.toxic,) for step in data.steps]
    if len(names) <= _MOST_COUNTED:
        return names, [step.counts for step in data.steps]
    what = "label" if data.multilabel else "class"
    extremes: list[tuple[int, ...]] = [(min(step.counts), max(step.counts)) for step in data.steps]
    return [f"of the rarest {what}", "of the most common"], extremes

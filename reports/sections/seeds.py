"""The section on seeds: how much trainings of the same model differ, and of which it is unknown."""

from collections.abc import Callable, Sequence

import numpy as np

from worthit.bench.saved.record import CellRecord, significant
from worthit.reports.analysis import run_view, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.statistics import metrics
from worthit.reports.text.format import joined, percent
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Mean and standard deviation over seeds, and what one training leaves open."""
    repeated = {model: cells for model, cells in analysis.models.items() if len(cells) > 1}
    spread = "Below, means ± standard deviations." if repeated else ""
    sentences = _widest(analysis, repeated), once(analysis), _deterministic(analysis), spread
    text = " ".join(filter(None, sentences))
    if not text:
        return []
    paragraphs = ["## Seeds", text]
    if repeated:
        kind = task.of(analysis.run)
        share = f"test {task.ranking(analysis.run).heading}"
        area = kind.auc.heading.removeprefix("macro ")
        headings = ["model", "seeds", share, area, "training, s"]
        body = [_row(analysis, model, cells) for model, cells in repeated.items()]
        paragraphs += table("Mean ± standard deviation", headings, body)
    return paragraphs


def once(analysis: Analysis) -> str:
    """The models whose intervals do not cover that another training may differ."""
    models = [model for model in _trained_once(analysis) if _is_seeded(analysis, model)]
    if not models:
        return ""
    return (
        f"Trained once: {joined(models)}. These intervals cover the test comments, not what another "
        "training would give."
    )


def of_first(analysis: Analysis) -> str:
    """Says in a sentence that figures are of first trainings; empty if no model has another one."""
    has_more = any(len(cells) > 1 for cells in analysis.models.values())
    return ", with the first seed of each model" if has_more else ""


def _deterministic(analysis: Analysis) -> str:
    models = [model for model in _trained_once(analysis) if not _is_seeded(analysis, model)]
    return f"Deterministic, so one training is enough: {joined(models)}." if models else ""


def _trained_once(analysis: Analysis) -> list[str]:
    """Without endpoints, which are not trained, and may answer differently another time."""
    return [
        model
        for model, cells in analysis.models.items()
        if len(cells) == 1 and not cells[0].is_endpoint
    ]


def _is_seeded(analysis: Analysis, model: str) -> bool:
    setup = analysis.models[model][0].setup
    return setup is None or setup.seeded


def _widest(analysis: Analysis, repeated: dict[str, list[CellRecord]]) -> str:
    shares = {model: _shares(analysis, cells) for model, cells in repeated.items()}
    ranges = {
        model: float(np.ptp([share for share in of_seeds if share is not None]))
        for model, of_seeds in shares.items()
        if None not in of_seeds
    }
    if not ranges:
        return ""
    widest = max(ranges, key=ranges.__getitem__)
    return (
        f"Trainings that differ only in the seed differ most for {widest}, by up to "
        f"{100 * ranges[widest]:.1f} points of test {task.ranking(analysis.run).heading}."
    )


def _row(analysis: Analysis, model: str, cells: Sequence[CellRecord]) -> list[str]:
    run = analysis.run
    own = [run_view.scores(run, run_view.calibrated(cell)) for cell in cells]
    areas = [metrics.roc_auc(scores, run_view.truth(run)) for scores in own]
    seconds = [cell.training.train_s.value if cell.training else None for cell in cells]
    entries = [
        _entry(_shares(analysis, cells), percent),
        _entry(areas, metrics.ROC_AUC.number),
        _entry(seconds, significant) + _mark(cells),
    ]
    return [model, str(len(cells)), *entries]


def _mark(cells: Sequence[CellRecord]) -> str:
    """What holds for the training time of some of the seeds."""
    times = [cell.training.train_s for cell in cells if cell.training]
    cached = " (cached)" * any(one.origin == "cached" for one in times)
    return cached + " (disturbed)" * any(one.disturbed for one in times)


def _shares(analysis: Analysis, cells: Sequence[CellRecord]) -> list[float | None]:
    """Of each training, the figure that the frontier ranks; None where it is not defined."""
    run, ranking = analysis.run, task.ranking(analysis.run)
    labels = run_view.truth(run)
    if not len(labels):
        return [None] * len(cells)
    return [ranking.value(run_view.scores(run, cell), labels) for cell in cells]


def _entry(values: Sequence[float | None], number: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "n/a"
    return f"{number(float(np.mean(known)))} ± {number(float(np.std(known, ddof=1)))}"

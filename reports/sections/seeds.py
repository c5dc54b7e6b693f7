"""The section on seeds: how much a second training of the same model differs."""

from collections.abc import Sequence

import numpy as np

from worthit.bench.cell import cell_name
from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import metrics, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Mean and standard deviation over seeds; nothing if each model was trained once."""
    run = analysis.run
    trainings: dict[str, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.quality is not None:
            trainings.setdefault(cell_name(cell.model, cell.device, 0), []).append(cell)
    several = {model: cells for model, cells in trainings.items() if len(cells) > 1}
    if not several:
        return []
    body = [[model, str(len(cells)), *_row(run, cells)] for model, cells in several.items()]
    accuracies = {model: _accuracies(run, cells) for model, cells in several.items()}
    widest = max(
        accuracies, key=lambda model: np.ptp(accuracies[model]) if accuracies[model] else 0
    )
    points = 100 * float(np.ptp(accuracies[widest])) if accuracies[widest] else 0.0
    headings = ["model", "seeds", "test accuracy", "ROC AUC", "training, s"]
    return [
        "## Seeds",
        f"Trainings that differ only in the seed differ most for {widest}, by up to {points:.1f} points "
        "of test accuracy. Mean ± standard deviation:",
        *table("Mean ± standard deviation", headings, body),
    ]


def _row(run: Run, cells: Sequence[CellRecord]) -> list[str]:
    labels = run.data.test.labels
    scores = [run_view.test_scores(run, cell.quality) for cell in cells if cell.quality is not None]
    areas = [metrics.roc_auc(one, labels) for one in scores]
    seconds = [cell.training.train_s.value if cell.training else None for cell in cells]
    figures = (
        _accuracies(run, cells),
        [area for area in areas if area is not None],
        [value for value in seconds if value is not None],
    )
    return [
        f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
        if len(values) == len(cells)
        else "n/a"
        for values in figures
    ]


def _accuracies(run: Run, cells: Sequence[CellRecord]) -> list[float]:
    shares = [run_view.accuracy(run, cell) for cell in cells]
    return [share.value for share in shares if share is not None]

"""The section on seeds: how much a second training of the same model differs."""

from collections.abc import Sequence

import numpy as np

from worthit.bench.cell import cell_name
from worthit.reports.analysis import metrics, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Mean and standard deviation over seeds; nothing if each model was trained once."""
    run, body, ranges = analysis.run, [], {}
    for cells in analysis.models.values():
        if len(cells) > 1:
            model = cell_name(cells[0].model, cells[0].device, 0)
            accuracies = [
                share.value for cell in cells if (share := run_view.accuracy(run, cell)) is not None
            ]
            areas = [
                metrics.roc_auc(run_view.scores(run, cell), run.data.test.labels) for cell in cells
            ]
            seconds = [cell.training.train_s.value if cell.training else None for cell in cells]
            entries = [_entry(accuracies), _entry(areas), _entry(seconds)]
            body.append([model, str(len(cells)), *entries])
            ranges[model] = float(np.ptp(accuracies)) if accuracies else 0.0
    if not body:
        return []
    widest = max(ranges, key=ranges.__getitem__)
    headings = ["model", "seeds", "test accuracy", "ROC AUC", "training, s"]
    return [
        "## Seeds",
        f"Trainings that differ only in the seed differ most for {widest}, by up to "
        f"{100 * ranges[widest]:.1f} points of test accuracy. Mean ± standard deviation:",
        *table("Mean ± standard deviation", headings, body),
    ]


def _entry(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "n/a"
    return f"{np.mean(known):.3f} ± {np.std(known, ddof=1):.3f}"

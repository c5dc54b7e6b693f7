"""All pictures of a report."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from worthit.bench.cell import file_name
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import first_seeds, truth
from worthit.reports.pictures import cascade, confusion, curves, frontier, learning, style, titles
from worthit.reports.text import class_names


def draw(analysis: Analysis, folder: Path) -> dict[str, str]:
    """Draw all pictures of a run into a folder.

    Returns:
        Title → file name; the frontier first.
    """
    files = {}
    with plt.rc_context(style.SETTINGS):
        for title, file, figure in _pictures(analysis):
            # Without dates and versions the same run gives the same bytes.
            # The layout cuts off labels of square axes without a tight box.
            figure.savefig(folder / file, bbox_inches="tight", metadata={"Software": None})
            plt.close(figure)
            files[title] = file
    return files


def _pictures(analysis: Analysis) -> Iterator[tuple[str, str, Figure]]:
    figure = frontier.draw(analysis)
    if figure is not None:
        yield titles.FRONTIER, "frontier.png", figure
    if analysis.cascades:
        yield titles.CASCADES, "cascades.png", cascade.draw(analysis)
    if analysis.curves:
        yield titles.LEARNING, "learning.png", learning.draw(analysis)
    yield from _curves(analysis)
    run = analysis.run
    if not class_names.of_labels(run) and len(run.data.classes) <= titles.MOST_CLASSES_DRAWN:
        for cell in first_seeds(run):
            if cell.quality is not None:
                title = f"{titles.CONFUSION} {cell.name}"
                yield title, f"confusion-{file_name(cell.name)}.png", confusion.draw(run, cell)


def _curves(analysis: Analysis) -> Iterator[tuple[str, str, Figure]]:
    data = analysis.run.data
    if not analysis.models:
        return
    yield titles.RELIABILITY, "reliability.png", curves.draw_reliability(analysis)
    if np.ptp(truth(analysis.run), axis=0).any():
        yield titles.ROC, "roc.png", curves.draw_roc(analysis)
    if class_names.of_two(analysis.run) and len(set(data.natural.labels)) == 2:
        yield (
            titles.PRECISION_RECALL,
            "precision-recall.png",
            curves.draw_precision_recall(analysis),
        )

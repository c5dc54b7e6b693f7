"""The pictures of a report. Pure, but for the files they are asked to write."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from worthit.bench.record import CellRecord, Run
from worthit.reports import frontier_picture, mcnemar, quality
from worthit.reports.columns import name
from worthit.reports.markdown import FRONTIER

_CLASSES = ("not toxic", "toxic")
# Read on GitHub's white and dark pages alike: the pictures bring a ground of their own.
_STYLE: Any = {
    "figure.facecolor": "white",
    "savefig.dpi": 110,
    "font.size": 10,
    "font.family": "DejaVu Sans",
}


def draw(run: Run, folder: Path) -> dict[str, str]:
    """Draw all pictures of a run into a folder.

    Returns:
        title → file name; the frontier first.
    """
    drawn = {}
    with plt.rc_context(_STYLE):
        frontier = frontier_picture.draw(run, mcnemar.differ(run))
        if frontier is not None:
            drawn[FRONTIER] = _saved(frontier, folder, "frontier.png")
        for cell in run.cells:
            if cell.quality is not None:
                drawn[f"confusion matrix of {cell.name}"] = _saved(
                    _confusion(cell, run), folder, f"confusion-{cell.name}.png"
                )
    return drawn


def _saved(figure: Figure, folder: Path, file_name: str) -> str:
    # Without dates and versions in it the same run gives the same bytes.
    figure.savefig(folder / file_name, metadata={"Software": None})
    plt.close(figure)
    return file_name


def _confusion(cell: CellRecord, run: Run) -> Figure:
    assert cell.quality is not None
    counts = quality.confusion(cell.quality.test, run.data.test.labels)
    figure, axes = plt.subplots(figsize=(2.9, 2.6), layout="constrained")
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.sum()) / 2, 1))
    for true in (0, 1):
        for called in (0, 1):
            dark = counts[true, called] > counts.sum() / 4
            axes.text(called, true, f"{counts[true, called]:,}", ha="center", va="center",
                      color="white" if dark else "black")  # fmt: skip
    axes.set_xticks((0, 1), _CLASSES)
    axes.set_yticks((0, 1), _CLASSES, rotation=90, va="center")
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    axes.set_title(name(run, cell), fontsize=10)
    return figure

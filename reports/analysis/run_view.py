"""Views of a saved run that every analysis needs: names, scores, cells by model."""

import dataclasses

from worthit.bench.saved.record import CellRecord, Quality, Run
from worthit.reports.analysis import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes


def missing(cell: CellRecord, name: str) -> str:
    """Why a part of the record is not there."""
    if cell.skipped:
        return f"{cell.name} was skipped: {cell.skipped}"
    reasons = [reason for reason in cell.failures if reason.startswith((f"{name}:", "training:"))]
    if reasons:
        return f"{cell.name}: {reasons[0]}"
    return "not measured in this run"


def name(run: Run, cell: CellRecord, notes: Footnotes | None = None) -> str:
    """The cell's name, without the device where all cells share one."""
    devices = {other.device for other in run.cells}
    shared = f"{cell.model}-{cell.device}"
    return cell.name if len(devices) > 1 else cell.model + cell.name.removeprefix(shared)


def test_scores(run: Run, scored: Quality) -> class_names.Probabilities:
    """The probabilities of the test comments."""
    return class_names.probabilities(run.data, scored.test)


def test_accuracy(run: Run, cell: CellRecord) -> metrics.Share | None:
    """Of a cell on the test set; None where it has no scores."""
    if cell.quality is None:
        return None
    return metrics.accuracy(test_scores(run, cell.quality), run.data.test.labels)


def by_model(run: Run) -> dict[str, list[CellRecord]]:
    """The cells that have quality, those that differ by nothing but the seed under one name."""
    models: dict[str, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.quality is not None:
            models.setdefault(name(run, dataclasses.replace(cell, seed=0)), []).append(cell)
    return models

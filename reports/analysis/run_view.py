"""Views of a saved run that every analysis needs: names, probabilities, cells by model."""

import dataclasses
import operator
from typing import Literal

from worthit.bench.saved.record import ON_SERVER, CellRecord, Figure, Quality, Run, unavailable
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities, Truth


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecidedQuality(Quality):
    """Scores with offsets: they give the chosen answers, but not the model's ranking of comments."""

    calibrated: Quality  # the same scores without offsets


def calibrated(cell: CellRecord) -> CellRecord:
    """A cell with its scores without offsets: those of ROC AUC, average precision and calibration."""
    if not isinstance(cell.quality, DecidedQuality):
        return cell
    return dataclasses.replace(cell, quality=cell.quality.calibrated)


def name(run: Run, cell: CellRecord) -> str:
    """The cell's name; without the device if all cells share one."""
    devices = {other.device for other in run.cells}
    shared = f"{cell.model}-{cell.device}"
    return cell.name if len(devices) > 1 else cell.model + cell.name.removeprefix(shared)


def missing(cell: CellRecord, part: str) -> str:
    """Why a part of the record is missing."""
    if cell.skipped:
        return f"{cell.name} was skipped: {cell.skipped}"
    reasons = [reason for reason in cell.failures if reason.startswith((f"{part}:", "training:"))]
    if reasons:
        return f"{cell.name}: {reasons[0]}"
    if cell.is_endpoint and part in ("memory", "energy"):
        return ON_SERVER
    return "not measured in this run"


def figure(cell: CellRecord, path: str) -> Figure:
    """A figure of the record by its path, such as `latency.p50_ms`."""
    part_name, _, inside = path.partition(".")
    part = getattr(cell, part_name)
    if part is None:
        return unavailable("", missing(cell, part_name))
    found: Figure = operator.attrgetter(inside)(part)
    return found


def scores(
    run: Run, cell: CellRecord, part: Literal["train", "test", "validation", "natural"] = "test"
) -> Probabilities:
    """The probabilities of the comments of one part of the split, as `metrics` takes them.

    The cell must have scores.
    """
    assert cell.quality is not None
    return class_names.probabilities(run.data, getattr(cell.quality, part))


def truth(run: Run, part: Literal["train", "test", "validation", "natural"] = "test") -> Truth:
    """The labels of the comments of one part of the split, as `metrics` takes them."""
    return class_names.truth(run.data, getattr(run.data, part))


def accuracy(
    run: Run, cell: CellRecord, part: Literal["train", "test", "natural"] = "test"
) -> metrics.Share | None:
    """A cell's accuracy on one part of the split; None without scores or comments.

    Of several labels, it is subset accuracy: the share of comments on which all of them are correct.
    """
    if cell.quality is None:
        return None
    return metrics.accuracy(scores(run, cell, part), truth(run, part))


def scored(figure: Figure, cell: CellRecord) -> Figure:
    """A figure of a cell's scores: cached if a server gave some of them before this run."""
    requests = cell.quality.requests if cell.quality is not None else None
    if figure.value is None or requests is None or not requests.cached:
        return figure
    return dataclasses.replace(figure, origin="cached", was=figure.origin)


def first_seeds(run: Run) -> list[CellRecord]:
    """The first cell of each model on each device, which has its times, memory and energy."""
    first: dict[tuple[str, str], CellRecord] = {}
    for cell in run.cells:
        first.setdefault((cell.model, cell.device), cell)
    return list(first.values())


def trainings(run: Run, cell: CellRecord) -> list[CellRecord]:
    """The cells with scores that differ from a cell at most by the seed."""
    return [
        other
        for other in run.cells
        if (other.model, other.device) == (cell.model, cell.device) and other.quality is not None
    ]


def by_model(run: Run) -> dict[str, list[CellRecord]]:
    """The cells with scores; cells that differ only by the seed share a name."""
    models: dict[str, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.quality is not None:
            models.setdefault(name(run, dataclasses.replace(cell, seed=0)), []).append(cell)
    return models

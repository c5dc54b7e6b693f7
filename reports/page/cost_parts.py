"""What a cell occupies: the quantities that prices are multiplied with, which the page does itself."""

import math
from typing import Any

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figures import tokens
from worthit.reports.page.plain import plain


def of(run: Run, cell: CellRecord) -> dict[str, Any]:
    """The parts of `analysis.prices.scoring` and `training`, which are their only inputs of a run."""
    parts = {
        "machine_ms": bounds.machine_ms(run, cell),
        "core_ms": bounds.core_ms(run, cell),
        "device_ms": bounds.device_ms(run, cell),
        "energy_j": bounds.energy_j(run, cell),
        "training_s": bounds.training_s(run, cell),
        "training_core_s": bounds.training_core_s(run, cell),
        "training_device_s": bounds.training_device_s(run, cell),
        "training_j": bounds.training_j(run, cell),
        "prompt_tokens": bounds.within(tokens("prompt")(run, cell)),
        "completion_tokens": bounds.within(tokens("completion")(run, cell)),
        "accuracy": bounds.test_accuracy(run, cell),
    }
    return {
        "is_endpoint": cell.is_endpoint,
        "device": cell.device,
        **{key: _bounded(part) for key, part in parts.items()},
    }


def _bounded(found: Bounded) -> dict[str, Any]:
    """All that arithmetic with bounds reads; no upper bound is a null."""
    if found.value is None:
        return {"value": None, "reason": plain(found.figure.reason)}
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high if math.isfinite(found.high) else None,
        "nothing": found.nothing,
        "estimated": found.estimated,
        "cached": found.figure.origin == "cached",
        "disturbed": found.figure.disturbed,
        "reason": plain(found.figure.reason),
    }

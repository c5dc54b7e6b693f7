"""Runs for the frontier: given errors, and costs that are all multiples of one."""

import dataclasses
from typing import Any

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured

LABELS = (1, 0) * 100


def cell(
    model: str, wrong: range = range(0), cost: float = 1.0, **changed: Any
) -> record.CellRecord:
    """A cell with these errors; all costs are multiples of one, energy is measured."""
    scores = factories.scores(LABELS, wrong)
    memory = factories.memory(100 * cost, 1)
    ms = measured(cost, "ms", "clock")
    base = record.CellRecord(
        model, "cpu", 0,
        training=factories.training(cost, memory=memory),
        latency=factories.latency(
            (cost,), ms, ms, ms, p50_low_ms=cost * 0.9, p50_high_ms=cost * 1.1
        ),
        throughput=factories.throughput(1000 / cost),
        memory=memory,
        energy=factories.energy(
            measured(cost, "J", "RAPL"), Figure(9, "J", "estimated", "constant")
        ),
        quality=factories.quality(scores, natural=()),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    data = factories.data(factories.part(LABELS), natural=factories.part())
    return factories.run(data, *cells, **changed)


def estimated(model: str, wrong: range, cost: float) -> record.CellRecord:
    guess = Figure(cost, "J", "estimated", "load")
    energy = dataclasses.replace(cell("x").energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    return cell(model, wrong, cost, energy=energy)


CHEAP_AND_BAD = cell("lsa", range(60), 1.0)
EXPENSIVE_AND_GOOD = cell("bert", range(5), 10.0)

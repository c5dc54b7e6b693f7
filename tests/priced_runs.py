"""Runs with known costs, and the tables of their reports."""

import dataclasses
from typing import Any

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, Figure, measured, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import budgets, prices

LABELS = (1, 0) * 50


def cell(model: str = "lsa", wrong: int = 10, **changed: Any) -> record.CellRecord:
    """Scores 1,000 comments/s at 3.6 J each; trained in 36 s with 3,600 J; 10 ms, 200 MB, 5 MB."""
    memory = factories.memory(200, 1)
    scores = factories.scores(LABELS, range(wrong))
    base = record.CellRecord(
        model, "cpu", 0,
        training=factories.training(
            36, memory=memory, disk_mb=measured(5, "MB", "sizes"),
            cpu_j=measured(3600, "J", "RAPL"), gpu_j=unavailable("J", "no GPU"),
        ),
        latency=factories.latency(
            tuple(10 + i * 149 % 400 / 100 for i in range(400)), measured(12, "ms", "clock"),
            unavailable("ms", "p90 needs 29 samples"), measured(13.96, "ms", "clock"),
            p50_low_ms=11.8, p50_high_ms=12.2,
        ),
        throughput=factories.throughput(1000),
        memory=memory,
        energy=factories.energy(measured(3.6, "J", "RAPL"), Figure(9, "J", "estimated", "constant")),
        quality=factories.quality(scores, natural=()),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **given: str) -> record.Run:
    data = factories.data(factories.part(LABELS), natural=factories.part())
    return factories.run(data, *(cells or (cell(),)), options=factories.options(**given))


def untuned(**changed: Any) -> record.CellRecord:
    training = dataclasses.replace(
        cell().training,
        train_s=unavailable("s", NOT_TUNED),
        cpu_j=unavailable("J", NOT_TUNED),  # type: ignore[type-var]
    )
    return cell("llama-zero-shot", training=training, **changed)


def rated(model: str, comments_per_s: float, train_s: float, wrong: int = 10) -> record.CellRecord:
    training = dataclasses.replace(cell().training, train_s=measured(train_s, "s", "clock"))  # type: ignore[type-var]
    return cell(model, wrong, training=training, throughput=factories.throughput(comments_per_s))


def sections(made: record.Run) -> str:
    """The sections on the budget and on prices."""
    analysis = Analysis.of(made)
    return "\n\n".join([*budgets.section(analysis), *prices.section(analysis)])

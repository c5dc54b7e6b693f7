"""Runs of which every cost is known, and what reports say of budgets and prices."""

import dataclasses
from typing import Any

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, Figure, measured, unavailable
from worthit.reports.sections import report

LABELS = (1, 0) * 50


def cell(model: str = "lsa", wrong: int = 10, **changed: Any) -> record.CellRecord:
    """Scores 1,000 comments/s at 3.6 J each; trained in 36 s with 3,600 J; 10 ms, 200 MB, 5 MB."""
    memory = factories.memory(200, 1)
    scores = tuple(abs((i < wrong) - label) * 0.8 + 0.1 for i, label in enumerate(LABELS))
    base = record.CellRecord(
        model, "cpu", 0,
        training=factories.training(
            36, memory=memory, disk_mb=measured(5, "MB", "sizes"),
            cpu_j=measured(3600, "J", "RAPL"), gpu_j=unavailable("J", "no GPU"),
        ),
        latency=factories.latency(
            tuple(10 + i / 100 for i in range(400)), measured(12, "ms", "clock"),
            unavailable("ms", "p90 needs 29 samples"), measured(13.96, "ms", "clock"),
            p50_low_ms=11.8, p50_high_ms=12.2,
        ),
        throughput=factories.throughput(1000),
        memory=memory,
        energy=factories.energy(measured(3.6, "J", "RAPL"), Figure(9, "J", "estimated", "constant")),
        quality=record.Quality(scores, scores, (), 1.0, 0.0),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **given: str) -> record.Run:
    """Options by name: `machine_price="1"`."""
    options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    data = factories.data(factories.part(LABELS), natural=factories.part(), prevalence=0.5)
    return factories.run(data, *(cells or (cell(),)), options=options)


def untuned(**changed: Any) -> record.CellRecord:
    training = dataclasses.replace(
        cell().training,
        train_s=unavailable("s", NOT_TUNED),
        cpu_j=unavailable("J", NOT_TUNED),  # type: ignore[type-var]
    )
    return cell("llama-zero-shot", training=training, **changed)


def rated(model: str, comments_per_s: float, train_s: float, wrong: int = 10) -> record.CellRecord:
    training = dataclasses.replace(cell().training, train_s=measured(train_s, "s", "clock"))  # type: ignore[type-var]
    rate = record.BatchRate(8, measured(comments_per_s, "comments/s", "clock"))
    return cell(model, wrong, training=training, throughput=record.Throughput((rate,), "no gain"))


def section(found: record.Run) -> str:
    text = report.render(found, {}).split("## Budgets and prices\n\n")[1]
    return text.split("\n\n## ")[0]


def entries(text: str, heading: str) -> list[list[str]]:
    """The body of the first table whose header holds the heading."""
    table = next(part for part in text.split("\n\n") if part.startswith("|") and heading in part)
    return [[entry.strip() for entry in row.split("|")[1:-1]] for row in table.splitlines()[2:]]

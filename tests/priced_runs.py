"""Runs with known costs, and the tables of their reports."""

import dataclasses
from typing import Any

from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, Figure, measured, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import budgets, prices

LABELS = (1, 0) * 50


def cell(model: str = "lsa", wrong: int = 10, **changed: Any) -> record.CellRecord:
    """Scores 1,000 comments/s at 3.6 J each; trained in 36 s with 3,600 J; 10 ms, 200 MB, 5 MB."""
    memory = record.Memory(
        measured(200, "MB", "VmHWM"), measured(1, "MB", "rss"), unavailable("MB", "on the CPU")
    )
    scores = tuple(abs((i < wrong) - label) * 0.8 + 0.1 for i, label in enumerate(LABELS))
    base = record.CellRecord(
        model, "cpu", 0,
        training=record.Training(
            measured(36, "s", "clock"), memory, "2026-01-02T03:04:05+00:00", {}, "a",
            measured(5, "MB", "sizes"), 1, 1, 20, 0.0,
            cpu_j=measured(3600, "J", "RAPL"), gpu_j=unavailable("J", "no GPU"),
        ),
        latency=record.Latency(
            tuple(10 + i / 100 for i in range(400)), (5,) * 400, measured(12, "ms", "clock"),
            unavailable("ms", "p90 needs 29 samples"), measured(13.96, "ms", "clock"),
            measured(1, "s", "c"), measured(9, "ms", "c"), p50_low_ms=11.8, p50_high_ms=12.2,
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(1000, "comments/s", "clock")),), "no gain"
        ),
        memory=memory,
        energy=record.Energy(
            measured(3.6, "J", "RAPL"), Figure(9, "J", "estimated", "constant"),
            unavailable("J", "no GPU"), 5.0, 100,
        ),
        quality=record.Quality(scores, scores, (), 1.0, 0.0),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **given: str) -> record.Run:
    """Options by name: `machine_price="1"`."""
    blank = (None,) * len(LABELS)
    part = record.Part(
        tuple(map(str, range(len(LABELS)))), LABELS, blank, blank, (9,) * len(LABELS)
    )
    return record.Run(
        "a-run", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {f"--{name.replace('_', '-')}": value for name, value in given.items()},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {}},
        record.Data(
            "synthetic", "made", "nobody", "fp", "key", 42, 0.5,
            tuple(record.StepRecord(name, 100, 50) for name in ("balanced", "train", "test")), part, part,
            record.Part((), (), (), ()),
        ),
        cells or (cell(),), True,
    )  # fmt: skip


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


def sections(found: record.Run) -> str:
    """The sections on the budget and on prices."""
    analysis = Analysis.of(found)
    return "\n\n".join([*budgets.section(analysis), *prices.section(analysis)])

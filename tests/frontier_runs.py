"""Runs for the frontier: given errors, and costs that are all multiples of one."""

import dataclasses
from typing import Any

from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable

LABELS = (1, 0) * 100


def scores(wrong: range) -> tuple[float, ...]:
    """Correct on all of the 200 comments except these."""
    return tuple(abs((i in wrong) - label) * 0.8 + 0.1 for i, label in enumerate(LABELS))


def cell(
    model: str, wrong: range = range(0), cost: float = 1.0, **changed: Any
) -> record.CellRecord:
    """All costs are multiples of one; energy is measured."""
    nowhere = unavailable("MB", "on the CPU")
    memory = record.Memory(measured(100 * cost, "MB", "VmHWM"), measured(1, "MB", "rss"), nowhere)
    ms = measured(cost, "ms", "clock")
    base = record.CellRecord(
        model, "cpu", 0,
        training=record.Training(
            measured(cost, "s", "clock"), memory, "2026-01-02T03:04:05+00:00", {}, "a",
            measured(1, "MB", "sizes"), 1, 1, 20, 0.0,
        ),
        latency=record.Latency(
            (cost,), (5,), ms, ms, ms, measured(1, "s", "c"), ms,
            p50_low_ms=cost * 0.9, p50_high_ms=cost * 1.1,
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(1000 / cost, "comments/s", "clock")),), "no gain"
        ),
        memory=memory,
        energy=record.Energy(
            measured(cost, "J", "RAPL"), Figure(9, "J", "estimated", "constant"),
            unavailable("J", "no GPU"), 5.0, 100,
        ),
        quality=record.Quality(scores(wrong), scores(wrong), (), 1.0, 0.0),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    blank = (None,) * len(LABELS)
    part = record.Part(
        tuple(map(str, range(len(LABELS)))), LABELS, blank, blank, (9,) * len(LABELS)
    )
    base = record.Run(
        "a-run", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick", {},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {}},
        record.Data(
            "synthetic", "made", "nobody", "fp", "key", 42, 0.5,
            tuple(record.StepRecord(name, 200, 100) for name in ("balanced", "train", "test")), part, part,
            record.Part((), (), (), ()),
        ),
        cells, True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def estimated(model: str, wrong: range, cost: float) -> record.CellRecord:
    guess = Figure(cost, "J", "estimated", "load")
    energy = dataclasses.replace(cell("x").energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    return cell(model, wrong, cost, energy=energy)


CHEAP_AND_BAD = cell("lsa", range(60), 1.0)
EXPENSIVE_AND_GOOD = cell("bert", range(5), 10.0)

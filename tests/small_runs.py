"""A run of one cell whose every figure is known."""

import dataclasses
from typing import Any

from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable

LABELS = (1, 0) * 10
GOOD = (0.9, 0.2) * 9 + (0.4, 0.6)


def part(labels: tuple[int, ...] = LABELS) -> record.Part:
    blank = (None,) * len(labels)
    return record.Part(
        tuple(f"{i:08x}" for i in range(len(labels))), labels, blank, blank, (9,) * len(labels)
    )


def cell(**changed: Any) -> record.CellRecord:
    speed = measured(12_345.6, "comments/s", "perf_counter")
    base = record.CellRecord(
        "lsa", "cpu", 0,
        setup=record.Setup({"components": 100}, None, None, "a CPU", None, 2, "3.11", {"numpy": "2"}),
        training=record.Training(
            Figure(1.5, "s", "cached", "perf_counter"),
            record.Memory(measured(700, "MB", "VmHWM"), measured(300, "MB", "rss"), unavailable("MB", "on the CPU")),
            "2026-01-02T03:04:05+00:00", {"components": 100}, "lsa-abc",
            measured(1, "MB", "sizes"), 1000, 1000, 20, 0.0,
        ),
        latency=record.Latency(
            (1.0, 2.0), (5, 6), measured(1.5, "ms", "c"), unavailable("ms", "p90 needs 29 samples"),
            unavailable("ms", "p99 needs 299 comments, there are 2"), measured(1, "s", "c"), measured(9, "ms", "c"),
            comments=2,
        ),
        throughput=record.Throughput((record.BatchRate(8, speed),), ended_by="no gain"),
        energy=record.Energy(
            Figure(0.00025, "J", "estimated", "codecarbon: rated power x load"),
            Figure(0.1, "J", "estimated", "codecarbon"), unavailable("J", "no GPU"),
            5.0, 100,
            cpu_net_j_per_comment=Figure(0.0002, "J", "estimated", "codecarbon: rated power x load"),
            ram_net_j_per_comment=unavailable("J", "a constant"),
            gpu_net_j_per_comment=unavailable("J", "no GPU"),
            idle_before_w=Figure(3, "W", "estimated", "codecarbon"),
            idle_after_w=Figure(4, "W", "estimated", "codecarbon"),
            idle_disagreement="CPU idled at 3 W before and 4 W after",
        ),
        quality=record.Quality(GOOD, GOOD, GOOD, 1.0, 0.25),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    base = record.Run(
        "2026-01-02-quick", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {"--preset": "quick"}, {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {"torch": "2"}},
        record.Data(
            "synthetic", "made comments", "nobody", "fp", "key", 42, 0.1,
            tuple(record.StepRecord(name, 20, 10) for name in ("balanced", "train", "test", "natural")),
            part(), part(), part(),
        ),
        cells or (cell(),), True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)

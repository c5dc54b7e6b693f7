"""A run of one cell whose every figure is known."""

import dataclasses
from typing import Any

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable

LABELS = (1, 0) * 10
GOOD = (0.9, 0.2) * 9 + (0.4, 0.6)


def cell(**changed: Any) -> record.CellRecord:
    base = record.CellRecord(
        "lsa", "cpu", 0,
        setup=factories.setup(settings={"components": 100}, versions={"numpy": "2"}),
        training=factories.training(
            Figure(1.5, "s", "cached", "perf_counter"),
            settings={"components": 100}, artifact="lsa-abc", parameters=1000, trained_parameters=1000,
        ),
        latency=factories.latency(
            (1.0, 2.0), measured(1.5, "ms", "c"), unavailable("ms", "p90 needs 29 samples"),
            unavailable("ms", "p99 needs 299 comments, there are 2"), characters=(5, 6),
        ),
        throughput=factories.throughput(12_345.6),
        energy=factories.energy(
            measured(0.00025, "J", "codecarbon: RAPL"),
            unavailable("J", "no counter"),
            cpu_net_j_per_comment=measured(0.0002, "J", "codecarbon: RAPL"),
            ram_net_j_per_comment=unavailable("J", "no counter"),
            gpu_net_j_per_comment=unavailable("J", "no GPU"),
            idle_before_w=measured(3, "W", "mean power of CPU"),
            idle_after_w=measured(4, "W", "mean power of CPU"),
            idle_disagreement="CPU idled at 3 W before and 4 W after",
        ),
        quality=factories.quality(GOOD),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    base = factories.run(
        factories.data(factories.part(LABELS), title="made comments"), *(cells or (cell(),)),
        run_id="2026-01-02-quick", options={"--preset": "quick"},
        machine=factories.MACHINE | {"libraries": {"torch": "2"}},
    )  # fmt: skip
    return dataclasses.replace(base, **changed)

"""Runs to compare that differ only by what a test changes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests import factories
from worthit.bench.instruments import machine
from worthit.bench.saved import record
from worthit.bench.saved.data import Data
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.compare.compare import Comparison
from worthit.reports.compare.compare import compare as compare_runs

COMMENTS = 400
LABELS = tuple(i % 2 for i in range(COMMENTS))
MACHINE: dict[str, Any] = {key: f"some {key}" for key in machine.FINGERPRINT_KEYS} | {
    "cores_allowed": 2,
    "accelerators": [],
    "libraries": {"torch": "2", "numpy": "2"},
    "fingerprint": "0123456789abcdef",
    "commit": "abc",
}


def scores(wrong: Sequence[int] = ()) -> tuple[float, ...]:
    """Every comment is classified correctly, except these."""
    return factories.scores(LABELS, wrong)


def latency(times: float = 1.0, seed: int = 1, samples: int = 400) -> record.Latency:
    drawn = np.random.default_rng(seed).lognormal(0, 0.3, samples) * times

    def figure(percent: int) -> Figure:
        return measured(float(np.percentile(drawn, percent)), "ms", "clock", samples)

    p99 = figure(99) if samples >= 299 else unavailable("ms", "p99 needs 299 samples")
    return factories.latency(tuple(drawn.tolist()), figure(50), figure(90), p99)


def energy(cpu_j: float = 0.002, origin: Any = "measured") -> record.Energy:
    return factories.energy(Figure(cpu_j, "J", origin, "meter"))


def memory(peak_mb: float = 500.0) -> record.Memory:
    return factories.memory(peak_mb, 200)


def training(seconds: float = 10.0, **changed: Any) -> record.Training:
    base = factories.training(
        seconds, memory=memory(), settings={"batch_size": 8}, artifact="bert-abc", parameters=1000,
        trained_parameters=1000, comments=1000,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def setup(**changed: Any) -> record.Setup:
    base = factories.setup(
        checkpoint="a hub id", checkpoint_identity="weights", dtype="float32", kind="encoder"
    )
    return dataclasses.replace(base, **changed)


def cell(model: str = "bert", **changed: Any) -> record.CellRecord:
    base = record.CellRecord(
        model, "cpu", 0, setup(), training(), latency(), factories.throughput(100), memory(), energy(),
        factories.quality(scores()),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    steps = (
        *factories.steps(("balanced", "train"), 1000),
        *factories.steps(("test",), COMMENTS),
    )
    base = factories.run(
        factories.data(factories.part(LABELS), steps=steps), *(cells or (cell(),)),
        run_id="2026-01-02-quick", machine=MACHINE, noise=measured(3.0, "%", "p95 over p5"),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def on(**changed: Any) -> dict[str, Any]:
    return MACHINE | {"fingerprint": "another"} | changed


def data(**changed: Any) -> Data:
    return dataclasses.replace(run().data, **changed)


def compare(*runs: record.Run, **options: Any) -> Comparison:
    return compare_runs([(f"run{i}", one) for i, one in enumerate(runs)], **options)


def rows(comparison: Comparison, heading: str) -> list[list[str]]:
    section = comparison.text.split(f"## {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[entry.strip() for entry in line.strip("|").split("|")] for line in lines[2:]]


def warnings(comparison: Comparison) -> list[str]:
    before_tables = comparison.text.split("## Runs")[0]
    _, _, listed = before_tables.partition("Other possible causes of a difference:\n\n")
    return [line[2:] for line in listed.splitlines() if line]

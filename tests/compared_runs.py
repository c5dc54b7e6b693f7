"""Runs to compare that differ only by what a test changes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from worthit.bench.instruments import machine
from worthit.bench.saved import record
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
    right = np.where(np.asarray(LABELS) == 1, 0.9, 0.1)
    right[list(wrong)] = 1 - right[list(wrong)]
    return tuple(float(score) for score in right)


def latency(times: float = 1.0, seed: int = 1, samples: int = 400) -> record.Latency:
    drawn = np.random.default_rng(seed).lognormal(0, 0.3, samples) * times

    def figure(percent: int) -> Figure:
        return measured(float(np.percentile(drawn, percent)), "ms", "clock", samples)

    p99 = figure(99) if samples >= 299 else unavailable("ms", "p99 needs 299 samples")
    return record.Latency(
        tuple(drawn.tolist()), (9,) * samples, figure(50), figure(90), p99,
        measured(1, "s", "clock"), measured(2, "ms", "clock"),
    )  # fmt: skip


def energy(cpu_j: float = 0.002, origin: Any = "estimated") -> record.Energy:
    none = unavailable("J", "no GPU")
    return record.Energy(Figure(cpu_j, "J", origin, "meter"), none, none, 5.0, 100)


def memory(peak_mb: float = 500.0) -> record.Memory:
    return record.Memory(
        measured(peak_mb, "MB", "VmHWM"), measured(200, "MB", "rss"), unavailable("MB", "on the CPU")
    )  # fmt: skip


def training(seconds: float = 10.0, **changed: Any) -> record.Training:
    base = record.Training(
        measured(seconds, "s", "clock"), memory(), "2026-01-02T03:04:05+00:00", {"batch_size": 8},
        "bert-abc", measured(1, "MB", "sizes"), 1000, 1000, 1000, 0.0,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def throughput(rate: float = 100.0) -> record.Throughput:
    return record.Throughput((record.BatchRate(8, measured(rate, "comments/s", "c")),), "no gain")


def setup(**changed: Any) -> record.Setup:
    base = record.Setup({}, "a hub id", "weights", "a CPU", "float32", 2, "3.11", {})
    return dataclasses.replace(base, **changed)


def cell(model: str = "bert", **changed: Any) -> record.CellRecord:
    base = record.CellRecord(
        model, "cpu", 0, setup(), training(), latency(), throughput(), memory(), energy(),
        record.Quality(scores(), scores(), scores(), 1.0, 0.25),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    ids = tuple(f"{i:08x}" for i in range(COMMENTS))
    part = record.Part(ids, LABELS, (None,) * COMMENTS, (None,) * COMMENTS)
    steps = (
        *(record.StepRecord(name, 1000, 500) for name in ("balanced", "train")),
        record.StepRecord("test", COMMENTS, COMMENTS // 2),
    )
    base = record.Run(
        "2026-01-02-quick", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {}, MACHINE,
        record.Data("synthetic", "made", "nobody", "fp", "key", 42, 0.1, steps, part, part, part),
        cells or (cell(),), True, measured(3.0, "%", "p95 over p5"),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def on(**changed: Any) -> dict[str, Any]:
    return MACHINE | {"fingerprint": "another"} | changed


def data(**changed: Any) -> record.Data:
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

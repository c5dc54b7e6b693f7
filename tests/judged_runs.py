"""Runs of given accuracies, for each outcome of a verdict."""

import dataclasses
from typing import Any

import numpy as np

from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules
from worthit.reports.verdict.rules import Verdict

COMMENTS = 3_000
VALIDATION = 1_000
RATES = {"tfidf": 3_000.0, "bert": 400.0, "llama": 40.0, "llama-zero-shot": 40.0}


def labels(comments: int) -> tuple[int, ...]:
    return (1, 0) * (comments // 2)


def scores(
    comments: int, right: float, sure: float | None = None, shift: int = 0
) -> tuple[float, ...]:
    """Probabilities that classify the first `right` share of the comments correctly.

    Args:
        sure: share of the comments, from the first on, with probabilities far from 0.5.
        shift: number of comments by which both shares are moved.
    """
    correct = np.roll(np.arange(comments) < round(right * comments), shift)
    is_sure = np.roll(np.arange(comments) < round((sure or 1.0) * comments), shift)
    likely = np.where(is_sure, 0.95, 0.6)
    truth = np.asarray(labels(comments)) == 1
    return tuple(np.where(correct == truth, likely, 1 - likely).tolist())


def cell(model: str, right: float, **given: Any) -> record.CellRecord:
    """A cell that classifies this share of the test and validation comments correctly."""
    comments = given.pop("comments", COMMENTS)
    sure, shift = given.pop("sure", None), given.pop("shift", 0)
    trained = model != "llama-zero-shot"
    clock = measured(10.0, "s", "clock") if trained else unavailable("s", record.NOT_TUNED)
    p99_ms = given.pop("p99_ms", 20.0)
    milliseconds = tuple(np.linspace(p99_ms / 2, p99_ms, 400).tolist())
    test = scores(comments, right, sure, shift)
    base = record.CellRecord(
        model, "cpu", given.pop("seed", 0),
        setup=record.Setup({"checkpoint": "small"}, "a package", "id", "a CPU", None, 2, "3.11", {}),
        training=record.Training(
            clock, record.Memory(measured(700, "MB", "m"), measured(300, "MB", "m"), unavailable("MB", "CPU")),
            "2026-01-02T03:04:05+00:00", {}, "a", measured(1, "MB", "sizes"), 135_000_000, 1, 1_000, 0.0,
        ),
        latency=record.Latency(
            milliseconds, (9,) * 400, measured(0.75 * p99_ms, "ms", "c", 400),
            measured(0.95 * p99_ms, "ms", "c", 400), measured(p99_ms, "ms", "c", 400),
            measured(1, "s", "c"), measured(9, "ms", "c"),
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(RATES[model], "comments/s", "c")),), "no gain"
        ),
        memory=record.Memory(measured(900, "MB", "m"), measured(300, "MB", "m"), unavailable("MB", "CPU")),
        quality=record.Quality(test, test, test, 1.0, 0.0, scores(VALIDATION, right, sure, shift)),
    )  # fmt: skip
    return dataclasses.replace(base, **given)


def run(*cells: record.CellRecord, **options: str) -> record.Run:
    first = cells[0].quality
    assert first is not None
    comments = len(first.test)

    def part(size: int) -> record.Part:
        return record.Part(("a",) * size, labels(size), (None,) * size, (None,) * size, (9,) * size)

    steps = {"balanced": 30_000, "train": 1_000, "test, balanced": comments, "natural": comments}
    return record.Run(
        "a-run", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {f"--{name.replace('_', '-')}": value for name, value in options.items()},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": []},
        record.Data(
            "synthetic", "made comments", "nobody", "fp", "key", 42, 0.1,
            tuple(record.StepRecord(name, size, size // 2) for name, size in steps.items()),
            part(comments), part(comments), part(comments), part(VALIDATION),
        ),
        cells, True, Figure(2.0, "%", "measured", "loop"),
    )  # fmt: skip


def decide(*cells: record.CellRecord, **options: str) -> Verdict:
    """The verdict on a run of these cells."""
    return rules.decide(Analysis.of(run(*cells, **options)))

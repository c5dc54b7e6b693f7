"""Runs that have nothing but scores, and random scores for them."""

import dataclasses
from typing import Any

import numpy as np

from worthit.bench.saved import record

Floats = tuple[float, ...]


def draw(
    comments: int, noise: float, *, share: float = 0.5, seed: int = 1
) -> tuple[Floats, tuple[int, ...]]:
    """Probabilities with ties, with 0 and 1; and labels, which are the same for every seed."""
    labels = (np.random.default_rng(0).random(comments) < share).astype(int)
    noises = np.random.default_rng(seed).normal(0, noise, comments)
    probabilities = np.clip(np.round(labels + noises, 1), 0, 1)
    return tuple(probabilities.tolist()), tuple(labels.tolist())


def part(labels: tuple[int, ...], **changed: Any) -> record.Part:
    blank = (None,) * len(labels)
    ids = tuple(f"{number:08x}" for number in range(len(labels)))
    base = record.Part(ids, labels, blank, blank, (9,) * len(labels))
    return dataclasses.replace(base, **changed)


def cell(model: str, test: Floats, natural: Floats = (), seed: int = 0) -> record.CellRecord:
    quality = record.Quality(test, test, natural or test, 1.0, 0.0)
    return record.CellRecord(model, "cpu", seed, quality=quality)


def run(labels: tuple[int, ...], *cells: record.CellRecord, **changed: Any) -> record.Run:
    one = changed.pop("test", part(labels))
    steps = (
        *(record.StepRecord(step, 20, 10) for step in ("balanced", "train")),
        record.StepRecord("test", len(one.labels), sum(one.labels)),
    )
    data = record.Data("synthetic", "made", "nobody", "f", "key", 42, 0.1, steps, one, one, one)
    base = record.Run(
        "made", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick", {},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": []}, data, cells, True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def row(text: str, begins: str) -> list[str]:
    """The entries of the only table row that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} ")]
    return [entry.strip() for entry in line.split("|")[1:-1]]


def three_models() -> record.Run:
    """Two models with similar accuracy, a and b, and c, whose scores are those of a reversed."""
    labels = draw(300, 0.5)[1]
    near, far = draw(300, 0.5, seed=5)[0], tuple(1 - score for score in draw(300, 0.5)[0])
    return run(labels, cell("a", draw(300, 0.5)[0]), cell("b", near), cell("c", far))

"""Runs that hold nothing but scores, and scores drawn for them."""

from typing import Any

import numpy as np

from tests import factories
from worthit.bench.saved import record

Floats = tuple[float, ...]


def drawn(
    comments: int, noise: float, *, share: float = 0.5, seed: int = 1
) -> tuple[Floats, tuple[int, ...]]:
    """Probabilities with ties, 0 and 1 among them, and labels, which the seed does not change."""
    labels = (np.random.default_rng(0).random(comments) < share).astype(int)
    noises = np.random.default_rng(seed).normal(0, noise, comments)
    found = np.clip(np.round(labels + noises, 1), 0, 1)
    return tuple(found.tolist()), tuple(labels.tolist())


def part(labels: tuple[int, ...], **changed: Any) -> record.Part:
    return factories.part(labels, **changed)


def cell(model: str, test: Floats, natural: Floats = (), seed: int = 0) -> record.CellRecord:
    scored = record.Quality(test, test, natural or test, 1.0, 0.0)
    return record.CellRecord(model, "cpu", seed, quality=scored)


def run(labels: tuple[int, ...], *cells: record.CellRecord, **changed: Any) -> record.Run:
    one = changed.pop("test", part(labels))
    counts = (len(one.labels) - sum(one.labels), sum(one.labels))
    steps = (
        *factories.steps(("balanced", "train"), 20),
        *factories.steps(("test",), sum(counts), *counts),
    )
    return factories.run(factories.data(one, steps=steps), *cells, run_id="made", **changed)


def row(text: str, begins: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} ")]
    return [entry.strip() for entry in line.split("|")[1:-1]]


def three_models() -> record.Run:
    labels = drawn(300, 0.5)[1]
    near, far = drawn(300, 0.5, seed=5)[0], tuple(1 - score for score in drawn(300, 0.5)[0])
    return run(labels, cell("a", drawn(300, 0.5)[0]), cell("b", near), cell("c", far))

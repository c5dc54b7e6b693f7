"""Runs that have nothing but scores, and random scores for them."""

import dataclasses
from typing import Any

import numpy as np

from tests import factories
from worthit.bench.saved import record
from worthit.datasets.audit.label_noise import LabelNoise

Floats = tuple[float, ...]


def draw(
    comments: int, noise: float, *, share: float = 0.5, seed: int = 1
) -> tuple[Floats, tuple[int, ...]]:
    """Probabilities with ties, with 0 and 1; and labels, which are the same for every seed."""
    labels = (np.random.default_rng(0).random(comments) < share).astype(int)
    noises = np.random.default_rng(seed).normal(0, noise, comments)
    probabilities = np.clip(np.round(labels + noises, 1), 0, 1)
    return tuple(probabilities.tolist()), tuple(labels.tolist())


def cell(model: str, test: Floats, natural: Floats = (), seed: int = 0) -> record.CellRecord:
    quality = record.Quality(test, test, natural or test, 1.0, 0.0)
    return record.CellRecord(model, "cpu", seed, quality=quality)


def run(labels: tuple[int, ...], *cells: record.CellRecord, **changed: Any) -> record.Run:
    one = changed.pop("test", factories.part(labels))
    counts = (len(one.labels) - sum(one.labels), sum(one.labels))
    steps = (
        *factories.steps(("balanced", "train"), 20),
        *factories.steps(("test",), sum(counts), *counts),
    )
    return factories.run(factories.data(one, steps=steps), *cells, run_id="made", **changed)


def three_models() -> record.Run:
    """Two models with similar accuracy, a and b, and c, whose scores are those of a reversed."""
    labels = draw(300, 0.5)[1]
    near, far = draw(300, 0.5, seed=5)[0], tuple(1 - score for score in draw(300, 0.5)[0])
    return run(labels, cell("a", draw(300, 0.5)[0]), cell("b", near), cell("c", far))


def audited(**changed: Any) -> record.Run:
    """18 of 20 test comments classified correctly; 2 training labels and 1 test label look wrong."""
    noise = LabelNoise(2, 1, 0.9, ("00000004",), unquestioned_accuracy=0.97)
    audit = factories.audit(**{"label_noise": noise, "length_auc": 0.55} | changed)
    made = run((1, 0) * 10, cell("lsa", (0.9, 0.2) * 9 + (0.4, 0.6)))
    return dataclasses.replace(made, data=dataclasses.replace(made.data, audit=audit))

"""Runs of any number of classes, with random scores."""

import dataclasses

import numpy as np
import numpy.typing as npt

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.data import Part
from worthit.bench.saved.record import measured

Labels = tuple[int, ...]
Floats = npt.NDArray[np.float64]
RATES = {"tfidf": 3_000.0, "bert": 400.0, "llama": 40.0}
THREE = ("news", "sport", "arts")


def draw_labels(comments: int, kinds: int, seed: int = 0) -> Labels:
    """Class indices; the first classes are the most common, and each occurs at least once."""
    rng = np.random.default_rng(seed)
    shares = np.arange(kinds, 0, -1) / np.arange(kinds, 0, -1).sum()
    labels = np.concatenate([np.arange(kinds), rng.choice(kinds, comments - kinds, p=shares)])
    return tuple(rng.permutation(labels).tolist())


def draw_scores(labels: Labels, kinds: int, noise: float, seed: int) -> Floats:
    """Probabilities that favour the true class, or the next one, shape (n, kinds), with ties."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, noise, (len(labels), kinds))
    logits[np.arange(len(labels)), labels] += 3
    logits[np.arange(len(labels)), (np.asarray(labels) + 1) % kinds] += 1
    odds = np.exp(logits)
    return np.asarray(np.round(odds / odds.sum(axis=1, keepdims=True), 3))


def flat(probabilities: Floats) -> tuple[float, ...]:
    """Probabilities as a record saves them."""
    positive = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    return tuple(positive.ravel().tolist())


def part(labels: Labels) -> Part:
    return factories.part(labels, characters=tuple(range(9, 9 + len(labels))))


def cell(model: str, run: record.Run, noise: float, seed: int = 0) -> record.CellRecord:
    """A cell with everything that a verdict and cascades need."""
    kinds = len(run.data.classes)
    number = list(RATES).index(model) + 10 * seed
    test, natural, validation = (
        flat(draw_scores(side.labels, kinds, noise, number))
        for side in (run.data.test, run.data.natural, run.data.validation)
    )
    milliseconds = tuple(np.linspace(5, 9, 400).tolist())
    fewer = record.CurvePoint(
        100,
        measured(1, "s", "c"),
        flat(draw_scores(run.data.test.labels, kinds, 3 * noise, number)),
    )
    return record.CellRecord(
        model, "cpu", seed,
        training=factories.training(parameters=135_000_000, comments=1_000),
        latency=factories.latency(
            milliseconds, *(measured(value, "ms", "c", 400) for value in (7, 8, 9))
        ),
        throughput=factories.throughput(RATES[model]),
        memory=factories.memory(),
        quality=record.Quality(test, test, natural, 1.0, 0.0, validation),
        learning_curve=(fewer,),
    )  # fmt: skip


def run(
    names: tuple[str, ...],
    noises: dict[str, float],
    *,
    comments: int = 300,
    balanced: bool = False,
    seeds: int = 1,
) -> record.Run:
    labels, others = draw_labels(comments, len(names)), draw_labels(200, len(names), seed=1)
    counts = tuple(np.bincount(labels, minlength=len(names)).tolist())
    steps = factories.steps(("without duplicates", "balanced", "train", "test"), comments, *counts)
    natural = part(others) if balanced else part(labels)
    data = factories.data(
        part(labels), dataset="own", title="made comments", steps=steps, natural=natural,
        validation=part(others), classes=names, balanced=balanced,
    )  # fmt: skip
    empty = factories.run(
        data, run_id="made", machine=factories.MACHINE | {"fingerprint": "f"},
        noise=measured(2.0, "%", "loop"),
    )  # fmt: skip
    cells = [cell(model, empty, noise, seed) for model, noise in noises.items() for seed in range(seeds)]  # fmt: skip
    return dataclasses.replace(empty, cells=tuple(cells))


NOISES = {"tfidf": 2.5, "bert": 1.5, "llama": 1.4}


def many(kinds: int) -> tuple[str, ...]:
    return tuple(f"class-{number}" for number in range(kinds))

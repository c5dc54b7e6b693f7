"""Runs of multi-label data, with random scores."""

import dataclasses

import numpy as np
import numpy.typing as npt

from tests import factories, multiclass_runs
from worthit.bench.saved import record
from worthit.bench.saved.data import Part
from worthit.bench.saved.record import measured
from worthit.datasets.audit.label_noise import LabelNoise

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
THREE = ("toxic", "insult", "threat")
NOISES = {"tfidf": 2.0, "bert": 1.0, "llama": 0.9}
_SHARES = (0.4, 0.25, 0.1)  # of the comments with each label


def draw_labels(comments: int, kinds: int = 3, seed: int = 0) -> Labels:
    """0 and 1, shape (comments, kinds); the first labels are the most common, and each occurs."""
    rng = np.random.default_rng(seed)
    shares = np.resize(_SHARES, kinds)
    labels = (rng.random((comments, kinds)) < shares).astype(np.int64)
    labels[0], labels[1] = 1, 0
    return labels


def draw_scores(labels: Labels, noise: float, seed: int) -> Floats:
    """Independent probabilities that favour the true labels, shape (comments, kinds), with ties."""
    logits = 4.0 * labels - 2 + np.random.default_rng(seed).normal(0, noise, labels.shape)
    return np.asarray(np.round(1 / (1 + np.exp(-logits)), 3))


def flat(values: npt.NDArray[np.generic]) -> tuple[float, ...]:
    """A matrix as a record saves it."""
    return tuple(values.ravel().tolist())


def matrix(part: Part, kinds: int) -> Labels:
    return np.asarray(part.labels).reshape(-1, kinds)


def part(labels: Labels) -> Part:
    characters = tuple(range(9, 9 + len(labels)))
    return factories.part(
        tuple(labels.ravel().tolist()), each=labels.shape[1], characters=characters
    )


def cell(model: str, run: record.Run, noise: float, seed: int = 0) -> record.CellRecord:
    """A cell with everything that a verdict and cascades need."""
    kinds, data = len(run.data.classes), run.data
    number = list(NOISES).index(model) + 10 * seed
    test, natural, validation = (
        flat(draw_scores(matrix(side, kinds), noise, number))
        for side in (data.test, data.natural, data.validation)
    )
    fewer = record.CurvePoint(
        100,
        measured(1, "s", "c"),
        flat(draw_scores(matrix(data.test, kinds), 3 * noise, number)),
    )
    milliseconds = tuple(np.linspace(5, 9, 400).tolist())
    return record.CellRecord(
        model, "cpu", seed,
        training=factories.training(parameters=135_000_000, comments=1_000),
        latency=factories.latency(
            milliseconds, *(measured(value, "ms", "c", 400) for value in (7, 8, 9))
        ),
        throughput=factories.throughput(multiclass_runs.RATES[model]),
        memory=factories.memory(),
        quality=record.Quality(test, test, natural, 1.0, 0.0, validation),
        learning_curve=(fewer,),
    )  # fmt: skip


def run(
    names: tuple[str, ...] = THREE,
    noises: dict[str, float] = NOISES,
    *,
    comments: int = 300,
    validation: int = 200,
    seeds: int = 1,
) -> record.Run:
    """A run on multi-label data; it is never balanced, so the natural part is the test part."""
    labels, others = draw_labels(comments, len(names)), draw_labels(validation, len(names), 1)
    counts = tuple(labels.sum(axis=0).tolist())
    audit = factories.audit(
        len(names), label_noise=LabelNoise(None, reason="not estimated for multi-label data")
    )
    data = factories.data(
        part(labels), dataset="own", title="made comments", validation=part(others),
        steps=factories.steps(("without duplicates", "train", "test"), comments, *counts),
        classes=names, multilabel=True, balanced=False, population=counts,
        audit=dataclasses.replace(audit, length_auc=None),
    )  # fmt: skip
    empty = factories.run(
        data, run_id="made", machine=factories.MACHINE | {"fingerprint": "f"},
        noise=measured(2.0, "%", "loop"),
    )  # fmt: skip
    cells = [cell(model, empty, noise, seed) for model, noise in noises.items() for seed in range(seeds)]  # fmt: skip
    return dataclasses.replace(empty, cells=tuple(cells))

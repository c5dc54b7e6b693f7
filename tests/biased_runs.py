"""Runs of one model whose own scores are biased, with validation comments."""

import numpy as np
from scipy.special import expit

from tests import factories
from worthit.bench.saved import record

COMMENTS = 1_000
LABELS = (1, 0) * (COMMENTS // 2)
VALIDATION = (0, 1) * 250


def draw(labels: tuple[int, ...], scale: float, shift: float, seed: int) -> tuple[float, ...]:
    """Scores whose log-odds are the right ones (ROC AUC 0.92) times a scale, plus a shift."""
    noise = np.random.default_rng(seed).normal(0, 1, len(labels))
    right = 2 * (noise + 2 * (np.asarray(labels) - 0.5))
    return tuple(np.round(expit(scale * right + shift), 6).tolist())


def run(scale: float, shift: float, **options: str) -> record.Run:
    """One model; 10 % of its natural population are toxic."""
    data = factories.data(factories.part(LABELS), validation=factories.part(VALIDATION))
    test = draw(LABELS, scale, shift, 1)
    quality = factories.quality(test, validation=draw(VALIDATION, scale, shift, 2))
    cell = record.CellRecord("tfidf", "cpu", 0, quality=quality)
    return factories.run(data, cell, options=factories.options(**options))

"""Which training comments are shown to an LLM that is not tuned, with their classes."""

from collections.abc import Iterator

import numpy as np

from worthit.models.contract import Labels


def draw(labels: Labels, count: int, seed: int) -> list[int]:
    """Rows of at most `count` comments of all classes in turn, so that the first ones are balanced, too.

    Args:
        labels: class indices, shape (n,).
    """
    rng = np.random.default_rng(seed)
    return [row for _, row in zip(range(count), _in_turn(labels, rng), strict=False)]


def _in_turn(labels: Labels, rng: np.random.Generator) -> Iterator[int]:
    rows = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    for turn in range(max(map(len, rows), default=0)):
        for place in rng.permutation(len(rows)):
            if turn < len(rows[place]):
                yield int(rows[place][turn])

"""Which comments are timed and metered: a few with the lengths of the whole test set."""

from collections.abc import Sequence

import numpy as np


def sample_by_length(texts: Sequence[str], comments: int) -> list[str]:
    """One comment from each of many equal groups by length, in a fixed shuffled order.

    Systematic sampling from an ordered list (Cochran 1977, chapter 8): a group's comment is that of
    median length. So the sample has the lengths of all texts, except the few longest. The same texts
    give the same sample, for all models.

    Returns:
        As many as asked for, or all texts if there are fewer.
    """
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row]))
    number = min(comments, len(order))
    rows = [order[int((group + 0.5) * len(order) / number)] for group in range(number)]
    # Else length would correlate with drift of the clock speed.
    np.random.default_rng(0).shuffle(rows)
    return [texts[row] for row in rows]

"""How many comments each training of a learning curve reads."""

import numpy as np

from worthit.datasets.classes import Labels

_CURVE_POINTS = 5  # besides the whole training set
_FEWEST_COMMENTS = 60  # below, accuracy says little


def curve_sizes(labels: Labels) -> list[int]:
    """Sizes of a learning curve's training sets: a half, a quarter, … of all comments.

    Args:
        labels: of all training comments. A set is the first comments, and has every class; of several
            labels, comments with and without each.
    """
    halves = [len(labels) >> halvings for halvings in range(1, _CURVE_POINTS + 1)]
    columns = labels.reshape(len(labels), -1).T
    last = max(np.unique(column, return_index=True)[1].max() for column in columns)
    return [size for size in halves if size >= max(_FEWEST_COMMENTS, last + 1)]

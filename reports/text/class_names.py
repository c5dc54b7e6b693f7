"""The classes of a run: their names in text, and the shape of their probabilities."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Data
from worthit.bench.saved.record import Run
from worthit.reports.text.escaping import cut

#: of n comments: (n,) of the positive class for two classes, else (n, classes)
Probabilities = npt.NDArray[np.float64]

#: row of tables: always predicting the most common class, against which accuracy is read
MAJORITY = "*majority class*"

_WIDTH = 40  # columns of a name


def of_two(run: Run) -> bool:
    """True if there are two classes; class 1 is then the positive one."""
    return len(run.data.classes) == 2


def probabilities(data: Data, flat: Sequence[float]) -> Probabilities:
    """The probabilities of a record, row by row, as an array."""
    return shaped(flat, len(data.classes))


def shaped(flat: Sequence[float], classes: int) -> Probabilities:
    """`probabilities` for a number of classes."""
    values = np.asarray(flat, np.float64)
    return values if classes == 2 else values.reshape(-1, classes)


def names(data: Data) -> list[str]:
    """The names of all classes by index, escaped for Markdown and cut to the width of a column."""
    return [cut(name, _WIDTH) for name in data.classes]


def positive(run: Run) -> str:
    """The name of the positive class in a sentence."""
    return worded(names(run.data)[1])


def worded(name: str) -> str:
    """A name in a sentence: in quotes if it is not a word, such as a number."""
    return name if re.match(r"[^\W\d_]", name) else f"“{name}”"

"""The classes of a run: their names as reports write them, and what a record holds of them as arrays."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Data, Run
from worthit.reports.text.escaping import cut

#: (n,) of the positive class where there are two classes, else (n, classes)
Probabilities = npt.NDArray[np.float64]

_WIDTH = 40  # columns of a name


def of_two(run: Run) -> bool:
    """Whether there are two classes, of which class 1 then is the positive one."""
    return len(run.data.classes) == 2


def probabilities(data: Data, flat: Sequence[float]) -> Probabilities:
    """What a record holds of n comments, as an array: (n,) for two classes, else (n, classes)."""
    return shaped(flat, len(data.classes))


def shaped(flat: Sequence[float], kinds: int) -> Probabilities:
    """The same, for so many classes."""
    values = np.asarray(flat, np.float64)
    return values if kinds == 2 else values.reshape(-1, kinds)


def names(data: Data) -> list[str]:
    """Of all classes, by index, for Markdown; cut where they are too long for a table."""
    return [cut(name, _WIDTH) for name in data.classes]


def positive(run: Run) -> str:
    """The positive class's name as a sentence has it."""
    return worded(names(run.data)[1])


def worded(name: str) -> str:
    """A name within a sentence: what is no word, such as a number, stands in quotes."""
    return name if re.match(r"[^\W\d_]", name) else f"“{name}”"

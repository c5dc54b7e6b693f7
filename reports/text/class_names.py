"""The classes of a run: their names in text, and the shapes of labels and probabilities.

`kind` is the one place that tells apart what models answer: one of two classes, one of several classes, or any
number of labels. `worthit.reports.analysis.task` says what follows from it.
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Data, Part
from worthit.bench.saved.record import Run
from worthit.datasets.splits.manifest import Prepared
from worthit.reports.text.escaping import cut

#: of n comments: (n,) of the positive class for two classes, else (n, classes) or (n, labels)
Probabilities = npt.NDArray[np.float64]
#: of n comments: class indices, (n,), or 0 and 1 for each of several labels, (n, labels)
Truth = npt.NDArray[np.int64]

Kind = Literal["two classes", "several classes", "several labels"]

#: row of tables: always predicting the most common class, against which accuracy is read
MAJORITY = "*majority class*"
#: the same for several labels: the best constant answer, figure by figure
CONSTANT = "*best constant answer*"

_WIDTH = 40  # columns of a name


def kind(data: Prepared) -> Kind:
    """What models answer."""
    return kind_of(len(data.classes), multilabel=data.multilabel)


def kind_of(classes: int, *, multilabel: bool) -> Kind:
    """`kind` for a number of classes, or of labels."""
    if multilabel:
        return "several labels"
    return "two classes" if classes == 2 else "several classes"


def of_two(run: Run) -> bool:
    """True if there are two classes; class 1 is then the positive one."""
    return kind(run.data) == "two classes"


def of_labels(run: Run) -> bool:
    """True if a comment has any number of labels, and each label its own answer."""
    return kind(run.data) == "several labels"


def constant(run: Run) -> str:
    """The row of tables for a constant answer."""
    return CONSTANT if of_labels(run) else MAJORITY


def probabilities(data: Data, flat: Sequence[float]) -> Probabilities:
    """The probabilities of a record, row by row, as an array."""
    values = np.asarray(flat, np.float64)
    return values if kind(data) == "two classes" else values.reshape(-1, len(data.classes))


def truth(data: Data, part: Part) -> Truth:
    """The labels of a part, as `metrics` takes them."""
    values = np.asarray(part.labels, np.int64)
    return values.reshape(-1, len(data.classes)) if data.multilabel else values


def names(data: Data) -> list[str]:
    """The names of all classes by index, escaped for Markdown and cut to the width of a column."""
    return [cut(name, _WIDTH) for name in data.classes]


def counted(data: Data) -> str:
    """How many classes or labels there are, in words."""
    return f"{len(data.classes)} {'labels' if data.multilabel else 'classes'}"


def positive(run: Run) -> str:
    """The name of the positive class in a sentence."""
    return worded(names(run.data)[1])


def worded(name: str) -> str:
    """A name in a sentence: in quotes if it is not a word, such as a number."""
    return name if re.match(r"[^\W\d_]", name) else f"“{name}”"

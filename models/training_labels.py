"""Checks the labels that a model is given to train on, and weighs classes and labels equally."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.datasets.classes import Labels
from worthit.datasets.errors import DataError

_CLASSES_NAMED = 6  # in an error message


def require_all_classes(model: str, classes: Sequence[str], labels: Labels) -> None:
    """Raise DataError unless each class has a comment, and each label a class.

    Args:
        labels: shape (n,), class indices.
    """
    present, known = set(np.unique(labels).tolist()), range(len(classes))
    if unknown := present.difference(known):
        raise DataError(
            f"{model} was given the label {min(unknown)}; its {len(known)} classes have the "
            f"labels 0 to {known[-1]}"
        )
    if absent := [classes[label] for label in known if label not in present]:
        raise DataError(
            f"{model} needs comments of each of the {len(known)} classes to train on; there "
            f"are none of {_listed(absent)}"
        )


def require_all_labels(model: str, names: Sequence[str], labels: Labels) -> None:
    """Raise DataError unless there are comments with and without each of several labels.

    Args:
        labels: shape (n, labels), 0 or 1.
    """
    shape = (len(labels), len(names))
    if labels.shape != shape or not np.isin(labels, (0, 1)).all():
        raise DataError(
            f"{model} was given labels of the shape {labels.shape}; {len(names)} labels take 0 or 1 for "
            f"each comment, in the shape {shape}"
        )
    counts = labels.sum(axis=0)
    for some, lacking in (("without", counts == len(labels)), ("with", counts == 0)):
        if absent := [names[place] for place in np.flatnonzero(lacking).tolist()]:
            raise DataError(
                f"{model} needs comments with and without each of the {len(names)} labels to train "
                f"on; there are none {some} {_listed(absent)}"
            )


def balanced_weights(labels: Labels, classes: int) -> npt.NDArray[np.float64]:
    """As scikit-learn's `class_weight="balanced"`, n / (k × comments of its class), in the shape of the labels.

    Each of several labels counts on its own, with and without it as two classes.

    Args:
        labels: shape (n,), class indices; or (n, labels), 0 or 1.
    """
    if labels.ndim == 2:
        share = labels.mean(axis=0)
        of_labels: npt.NDArray[np.float64] = np.where(labels == 1, 0.5 / share, 0.5 / (1 - share))
        return of_labels
    counts = np.bincount(labels, minlength=classes)
    weights: npt.NDArray[np.float64] = (len(labels) / (classes * counts))[labels]
    return weights


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_CLASSES_NAMED])}{', …' if names[_CLASSES_NAMED:] else ''}"

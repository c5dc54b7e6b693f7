"""Where models err: by length, by the agreement of raters, and on which comments."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Part
from worthit.reports.statistics import metrics

Mask = npt.NDArray[np.bool_]


def by_length(part: Part) -> dict[str, Mask]:
    """Quarters of the comments by length, without empty ones: heading → mask, shape (n,).

    Many comments of one length leave a quarter empty, which has the heading of the one before.
    """
    headings, edges = quarters(part.characters)
    quarter = np.searchsorted(edges, part.characters)
    masks = [(heading, quarter == number) for number, heading in enumerate(headings)]
    return {heading: mask for heading, mask in masks if mask.any()}


def quarters(characters: Sequence[int]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Headings of the quarters of comments by length, and the three lengths between them."""
    edges = np.quantile(characters, (0.25, 0.5, 0.75)).astype(int)
    first, *others = (f"to {edge:,}" for edge in edges)
    return [f"up {first} characters", *others, "longer"], edges


def by_agreement(part: Part) -> dict[str, Mask]:
    """Comments by the share of raters that agree: heading → mask, shape (n,); empty without votes."""
    agreement = _agreement(part)
    if np.isnan(agreement).all():
        return {}
    return {
        "unanimous": agreement == 1,
        "80 % or more": (agreement >= 0.8) & (agreement < 1),
        "under 80 %": agreement < 0.8,
    }


def _agreement(part: Part) -> npt.NDArray[np.float64]:
    share = np.asarray(part.toxic_share, np.float64)  # None becomes NaN
    return np.asarray(np.round(np.maximum(share, 1 - share), 4))


def error_shares(
    labels: metrics.Truth, trainings: Sequence[npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """The share of trainings that misclassify each comment, shape (n,)."""
    shares: npt.NDArray[np.float64] = np.mean(
        [~metrics.correct(scores, labels) for scores in trainings], axis=0
    )
    return shares

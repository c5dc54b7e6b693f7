"""Where models err: by length, by the agreement of raters, and on which comments."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Part
from worthit.reports.analysis import metrics

Mask = npt.NDArray[np.bool_]


def by_length(part: Part) -> dict[str, Mask]:
    """Quarters of the comments by length: heading → mask, shape (n,)."""
    characters = np.asarray(part.characters)
    edges = np.quantile(characters, (0.25, 0.5, 0.75)).astype(int)
    quarter = np.searchsorted(edges, characters)
    headings = (
        f"up to {edges[0]:,} characters",
        f"to {edges[1]:,}",
        f"to {edges[2]:,}",
        "longer",
    )
    return {heading: quarter == number for number, heading in enumerate(headings)}


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
    labels: Sequence[int], trainings: Sequence[npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """The share of trainings that misclassify each comment, shape (n,)."""
    truth = np.asarray(labels)
    shares: npt.NDArray[np.float64] = np.mean(
        [metrics.predicted(scores) != truth for scores in trainings], axis=0
    )
    return shares

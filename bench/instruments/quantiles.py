"""How well a quantile of latencies is known, when the same comments were timed again and again.

Samples of one comment are alike: more passes tell more of the machine's noise, not of how long
other comments take. So n samples of d comments are worth as many independent ones as the spread of
the comments, each with all of its passes, says (cluster sampling, Woodruff 1952; the effective
sample size of Korn and Graubard 1998), between d and n. Of so many the bounds are the
distribution-free ones from the order of samples (Conover 1999).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: percentile → comments that a 95 % upper bound of it needs: 1 - q^n >= 0.95
COMMENTS_NEEDED = {90: 29, 99: 299}


def bounds(
    samples: Sequence[float], comments: int, percent: int, confidence: float
) -> tuple[float, float] | None:
    """A lower and an upper bound of a percentile, each holding with this confidence.

    They say within which the percentile of all comments like these lies, on this machine in this
    state. Where comments differ most they do not narrow however often the same are timed.

    Args:
        samples: sample i is of comment i % comments.
        confidence: of each bound by itself: an interval of 95 % has two of 0.975.

    Returns:
        None where even the comments' extremes are no such bounds, there being too few.
    """
    from scipy.special import bdtr  # late: it is not to count as a part of a model's cold start

    share = percent / 100
    if 1 - max(share, 1 - share) ** comments < confidence:
        return None
    independent = _effective_samples(np.asarray(samples), comments, share)
    cumulative = bdtr(np.arange(independent + 1), independent, share)
    below, above = np.searchsorted(cumulative, (1 - confidence, confidence))
    # The k-th smallest of the independent ones stands in the middle of the k-th part of all.
    places = (np.array([below, above + 1]) - 0.5) * len(samples) / independent
    low, high = np.sort(samples)[places.astype(int)]
    return float(low), float(high)


def _effective_samples(samples: npt.NDArray[np.float64], comments: int, share: float) -> int:
    n = len(samples)
    if n <= comments or comments == 1:
        return min(n, comments)
    within = samples <= np.quantile(samples, share)
    found = float(within.mean())
    by_comment = np.bincount(np.arange(n) % comments, within - found)
    variance = comments / (comments - 1) * float(by_comment @ by_comment) / n**2
    if variance == 0:
        return n
    return int(np.clip(found * (1 - found) / variance, comments, n))

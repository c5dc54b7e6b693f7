"""Confidence bounds of a latency quantile when the same comments are timed repeatedly.

Samples of one comment are similar: more passes say more about the machine's noise, not about other
comments. So n samples of d comments count as many independent samples as the variance between
comments implies (cluster sampling, Woodruff 1952; effective sample size, Korn and Graubard 1998),
between d and n. The bounds are distribution-free order statistics (Conover 1999).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: percentile → number of comments for a 95 % upper bound: 1 - q^n >= 0.95
COMMENTS_NEEDED = {90: 29, 99: 299}


def bounds(
    samples: Sequence[float], comments: int, percent: int, confidence: float
) -> tuple[float, float] | None:
    """A lower and an upper bound of a percentile, each with this confidence.

    They bound the percentile over all similar comments, on this machine in this state. If mainly
    comments differ, more passes over the same comments do not narrow them.

    Args:
        samples: sample i is of comment i % comments.
        confidence: of each bound: a 95 % interval has two bounds of 0.975.

    Returns:
        None if there are too few comments for bounds with this confidence.
    """
    from scipy.special import bdtr  # late, so it does not count towards a model's cold start

    share = percent / 100
    if 1 - max(share, 1 - share) ** comments < confidence:
        return None
    independent = _effective_samples(np.asarray(samples), comments, share)
    cumulative = bdtr(np.arange(independent + 1), independent, share)
    below, above = np.searchsorted(cumulative, (1 - confidence, confidence))
    # The k-th smallest independent sample is in the middle of the k-th group of all samples.
    places = (np.array([below, above + 1]) - 0.5) * len(samples) / independent
    low, high = np.sort(samples)[places.astype(int)]
    return float(low), float(high)


def _effective_samples(samples: npt.NDArray[np.float64], comments: int, share: float) -> int:
    n = len(samples)
    if n <= comments or comments == 1:
        return min(n, comments)
    within = samples <= np.quantile(samples, share)
    share_within = float(within.mean())
    by_comment = np.bincount(np.arange(n) % comments, within - share_within)
    variance = comments / (comments - 1) * float(by_comment @ by_comment) / n**2
    if variance == 0:
        return n
    return int(np.clip(share_within * (1 - share_within) / variance, comments, n))

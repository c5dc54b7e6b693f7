"""Confidence bounds of a latency quantile when the same comments are timed repeatedly.

Two things make a quantile uncertain, and each has a part of the bounds:

- Other comments. Samples of one comment are similar, so n samples of d comments count as many
  independent samples as the variance between comments implies (cluster sampling, Woodruff 1952;
  effective sample size, Korn and Graubard 1998), between d and n. The bounds are distribution-free
  order statistics (Conover 1999).
- Other times. The machine's speed drifts, and samples at one time share it. So the samples are cut
  into blocks of time, as in the block bootstrap (Künsch 1989), and the bounds are Student's t interval
  of the blocks' mean speed (batch means, Schmeiser 1982). Bootstrap percentiles of so few blocks
  would be too narrow. Drift is taken to change all latencies by the same factor.

Both are combined by their squares (MOVER, Zou and Donner 2008). What lasts longer than the whole
measurement is not in the samples. Reports add the noise of the machine for that.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: percentile → number of comments for a 95 % upper bound: 1 - q^n >= 0.95
COMMENTS_NEEDED = {90: 29, 99: 299}

_MOST_BLOCKS = 10  # few and long, so that one block says little about the next
_FEWEST_PER_BLOCK = 10


def bounds(
    samples: Sequence[float], comments: int, percent: int, confidence: float
) -> tuple[float, float] | None:
    """A lower and an upper bound of a percentile, each with this confidence.

    They bound the percentile over all similar comments and over times like that of the measurement.

    Args:
        samples: above 0; sample i is of comment i % comments.
        confidence: of each bound: a 95 % interval has two bounds of 0.975.

    Returns:
        None if there are too few comments or samples for bounds with this confidence.
    """
    from scipy.special import bdtr  # late, so it does not count towards a model's cold start

    share = percent / 100
    logs = np.log(samples)
    by_time = drift(logs, comments, confidence)
    if 1 - max(share, 1 - share) ** comments < confidence or by_time is None:
        return None
    independent = _effective_samples(logs, comments, share)
    cumulative = bdtr(np.arange(independent + 1), independent, share)
    below, above = np.searchsorted(cumulative, (1 - confidence, confidence))
    # The k-th smallest independent sample is in the middle of the k-th group of all samples.
    places = (np.array([below, above + 1]) - 0.5) * len(logs) / independent
    low, high = np.sort(logs)[places.astype(int)]
    middle = float(np.quantile(logs, share))
    by_comment = np.maximum([middle - low, high - middle], 0)
    passes = len(logs) // comments
    # In a single pass, blocks hold different comments, so the second part contains the first.
    widths = np.hypot(by_comment, by_time) if passes > 1 else np.maximum(by_comment, by_time)
    return float(np.exp(middle - widths[0])), float(np.exp(middle + widths[1]))


def drift(logs: npt.NDArray[np.float64], comments: int, confidence: float) -> float | None:
    """The bound of the mean speed over time: half of a t interval, as a logarithm.

    From two passes on, each block has whole passes, and comments are compared with themselves.

    Args:
        logs: logarithms of samples, or of ratios; entry i is of comment i % comments, shape (n,).

    Returns:
        None if there are fewer than two blocks.
    """
    from scipy.special import stdtrit

    n = len(logs)
    blocks = min(n // comments if n >= 2 * comments else n // _FEWEST_PER_BLOCK, _MOST_BLOCKS)
    if blocks < 2:
        return None
    if n >= 2 * comments:
        of = np.arange(n) % comments
        logs = logs - (np.bincount(of, logs) / np.bincount(of))[of]
    speeds = [np.median(block) for block in np.array_split(logs, blocks)]
    return float(stdtrit(blocks - 1, confidence) * np.std(speeds, ddof=1) / np.sqrt(blocks))


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

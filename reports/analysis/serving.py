"""How many requests a second one worker can take before its slowest answers take too long.

Requests arrive as a Poisson process, as in MLPerf Inference's server scenario (Reddi et al. 2020),
and are answered one at a time, first come first served. How long each takes to serve is drawn from
the measured single-comment latencies, and waiting follows from arrivals and service (Lindley 1952):
virtual time, exact as long as serving one request takes no longer because others wait.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_REQUESTS = 50_000
_LATE = _REQUESTS // 100  # of them that may be
_STEPS = 20  # of the search, each of which halves what is not known of the rate: to a millionth


def highest_rate_per_s(service_ms: Sequence[float], limit_ms: float) -> float | None:
    """The highest arrival rate at which 99 % of requests are answered within the limit.

    Args:
        service_ms: measured latencies of single comments.
        limit_ms: from a request's arrival to its answer.

    Returns:
        Requests per second; None if the limit is missed even when nobody has to wait.
    """
    rng = np.random.default_rng(0)
    served_ms = rng.choice(np.asarray(service_ms), _REQUESTS)
    gaps = rng.exponential(1.0, _REQUESTS)
    if _late(served_ms, limit_ms):
        return None
    low, high = 0.0, 1e3 / float(served_ms.mean())  # a server cannot do more than be always busy
    for _ in range(_STEPS):
        rate = (low + high) / 2
        answered_ms = response_ms(served_ms, gaps * 1e3 / rate)
        low, high = (low, rate) if _late(answered_ms, limit_ms) else (rate, high)
    return low


def _late(answered_ms: npt.NDArray[np.float64], limit_ms: float) -> bool:
    """Whether too many are answered past the limit; counting takes less time than a percentile."""
    return int(np.count_nonzero(answered_ms > limit_ms)) > _LATE


def response_ms(
    served_ms: npt.NDArray[np.float64], gaps_ms: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Waiting plus service of each request, shape (n,).

    Args:
        served_ms: how long each request takes to serve, shape (n,).
        gaps_ms: time between each request's arrival and the one before, shape (n,).
    """
    # wait[i] = max(0, wait[i-1] + served[i-1] - gap[i]), unrolled as a running minimum of sums.
    backlog = np.concatenate([[0.0], np.cumsum(served_ms[:-1] - gaps_ms[1:])])
    waited = backlog - np.minimum.accumulate(np.minimum(backlog, 0.0))
    responses: npt.NDArray[np.float64] = waited + served_ms
    return responses

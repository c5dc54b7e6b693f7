"""How many requests a second a machine can take before its slowest answers take too long: a simulation.

Requests arrive as a Poisson process, as in MLPerf Inference's server scenario (Reddi et al. 2020). Each
goes to the next of the workers in turn (round robin), which answers in the order of arrival. There is
one worker per core if the run measured one process per core, otherwise one worker with all its threads.
How long a request takes is drawn from the measured latencies of single comments. With several workers
it is longer by the factor by which processes side by side were slower in the run.

A worker takes one request at a time, or all that wait, up to a batch size; the run measured how long such
calls take. Waiting follows from arrivals and service (Lindley 1952).

Rates are an upper limit: latencies are measured back to back, while real requests find a processor that
has slept, and share it with the client and the network. `worthit.reports.cli.arrivals` measures that.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import CellRecord, Latency, Throughput

Floats = npt.NDArray[np.float64]

_REQUESTS = 50_000
_REQUESTS_IN_BATCHES = 10_000  # their simulation is a loop
_STEPS = 12  # of the search, each of which halves what is not known of the rate


@dataclass(frozen=True)
class Server:
    """Workers that do not share a queue."""

    service_ms: Sequence[float]  # of single comments
    workers: int = 1
    #: time of a batch of k comments over that of one, at index k; empty: unknown
    batch_factors: tuple[float, ...] = ()

    @property
    def largest_batch(self) -> int:
        """1 if the time of larger batches is unknown."""
        return max(len(self.batch_factors) - 1, 1)


def server(cell: CellRecord) -> Server | None:
    """The workers of a cell; None if its latency was not measured, or it is a server's."""
    if cell.latency is None or cell.is_endpoint:
        return None
    sweep = cell.throughput
    side_by_side = sweep is not None and sweep.machine.comments_per_s.origin == "measured"
    slower = _slower(sweep) if sweep is not None and side_by_side else 1.0
    workers = sweep.machine.processes if sweep is not None and side_by_side else 1
    service_ms = (np.asarray(cell.latency.samples_ms) * slower).tolist()
    return Server(service_ms, workers, _batch_factors(cell.latency))


def highest_rate_per_s(
    server: Server, limit_ms: float, *, in_batches: bool = False
) -> float | None:
    """The highest arrival rate at which 99 % of requests are answered within the limit.

    Args:
        limit_ms: from a request's arrival to its answer.
        in_batches: each worker takes all waiting requests, up to the largest batch.

    Returns:
        Requests per second of all workers; None if the limit is missed even when nobody has to wait.
    """
    served_ms, unit_gaps = _drawn(server, _REQUESTS_IN_BATCHES if in_batches else _REQUESTS)
    if _late(served_ms, limit_ms):
        return None
    per_batch = [factor / max(size, 1) for size, factor in enumerate(server.batch_factors)][1:]
    fastest = min(per_batch, default=1.0) if in_batches else 1.0
    low, high = 0.0, 1e3 / float(served_ms.mean()) / fastest  # a worker is at most always busy
    for _ in range(_STEPS):
        rate = (low + high) / 2
        answered_ms = _answered(server, in_batches)(served_ms, unit_gaps * 1e3 / rate)
        low, high = (low, rate) if _late(answered_ms, limit_ms) else (rate, high)
    return low * server.workers


def simulated_ms(server: Server, rate_per_s: float, *, in_batches: bool = False) -> Floats:
    """Time from arrival to answer of many requests, at this rate of all workers, shape (n,)."""
    served_ms, unit_gaps = _drawn(server, _REQUESTS_IN_BATCHES if in_batches else _REQUESTS)
    return _answered(server, in_batches)(served_ms, unit_gaps * 1e3 * server.workers / rate_per_s)


def response_ms(served_ms: Floats, gaps_ms: Floats) -> Floats:
    """Waiting plus service of each request of one worker that takes one at a time, shape (n,).

    Args:
        served_ms: how long each request takes to serve, shape (n,).
        gaps_ms: time between each request's arrival and the one before, shape (n,).
    """
    # wait[i] = max(0, wait[i-1] + served[i-1] - gap[i]), unrolled as a running minimum of sums.
    backlog = np.concatenate([[0.0], np.cumsum(served_ms[:-1] - gaps_ms[1:])])
    waited = backlog - np.minimum.accumulate(np.minimum(backlog, 0.0))
    responses: Floats = waited + served_ms
    return responses


def batched_response_ms(
    served_ms: Floats, gaps_ms: Floats, batch_factors: Sequence[float]
) -> Floats:
    """The same of a worker that takes all waiting requests at once, up to the largest batch.

    A batch of k takes the mean time of its comments, times `batch_factors[k]`.
    """
    arrived_ms = np.cumsum(gaps_ms)
    arrivals, sums = arrived_ms.tolist(), np.concatenate([[0.0], np.cumsum(served_ms)]).tolist()
    first, free_ms, requests, largest = 0, 0.0, len(arrivals), len(batch_factors) - 1
    ends_ms, sizes = [], []
    while first < requests:
        start_ms = max(free_ms, arrivals[first])
        after = bisect_right(arrivals, start_ms, first + 1, min(first + largest, requests))
        size = after - first
        free_ms = start_ms + batch_factors[size] * (sums[after] - sums[first]) / size
        ends_ms.append(free_ms)
        sizes.append(size)
        first = after
    answered: Floats = np.repeat(ends_ms, sizes) - arrived_ms
    return answered


def _drawn(server: Server, requests: int) -> tuple[Floats, Floats]:
    """Service times of one worker's requests, and gaps between them with a mean of 1."""
    rng = np.random.default_rng(0)
    served_ms = rng.choice(np.asarray(server.service_ms, float), requests)
    # Every k-th event of a Poisson process: the sum of k exponential gaps.
    return served_ms, rng.gamma(server.workers, 1 / server.workers, requests)


def _answered(server: Server, in_batches: bool) -> Callable[[Floats, Floats], Floats]:
    if not in_batches or server.largest_batch == 1:
        return response_ms
    return lambda served, gaps: batched_response_ms(served, gaps, server.batch_factors)


def _late(answered_ms: Floats, limit_ms: float) -> bool:
    """Whether too many are answered past the limit; counting takes less time than a percentile."""
    return int(np.count_nonzero(answered_ms > limit_ms)) > len(answered_ms) // 100


def _slower(sweep: Throughput) -> float:
    """By how much processes side by side were slower than one alone, at least 1."""
    alone, together = sweep.best.comments_per_s.value, sweep.machine.comments_per_s.value
    if not alone or not together:
        return 1.0
    return max(sweep.machine.processes * alone / together, 1.0)


def _batch_factors(latency: Latency) -> tuple[float, ...]:
    """From the measured calls, linear between their sizes."""
    single_ms = float(np.mean(latency.samples_ms))
    known = [(one.requests, one.call_ms.value / single_ms)
             for one in latency.batches if one.call_ms.value]  # fmt: skip
    if not known:
        return ()
    sizes, factors = zip((1, 1.0), *known, strict=True)
    return tuple(np.interp(np.arange(sizes[-1] + 1), sizes, factors).tolist())

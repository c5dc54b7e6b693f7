"""Latency and throughput of a chat-completions server, as this machine sees it, network included.

Each request is sent: cached answers take no time and count for nothing here. Requests may cost money, so
there are few of them: one per comment of a sample for latency, and for throughput at each number of
requests at once as many as two rounds need, 16 at least. No comment is sent twice for one figure where
there are enough, since a server answers a repeated prompt faster.
"""

import time
from collections.abc import Callable, Sequence

from worthit.bench.instruments import throughput
from worthit.bench.saved.record import (
    ON_SERVER,
    BatchRate,
    MachineRate,
    Throughput,
    measured,
    unavailable,
)
from worthit.datasets.errors import CellError

AT_ONCE = (1, 2, 4, 8, 16, 32)
_ROUNDS = 2
_FEWEST_REQUESTS = 16


def most_requests(latency_samples: int) -> int:
    """The most requests that latency and throughput of one model take, without repetitions.

    Args:
        latency_samples: comments that latency is measured on.
    """
    return latency_samples + sum(map(_requests, AT_ONCE))


def measure_concurrency(
    send: Callable[[Sequence[str], int], tuple[int, bool]], texts: Sequence[str]
) -> Throughput:
    """Send more and more requests at once, until two steps in a row gain little.

    Args:
        send: sends comments, so many at once; returns how many were answered, and True if the server
            limited the rate.
        texts: starts again if there are too few.

    Returns:
        The number of requests at once as `batch_size`, and the rate of answered requests.

    Raises:
        CellError: the server answers none of the first requests.
    """
    sample = throughput.repeated(texts, sum(map(_requests, AT_ONCE)))
    rates: list[BatchRate] = []
    best, idle_steps, first, ended_by = 0.0, 0, 0, "largest size"
    for at_once in AT_ONCE:
        count = _requests(at_once)
        start = time.perf_counter()
        answered, limited = send(sample[first : first + count], at_once)
        seconds = time.perf_counter() - start
        first += count
        if not answered:
            ended_by = "no answer"
            break
        per_s = answered / seconds
        figure = measured(per_s, "comments/s", "perf_counter, network included", answered)
        rates.append(BatchRate(at_once, figure, unavailable("core-ms", ON_SERVER)))
        idle_steps = 0 if per_s > best * throughput.WORTHWHILE_GAIN else idle_steps + 1
        best = max(best, per_s)
        if limited or idle_steps == 2:
            ended_by = "rate limit" if limited else "no gain"
            break
    if not rates:
        raise CellError(f"the server answered none of {first} requests")
    fastest = max(rates, key=lambda rate: rate.comments_per_s.value or 0.0)
    return Throughput(
        tuple(rates), ended_by, MachineRate(1, fastest.comments_per_s, fastest.core_ms)
    )


def _requests(at_once: int) -> int:
    return max(_FEWEST_REQUESTS, _ROUNDS * at_once)

"""The costs of a cascade, as far as they follow from what was measured of its two models.

Comments passed on are taken to be as long as the others.
"""

from collections.abc import Callable

import numpy as np

from worthit.bench.saved.record import CellRecord, Run, measured
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.cascade import Cascade

Of = Callable[[Run, Cascade], Bounded]


def by_comment(cost: Callable[[Run, CellRecord], Bounded]) -> Of:
    """Of each comment the cheap model's, and the dear one's of those passed on."""

    def of(run: Run, cascade: Cascade) -> Bounded:
        cheap, dear = cost(run, cascade.cheap), cost(run, cascade.dear)
        unit = cheap.figure.unit
        return bounds.total([cheap, dear.times(cascade.passed_share, unit)], unit)

    return of


def training_s(run: Run, cascade: Cascade) -> Bounded:
    """Of both."""
    both = [bounds.training_s(run, cell) for cell in (cascade.cheap, cascade.dear)]
    return bounds.total(both, "s")


def latency_p50_ms(run: Run, cascade: Cascade) -> Bounded:
    """The median of the cheap model's latencies, and of those of both one after the other."""
    cheap = bounds.latency_p50_ms(run, cascade.cheap)
    dear = bounds.latency_p50_ms(run, cascade.dear)
    if cheap.value is None or dear.value is None:
        return bounds.total([cheap, dear], "ms")
    assert cascade.cheap.latency is not None
    assert cascade.dear.latency is not None
    alone = np.asarray(cascade.cheap.latency.samples_ms)
    passed = cheap.value + np.asarray(cascade.dear.latency.samples_ms)
    weights = np.concatenate(
        [
            np.full(len(alone), (1 - cascade.passed_share) / len(alone)),
            np.full(len(passed), cascade.passed_share / len(passed)),
        ]
    )
    both = np.concatenate([alone, passed])
    order = np.argsort(both)
    middle = int(np.searchsorted(weights[order].cumsum(), 0.5))
    median = float(both[order][min(middle, len(both) - 1)])
    return bounds.within(measured(median, "ms", "latencies of both models"), bounds.noise(run))


def peak_mb(run: Run, cascade: Cascade) -> Bounded:
    return bounds.absent("MB", "two models in one process were not measured")

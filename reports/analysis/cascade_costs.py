"""The costs of a cascade, as they follow from the measured costs of its two models.

Comments that are passed on count as long as the others.
"""

import numpy as np

from worthit.bench.saved.record import Run, measured
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.figures import FigureSpec, Values


def cost(run: Run, cascade: Cascade, spec: FigureSpec, values: Values) -> Bounded:
    """One figure of a cascade, by the rule in the table of figures."""
    cheap = values[cascade.cheap.name, spec.key]
    expensive = values[cascade.expensive.name, spec.key]
    unit = cheap.figure.unit
    if spec.cascade == "sum":
        return bounds.total([cheap, expensive], unit)
    if spec.cascade == "per comment":
        return bounds.total([cheap, expensive.times(cascade.passed_share, unit)], unit)
    if spec.cascade == "latency":
        return _latency_p50_ms(run, cascade, cheap, expensive)
    return bounds.absent(unit, "two models in one process were not measured")


def _latency_p50_ms(run: Run, cascade: Cascade, cheap: Bounded, expensive: Bounded) -> Bounded:
    """The median over the cheap model's latencies and those of both models in sequence."""
    if cheap.value is None or expensive.value is None:
        return bounds.total([cheap, expensive], "ms")
    assert cascade.cheap.latency is not None
    assert cascade.expensive.latency is not None
    alone = np.asarray(cascade.cheap.latency.samples_ms)
    passed = cheap.value + np.asarray(cascade.expensive.latency.samples_ms)
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

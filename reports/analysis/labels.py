"""What more labels would buy, extrapolated from a learning curve.

The error of a model is taken to fall as c + a n^-b in the number of training comments n: a power law
that ends at an error which no number of labels removes (Hestness et al. 2017, "Deep Learning Scaling is
Predictable, Empirically"; Figueroa et al. 2012, "Predicting sample size required for classification
performance"). The gain from more labels has a profile-likelihood interval: it covers every curve whose
squared errors an F test does not reject. In simulated curves of 4 to 6 points (power laws with and without a
last error, plateaus, flat curves; test sets of 500 and 2,886 comments; trainings that differ by 0.5 to 1.5
points), 94 to 99 % of the 95 % intervals contained the true gain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis.learning import CurvePoint, Curves
from worthit.reports.analysis.paired_tests import Difference, Pair, between
from worthit.reports.analysis.run_view import by_model

#: the number of labels whose gain is estimated
NEXT = 200
#: three parameters, and one point more
_FEWEST_POINTS = 4
_WIDEST = 10.0  # ratio of the ends of an interval, else the gain is not determined
_EXPONENTS = np.geomspace(0.05, 2.0, 40)


@dataclass(frozen=True)
class Gain:
    """The estimated gain in test accuracy from more labels, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_determined(self) -> bool:
        """True if the curve shows that there is a gain, and how large it is to within a factor."""
        return self.low > 0 and self.high <= _WIDEST * self.low


@dataclass(frozen=True)
class Prospect:
    """What one model gains from more labels, and from being replaced."""

    model: str
    comments: int  # it was trained on
    gain: Gain | None  # from NEXT labels
    reason: str  # why the gain is not known, or not shown
    better: str = ""  # the most accurate model, if it is significantly more accurate
    lead: Difference | None = None  # of that model
    labels: int | None = None  # that gain as much; None: more than the curve can tell


def gain(comments: Sequence[int], errors: Sequence[float], more: float) -> Gain:
    """The gain from labels beyond the largest training set.

    Args:
        comments: sizes of four training sets or more, growing.
        errors: share of test comments classified wrongly with each.
        more: number of additional labels.
    """
    sizes, wrong = np.asarray(comments, float), np.asarray(errors)
    last = sizes[-1]
    powers = sizes ** -_EXPONENTS[:, None]
    centred = powers - powers.mean(axis=1, keepdims=True)
    squares = (centred**2).sum(axis=1)
    factors = centred @ (wrong - wrong.mean()) / squares
    misfits = ((wrong - wrong.mean() - factors[:, None] * centred) ** 2).sum(axis=1)
    best = int(misfits.argmin())
    freedom = len(sizes) - 3
    accepted = misfits[best] * (1 + stdtrit(freedom, 0.975) ** 2 / freedom)
    reach = np.sqrt(np.maximum(accepted - misfits, 0) / squares)
    steps = last**-_EXPONENTS - (last + more) ** -_EXPONENTS
    able = misfits <= accepted
    return Gain(
        float(factors[best] * steps[best]),
        float(((factors - reach) * steps)[able].min()),
        float(((factors + reach) * steps)[able].max()),
    )


def prospects(run: Run, curves: Curves, pairs: Sequence[Pair]) -> list[Prospect]:
    """What more labels would buy, for each model with a learning curve."""
    first = {model: cells[0] for model, cells in by_model(run).items()}
    return [_prospect(model, points, first, pairs) for model, points in curves.items()]


def _prospect(
    model: str,
    points: Sequence[CurvePoint],
    first: dict[str, CellRecord],
    pairs: Sequence[Pair],
) -> Prospect:
    comments = points[-1].comments
    better, lead = _better(model, first, pairs)
    if len(points) < _FEWEST_POINTS:
        reason = f"a curve needs {_FEWEST_POINTS} points, this one has {len(points)}"
        return Prospect(model, comments, None, reason, better, lead)
    if comments < NEXT:
        reason = f"{NEXT} labels more than double {comments:,}, too far to extrapolate"
        return Prospect(model, comments, None, reason, better, lead)
    sizes = [point.comments for point in points]
    errors = [1 - point.accuracy.value for point in points]
    found = gain(sizes, errors, NEXT)
    if not found.is_determined:
        reason = (
            f"the curve is too noisy or too flat to tell the gain to within a factor of {_WIDEST:g}"
        )
        return Prospect(model, comments, found, reason, better, lead)
    labels = None if lead is None else _labels_for(lead.value, sizes, errors)
    return Prospect(model, comments, found, "", better, lead, labels)


def _better(
    model: str, first: dict[str, CellRecord], pairs: Sequence[Pair]
) -> tuple[str, Difference | None]:
    """The model with the largest significant lead over this one."""
    leads = {
        other: between(pairs, cell.name, first[model].name).accuracy
        for other, cell in first.items()
        if model in first and other != model
    }
    shown = {other: lead for other, lead in leads.items() if lead.is_significant and lead.value > 0}
    if not shown:
        return "", None
    best = max(shown, key=lambda other: shown[other].value)
    return best, shown[best]


def _labels_for(lead: float, sizes: Sequence[int], errors: Sequence[float]) -> int | None:
    """How many labels gain as much as a lead; None if doubling the training set does not."""
    low, high = 0.0, float(sizes[-1])
    if gain(sizes, errors, high).value < lead:
        return None
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if gain(sizes, errors, middle).value >= lead else (middle, high)
    return math.ceil(high)

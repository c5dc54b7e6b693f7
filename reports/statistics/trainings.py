"""The uncertainty of a figure over test comments and over trainings (seeds).

A figure of several trainings is their mean. Its variance has two levels, as in a hierarchical
bootstrap: of the comments, which all trainings share, and of the trainings. Drawing two or three
seeds with replacement gives too small a variance of the outer level, so it is estimated from the
figures themselves, and the interval is Student's t with the degrees of freedom of the sum
(Satterthwaite 1946). `worthit.reports.verdict.simulation` has its coverage.

With one training, nothing is known of the outer level: the interval is that of this training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit  # scipy.stats takes 0.4 s to import

Numbers = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Spread:
    """The variance of one figure, or of many at once, by level."""

    comments: Numbers
    trainings: Numbers  # of the mean over seeds, summed over models; 0 for one training each
    freedom: Numbers  # degrees of freedom of both together; infinite without seeds

    @classmethod
    def of(cls, comments: npt.ArrayLike, figures: Sequence[npt.ArrayLike]) -> "Spread":
        """The spread of a figure, or of the difference of two models.

        Args:
            comments: the variance over comments.
            figures: of each model, the figure with each of its seeds, shape (seeds, …).
        """
        variance = np.asarray(comments, np.float64)
        trainings, squares = np.zeros_like(variance), np.zeros_like(variance)
        for of_model in map(np.asarray, figures):
            seeds = len(of_model)
            if seeds > 1:
                of_mean = of_model.var(axis=0, ddof=1) / seeds
                trainings = trainings + of_mean
                squares = squares + of_mean**2 / (seeds - 1)
        total = (variance + trainings) ** 2
        freedom = np.divide(total, squares, out=np.full_like(total, np.inf), where=squares > 0)
        return cls(variance, trainings, freedom)

    @property
    def error(self) -> Numbers:
        """The standard error."""
        return np.sqrt(self.comments + self.trainings)

    @property
    def reach(self) -> Numbers:
        """Half the width of the interval at `LEVEL`."""
        return np.asarray(stdtrit(self.freedom, (1 + LEVEL) / 2) * self.error)

    @property
    def stretch(self) -> float:
        """By what factor trainings widen an interval that is of the comments only; from 1 up."""
        alone = Spread.of(self.comments, ())
        return float(self.reach / alone.reach) if alone.reach > 0 else 1.0

    def p(self, value: float) -> float:
        """The two-sided p value of a figure that would be 0."""
        if self.error == 0:
            return 1.0 if value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(value) / self.error))


def of_shares(differences: npt.NDArray[np.floating]) -> Numbers:
    """The variance over comments of a mean difference of two models, shape (…).

    One more comment on which the models differ is added, half in favour of each, as Agresti and Min
    (2005) do: without it, models that agree on 20 comments would be known to be equal.

    Args:
        differences: of each comment, in how far one model is correct more often, shape (…, n).
    """
    comments = differences.shape[-1]
    return np.asarray(differences.var(axis=-1) / comments + one_comment(comments), np.float64)


def one_comment(comments: int) -> float:
    """The variance that one comment adds to a mean over this many: see `of_shares`."""
    return 1 / comments**2

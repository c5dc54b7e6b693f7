"""What a run's answers are chosen for: an option of reports, or what the classes' shares suggest.

By default it is accuracy, or balanced accuracy where a constant answer would have a high accuracy: if
less than `RARE` of the test comments are negative, or the largest of several classes has more than
twice its equal share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import DEFAULT_RECALL, Run
from worthit.datasets.errors import OptionError

#: a class with a smaller share of the test comments is rare
RARE = 0.2

Name = Literal["accuracy", "balanced-accuracy", "f1", "recall", "cost"]
NAMES: tuple[Name, ...] = get_args(Name)
OBJECTIVE, COST_MISS, COST_FALSE_ALARM = "--objective", "--cost-miss", "--cost-false-alarm"
RECALL = "--recall"


@dataclass(frozen=True)
class ErrorCosts:
    """What an error costs, in any currency."""

    miss: float  # a positive comment that is not found
    false_alarm: float  # another comment that is predicted positive


@dataclass(frozen=True)
class Objective:
    name: Name
    recall: float
    costs: ErrorCosts | None
    given: bool  # by the user

    @classmethod
    def of(cls, run: Run) -> "Objective":
        """That of the run's options, which `options.checked` has checked.

        With more than two classes, options that need a positive class are ignored: a run that was measured
        with them stays readable. Commands refuse them first (`require_two_classes`).
        """
        costs = error_costs(run.options)
        recall = float(run.options.get(RECALL, DEFAULT_RECALL))
        given = run.options.get(OBJECTIVE)
        if len(run.data.classes) != 2:
            costs = None
            given = None if given in ("recall", "cost") else given
        name = next((one for one in NAMES if one == given), None)
        if name is not None:
            return cls(name, recall, costs, given=True)
        if costs is not None:
            return cls("cost", recall, costs, given=True)
        return cls(_default(run), recall, None, given=False)

    @property
    def described(self) -> str:
        """In a few words, with the recall or the costs that it depends on."""
        if self.name == "recall":
            return f"recall {self.recall:g}"
        if self.name == "cost" and self.costs is not None:
            return f"cost (a miss {self.costs.miss:g}, a false alarm {self.costs.false_alarm:g})"
        return self.name


def require_two_classes(classes: int, given: Mapping[str, str]) -> None:
    """Refuse options that need a positive class.

    Args:
        classes: number of classes of the run.
        given: flag → text.

    Raises:
        OptionError: there are more than two classes.
    """
    of_two = [flag for flag in (COST_MISS, COST_FALSE_ALARM) if flag in given]
    if given.get(OBJECTIVE) in ("recall", "cost"):
        of_two.insert(0, f"{OBJECTIVE} {given[OBJECTIVE]}")
    if of_two and classes != 2:
        raise OptionError(
            f"{', '.join(of_two)} needs two classes; this run has {classes}, for which {OBJECTIVE} can be "
            "accuracy, balanced-accuracy or f1"
        )


def error_costs(given: Mapping[str, str]) -> ErrorCosts | None:
    """The costs among options, flag → text; None unless both are given."""
    if COST_MISS not in given or COST_FALSE_ALARM not in given:
        return None
    return ErrorCosts(float(given[COST_MISS]), float(given[COST_FALSE_ALARM]))


def class_shares(run: Run) -> npt.NDArray[np.float64]:
    """The share of each class among the test comments, shape (classes,)."""
    labels = run.data.test.labels
    return np.bincount(labels, minlength=len(run.data.classes)) / max(len(labels), 1)


def _default(run: Run) -> Name:
    shares = class_shares(run)
    if np.count_nonzero(shares) < 2:
        return "accuracy"
    rare = shares[0] < RARE if len(shares) == 2 else shares.max() > 2 / len(shares)
    return "balanced-accuracy" if rare else "accuracy"

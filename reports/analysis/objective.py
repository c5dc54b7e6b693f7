"""What a run's answers are chosen for: an option of reports, or what the classes' shares suggest.

By default it is accuracy, or balanced accuracy where a constant answer would have a high accuracy: if
less than `RARE` of the test comments are negative, or the largest of several classes has more than
twice its equal share. Of several labels it is macro F1: a rare label counts as much as a frequent one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import DEFAULT_RECALL, Run
from worthit.datasets.errors import OptionError
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Kind

#: a class with a smaller share of the test comments is rare
RARE = 0.2

Name = Literal[
    "accuracy",
    "balanced-accuracy",
    "f1",
    "recall",
    "cost",
    "macro-f1",
    "micro-f1",
    "subset-accuracy",
]
NAMES: tuple[Name, ...] = get_args(Name)
#: those of each kind of task
NAMES_OF: Mapping[Kind, tuple[Name, ...]] = {
    "two classes": ("accuracy", "balanced-accuracy", "f1", "recall", "cost"),
    "several classes": ("accuracy", "balanced-accuracy", "f1"),
    "several labels": ("macro-f1", "micro-f1", "subset-accuracy"),
}
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

        Options that do not suit what models answer are ignored: a run that was measured with them stays
        readable. Commands refuse them first (`require_suitable`).
        """
        kind = class_names.kind(run.data)
        costs = error_costs(run.options) if kind == "two classes" else None
        recall = float(run.options.get(RECALL, DEFAULT_RECALL))
        given = run.options.get(OBJECTIVE)
        name = next((one for one in NAMES_OF[kind] if one == given), None)
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
            return (
                f"cost (a miss {self.costs.miss:.10g}, a false alarm {self.costs.false_alarm:.10g})"
            )
        return self.name


def require_suitable(classes: int, *, multilabel: bool, given: Mapping[str, str]) -> None:
    """Refuse options that do not suit what models answer.

    Args:
        classes: number of classes of the run, or of labels.
        multilabel: whether a comment has any number of them.
        given: flag → text.

    Raises:
        OptionError: the objective is none of this kind of task, or costs need two classes.
    """
    kind = class_names.kind_of(classes, multilabel=multilabel)
    *others, last = NAMES_OF[kind]
    allowed = f"{OBJECTIVE} can be {', '.join(others)} or {last}"
    of_two = [
        flag for flag in (COST_MISS, COST_FALSE_ALARM) if flag in given and kind != "two classes"
    ]
    name = given.get(OBJECTIVE)
    if name is not None and name not in NAMES_OF[kind]:
        if name not in NAMES_OF["two classes"]:
            raise OptionError(
                f"{OBJECTIVE} {name} needs several labels per comment; this run has {classes} classes, for "
                f"which {allowed}"
            )
        of_two.insert(0, f"{OBJECTIVE} {name}")
    if of_two:
        what = f"several labels ({classes})" if multilabel else f"{classes}"
        needed = "classes" if name in NAMES_OF["several classes"] else "two classes"
        raise OptionError(
            f"{', '.join(of_two)} needs {needed}; this run has {what}, for which {allowed}"
        )


def error_costs(given: Mapping[str, str]) -> ErrorCosts | None:
    """The costs among options, flag → text; None unless both are given."""
    if COST_MISS not in given or COST_FALSE_ALARM not in given:
        return None
    return ErrorCosts(float(given[COST_MISS]), float(given[COST_FALSE_ALARM]))


def class_shares(run: Run) -> npt.NDArray[np.float64]:
    """The share of each class or label among the test comments, shape (classes,)."""
    truth = class_names.truth(run.data, run.data.test)
    if truth.ndim == 2:
        return np.asarray(truth.sum(axis=0) / max(len(truth), 1))
    return np.bincount(truth, minlength=len(run.data.classes)) / max(len(truth), 1)


def _default(run: Run) -> Name:
    if class_names.of_labels(run):
        return "macro-f1"
    shares = class_shares(run)
    if np.count_nonzero(shares) < 2:
        return "accuracy"
    rare = shares[0] < RARE if len(shares) == 2 else shares.max() > 2 / len(shares)
    return "balanced-accuracy" if rare else "accuracy"

"""What follows from the kind of a run's task: its figures, and how sentences call them.

The kind is decided in `worthit.reports.text.class_names.kind`: one of two classes, one of several classes, or any
number of labels. Sections, tests and the verdict read this table instead of asking for the kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import Run
from worthit.reports.analysis.objective import Name, Objective
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Kind


@dataclass(frozen=True)
class Task:
    """The figures of one kind of task."""

    correct: Measure  # the share of comments whose whole answer is correct
    auc: Measure
    decisions: tuple[Measure, ...]  # of the answers
    scores: tuple[Measure, ...]  # of the probabilities
    by_objective: Mapping[Name, Measure]  # what decides, for what answers are chosen for
    #: key in the table of figures of what the frontier ranks: `correct`, or what decides
    ranked: Literal["accuracy", "deciding"] = "accuracy"


_TASKS: Mapping[Kind, Task] = {
    "two classes": Task(
        metrics.ACCURACY,
        metrics.ROC_AUC,
        metrics.DECISIONS,
        metrics.SCORES,
        {
            "accuracy": metrics.ACCURACY,
            "recall": metrics.ACCURACY,
            "balanced-accuracy": metrics.BALANCED_ACCURACY,
            "f1": metrics.F1,
            "cost": metrics.SAVED_COST,
        },
    ),
    "several classes": Task(
        metrics.ACCURACY,
        metrics.MACRO_ROC_AUC,
        metrics.MACRO_DECISIONS,
        metrics.MACRO_SCORES,
        {
            "accuracy": metrics.ACCURACY,
            "balanced-accuracy": metrics.MACRO_RECALL,
            "f1": metrics.MACRO_F1,
        },
    ),
    "several labels": Task(
        metrics.SUBSET_ACCURACY,
        metrics.LABEL_ROC_AUC,
        metrics.LABEL_DECISIONS,
        metrics.LABEL_SCORES,
        {
            "macro-f1": metrics.LABEL_F1,
            "micro-f1": metrics.MICRO_F1,
            "subset-accuracy": metrics.SUBSET_ACCURACY,
        },
        ranked="deciding",
    ),
}


def of(run: Run) -> Task:
    return _TASKS[class_names.kind(run.data)]


def ranking(run: Run) -> Measure:
    """By which figure the frontier ranks models."""
    found = of(run)
    if found.ranked == "deciding":
        return found.by_objective[Objective.of(run).name]
    return found.correct

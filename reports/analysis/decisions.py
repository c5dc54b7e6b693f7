"""How a model's scores become probabilities and answers: chosen on validation comments.

No model was trained or tested on these comments, so intervals over test comments stay valid: they
are of the model with its choice.

**Calibration.** `calibration` says how. A model that class weights trained has scores for equally common classes. They
are first corrected for the shares here, once (`natural.corrected` gives the source); "raw" is then with this
correction. Without validation comments, they are corrected for the shares of the training comments.

**Answers.** Offsets are added to the calibrated log-probabilities, and the highest one is the answer:

- accuracy: none;
- balanced accuracy: minus the logarithm of each class's share;
- F1 of two classes: the threshold with the highest F1 that the calibrated probabilities of the
  validation comments imply (it varies less than that of their labels); of more, the best of five
  multiples of the offsets for balanced accuracy, by macro F1;
- recall: the highest threshold that finds the given share of the positive validation comments;
- cost: Bayes' rule, for the class shares of the natural test set (`natural.shares`).

Of more than two classes, offsets also change how comments rank by the score of one class. So ROC AUC, average
precision, Brier score and calibration error are of the calibrated probabilities (`run_view.calibrated`).

Each of several labels is a task of two classes: calibrated by itself, with a threshold.

- macro F1: for each label the threshold for its F1, as above;
- micro F1: the same for all labels together, one threshold for all calibrated probabilities;
- subset accuracy: 0.5, the likeliest set of labels if they are independent.

A label that no validation comment has, or each of them, keeps its scores and the threshold 0.5.

`worthit.reports.verdict.calibration_simulation` shows what this gains and loses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Data
from worthit.bench.saved.record import CellRecord, OutOfDomainScores, Quality, Run
from worthit.reports.analysis.objective import Objective
from worthit.reports.analysis.run_view import DecidedQuality, scores, truth
from worthit.reports.statistics import calibration, metrics, natural
from worthit.reports.statistics.calibration import RAW, Calibration
from worthit.reports.statistics.ranking_curve import Vector
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities

#: fewer validation comments change nothing
LEAST_COMMENTS = 50
_F1_MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0)

Floats = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """What is done to the scores of one training."""

    objective: str  # the name of what the answers are chosen for
    comments: int  # validation comments that chose it; 0: nothing was chosen
    calibration: Calibration = RAW
    offsets: tuple[float, ...] = ()  # of each class; empty: none
    shares: tuple[float, ...] = ()  # of the classes for which calibrated scores are probabilities
    by_label: tuple[
        "Choice", ...
    ] = ()  # of several labels, one of two classes for each; else empty

    @property
    def calibrates(self) -> bool:
        return not self.calibration.changes_nothing or any(one.calibrates for one in self.by_label)

    @property
    def moves_answers(self) -> bool:
        """True if calibrated scores alone would give other answers."""
        return bool(self.offsets) or any(one.moves_answers for one in self.by_label)

    @property
    def changes_scores(self) -> bool:
        return self.calibrates or self.moves_answers

    def calibrated(self, probabilities: Probabilities) -> Probabilities:
        """Calibrated probabilities, in the shape given: (n,) of the positive class, or (n, k)."""
        if self.by_label:
            labels = zip(self.by_label, probabilities.T, strict=True)
            return np.stack([choice.calibrated(of) for choice, of in labels], axis=1)
        if self.calibration.changes_nothing:
            return probabilities
        logits = self.calibration.logits(calibration.logarithms(probabilities))
        return calibration.probabilities(logits, probabilities.ndim)

    def decided(self, probabilities: Probabilities) -> Probabilities:
        """The same with the offsets: the class of the highest value, or from 0.5 on, is the answer."""
        if self.by_label:
            labels = zip(self.by_label, probabilities.T, strict=True)
            return np.stack([choice.decided(of) for choice, of in labels], axis=1)
        if not self.offsets:
            return self.calibrated(probabilities)
        logits = self.calibration.logits(calibration.logarithms(probabilities))
        return calibration.probabilities(logits + np.asarray(self.offsets), probabilities.ndim)

    @property
    def threshold(self) -> float:
        """Of two classes: the calibrated probability from which on the answer is positive."""
        first, second = self.offsets or (0.0, 0.0)
        return float(1 / (1 + np.exp(second - first)))


@dataclass(frozen=True)
class Decisions:
    """A run with the choice for each training.

    Every score of `decided` is one for which `metrics.predicted`, of labels `metrics.flagged`, gives the
    chosen answer; `run_view.calibrated` gives its cells with those of `calibrated`. Learning curves are left
    out: their trainings have no scores of validation comments.
    """

    measured: Run
    calibrated: Run
    decided: Run
    choices: Mapping[str, Choice]  # by cell name
    objective: Objective

    @classmethod
    def of(cls, run: Run, objective: Objective | None = None) -> "Decisions":
        """Choose for an objective, by default that of the run's options.

        Args:
            objective: must suit the number of classes.
        """
        objective = objective or Objective.of(run)
        choices = {
            cell.name: choose(run, cell, objective)
            for cell in run.cells
            if cell.quality is not None
        }
        calibrated, decided = run, run
        if any(choice.changes_scores for choice in choices.values()):
            calibrated = _applied(run, choices, _calibrated)
            decided = _applied(run, choices, _decided)
        return cls(run, calibrated, decided, choices, objective)


def choose(run: Run, cell: CellRecord, objective: Objective) -> Choice:
    """The choice for one training, which must have scores."""
    labels, probabilities = truth(run, "validation"), scores(run, cell, "validation")
    if len(labels) < LEAST_COMMENTS or len(probabilities) != len(labels):
        return without_validation(run, cell)
    if class_names.of_labels(run):
        weighted = natural.is_weighted(cell)
        return _of_labels(labels, probabilities, objective, weighted=weighted)
    shares = tuple(natural.validation_shares(run.data).tolist())
    prior = np.log(shares) if natural.is_weighted(cell) else None
    calibrated = calibration.calibrate(probabilities, labels, prior)
    unbiased = Choice(objective.name, len(labels), calibrated, shares=shares)
    offsets = _offsets(run.data, unbiased.calibrated(probabilities), labels, objective)
    return replace(unbiased, offsets=tuple(offsets.tolist()) if offsets.any() else ())


def without_validation(run: Run, cell: CellRecord) -> Choice:
    """No choice; but scores of a training with class weights are corrected for the training's shares."""
    if not natural.is_weighted(cell):
        return Choice("accuracy", 0)
    if class_names.of_labels(run):
        train = run.data.step("train")
        with_it = (np.asarray(train.counts) + 0.5) / (train.comments + 1)  # none is impossible
        return Choice(
            "accuracy", 0, by_label=tuple(_corrected(np.array([1 - of, of])) for of in with_it)
        )
    return _corrected(natural.training_shares(run.data))


def _corrected(shares: Vector) -> Choice:
    """Scores for equally common classes, corrected for these shares."""
    prior = Calibration(prior=tuple(np.log(shares).tolist()))
    return Choice("accuracy", 0, prior, shares=tuple(shares.tolist()))


def _of_labels(
    labels: Classes, probabilities: Probabilities, objective: Objective, *, weighted: bool
) -> Choice:
    """The choice for each label.

    Args:
        labels: 0 and 1, shape (n, labels).
        probabilities: of the same shape.
        weighted: whether comments with and without each label counted the same in training.
    """
    columns = list(zip(labels.T, probabilities.T, strict=True))
    calibrated = [_calibrated_label(truth, own, weighted=weighted) for truth, own in columns]
    together = Choice(objective.name, len(labels), by_label=tuple(calibrated))
    scores = together.calibrated(probabilities)
    thresholds = [metrics.THRESHOLD] * len(columns)
    if objective.name == "macro-f1":
        thresholds = [
            _f1_threshold(of) if choice.comments else metrics.THRESHOLD
            for choice, of in zip(calibrated, scores.T, strict=True)
        ]
    if objective.name == "micro-f1" and labels.any():
        thresholds = [_f1_threshold(scores.ravel())] * len(columns)
    decided = tuple(
        replace(choice, objective=objective.name, offsets=_at_label_threshold(threshold))
        for choice, threshold in zip(calibrated, thresholds, strict=True)
    )
    return replace(together, by_label=decided)


def _at_label_threshold(threshold: float) -> tuple[float, ...]:
    """Offsets; none for the threshold that answers have anyway."""
    return () if threshold == metrics.THRESHOLD else tuple(_at_threshold(threshold).tolist())


def _calibrated_label(truth: Classes, own: Probabilities, *, weighted: bool) -> Choice:
    """One label's calibration, without a threshold; not on comments of which all or none have the label."""
    counts = np.bincount(truth, minlength=2)
    shares = (counts + 0.5) / (counts.sum() + 1)
    if not counts.all():
        return _corrected(shares) if weighted else Choice("accuracy", 0)
    prior = np.log(shares) if weighted else None
    found = calibration.calibrate(own, truth, prior)
    return Choice("accuracy", len(truth), found, shares=tuple(shares.tolist()))


def _offsets(
    data: Data, calibrated: Probabilities, labels: Classes, objective: Objective
) -> Floats:
    """What is added to the log-probability of each class, shape (k,)."""
    classes = len(data.classes)
    shares = natural.validation_shares(data)
    if objective.name == "balanced-accuracy":
        return _centred(-np.log(shares))
    if objective.name == "f1":
        if classes == 2:
            return _at_threshold(_f1_threshold(calibrated))
        return _macro_f1_offsets(calibrated, labels, -np.log(shares))
    if objective.name == "recall":
        return _at_threshold(recall_threshold(calibrated, labels, objective.recall))
    if objective.costs is not None and objective.name == "cost":
        prior = np.log(np.maximum(natural.shares(data), 1e-12)) - np.log(shares)
        return _centred(prior + np.log([objective.costs.false_alarm, objective.costs.miss]))
    return np.zeros(classes)


def _centred(offsets: Floats) -> Floats:
    """Only differences count; equal offsets become 0."""
    return np.asarray(np.where(np.ptp(offsets) < 1e-9, 0.0, offsets - offsets.mean()))


def _at_threshold(threshold: float) -> Floats:
    clipped = np.clip(threshold, 1e-12, 1 - 1e-12)
    return np.array([0.0, np.log((1 - clipped) / clipped)])


def _f1_threshold(calibrated: Probabilities) -> float:
    """Half of the highest F1 that the probabilities imply (Lipton et al. 2014)."""
    highest_first = np.sort(calibrated)[::-1]
    hits, flagged = np.cumsum(highest_first), np.arange(1, len(highest_first) + 1)
    return float((2 * hits / (flagged + highest_first.sum())).max() / 2)


def _macro_f1_offsets(calibrated: Probabilities, labels: Classes, balancing: Floats) -> Floats:
    """The multiple of the offsets for balanced accuracy with the highest macro F1; the least of ties."""
    logs = calibration.logarithms(calibrated)
    known = [
        metrics.MACRO_F1.value(calibration.softmax(logs + times * balancing), labels.tolist())
        for times in _F1_MULTIPLES
    ]
    best = int(np.argmax([0.0 if value is None else value for value in known]))
    return _centred(_F1_MULTIPLES[best] * balancing)


def recall_threshold(calibrated: Probabilities, labels: Classes, recall: float) -> float:
    """Between the lowest score that must be flagged and the next lower one; 0.5 without positives."""
    positives = np.sort(calibrated[labels == 1])[::-1]
    if not len(positives):
        return 0.5
    lowest = positives[int(np.ceil(recall * len(positives) - 1e-9)) - 1]
    lower = calibrated[calibrated < lowest]
    return float((lowest + lower.max()) / 2 if len(lower) else lowest / 2)


def _applied(
    run: Run, choices: Mapping[str, Choice], change: Callable[[Data, Quality, Choice], Quality]
) -> Run:
    """The run with the scores of every part changed."""
    cells = tuple(
        cell
        if cell.quality is None
        else replace(cell, quality=change(run.data, cell.quality, choices[cell.name]))
        for cell in run.cells
    )
    return replace(run, cells=cells)


def _calibrated(data: Data, quality: Quality, choice: Choice) -> Quality:
    return _changed(data, quality, choice.calibrated) if choice.calibrates else quality


def _decided(data: Data, quality: Quality, choice: Choice) -> Quality:
    calibrated = _calibrated(data, quality, choice)
    if not choice.moves_answers:
        return calibrated
    return DecidedQuality(**vars(_changed(data, quality, choice.decided)), calibrated=calibrated)


def _changed(
    data: Data, quality: Quality, change: Callable[[Probabilities], Probabilities]
) -> Quality:
    def changed(flat: Sequence[float]) -> tuple[float, ...]:
        if not flat:
            return ()
        return tuple(change(class_names.probabilities(data, flat)).ravel().tolist())

    return replace(
        quality,
        train=changed(quality.train),
        test=changed(quality.test),
        natural=changed(quality.natural),
        validation=changed(quality.validation),
        out_of_domain=tuple(
            OutOfDomainScores(one.name, changed(one.probabilities)) for one in quality.out_of_domain
        ),
    )

"""How a model's scores become probabilities and answers: chosen on validation comments.

No model was trained or tested on these comments, so intervals over test comments stay valid: they
are of the model with its choice.

**Calibration.** Log-probabilities are multiplied by a scale, and a bias is added for each class. Three
methods compete: none ("raw"), the scale alone (temperature scaling, Guo et al. 2017), and both (for two
classes Platt scaling, Platt 1999). A fit minimises log loss plus a normal prior of deviation 1 around
"raw", so that it is finite where the classes are separable. The simplest method wins whose
cross-validated log loss is within one standard error of the best (Breiman et al. 1984): a good model is
left alone, a model that always says yes is not. A scale is positive: a model that ranks worse than
chance is not turned around. A model that class weights trained has scores for equally common classes. They
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

`worthit.reports.verdict.calibration_simulation` shows what this gains and loses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Data
from worthit.bench.saved.record import CellRecord, OutOfDomainScores, Quality, Run
from worthit.reports.analysis import metrics, natural
from worthit.reports.analysis.objective import Objective
from worthit.reports.analysis.run_view import scores
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities

Method = Literal["raw", "temperature", "temperature and bias"]
METHODS: tuple[Method, ...] = get_args(Method)  # the simplest first

#: fewer validation comments change nothing
LEAST_COMMENTS = 50
_FOLDS = 5
#: half of what the record's six digits resolve
_LEAST_PROBABILITY = 5e-7
_LEAST_SCALE = 0.01
_NEWTON_STEPS = 50
_CONVERGED = 1e-9
_F1_MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0)

Floats = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """From log-probabilities of k classes to calibrated ones."""

    method: Method = "raw"
    scale: float = 1.0
    biases: tuple[float, ...] = ()  # of each class; empty: none
    prior: tuple[float, ...] = ()  # of each class, added before the scale; empty: none

    @property
    def changes_nothing(self) -> bool:
        return self.method == "raw" and not self.prior

    def logits(self, log_probabilities: Floats) -> Floats:
        """Shape (n, k), up to a constant in each row."""
        corrected = log_probabilities + np.asarray(self.prior) if self.prior else log_probabilities
        scaled = self.scale * corrected
        return scaled + np.asarray(self.biases) if self.biases else scaled


@dataclass(frozen=True)
class Choice:
    """What is done to the scores of one training."""

    objective: str  # the name of what the answers are chosen for
    comments: int  # validation comments that chose it; 0: nothing was chosen
    calibration: Calibration = Calibration()
    offsets: tuple[float, ...] = ()  # of each class; empty: none
    shares: tuple[float, ...] = ()  # of the classes for which calibrated scores are probabilities

    @property
    def changes_scores(self) -> bool:
        return not self.calibration.changes_nothing or bool(self.offsets)

    def calibrated(self, probabilities: Probabilities) -> Probabilities:
        """Calibrated probabilities, in the shape given: (n,) of the positive class, or (n, k)."""
        if self.calibration.changes_nothing:
            return probabilities
        logits = self.calibration.logits(_logarithms(probabilities))
        return _probabilities(logits, probabilities.ndim)

    def decided(self, probabilities: Probabilities) -> Probabilities:
        """The same with the offsets: the class of the highest value, or from 0.5 on, is the answer."""
        if not self.offsets:
            return self.calibrated(probabilities)
        logits = self.calibration.logits(_logarithms(probabilities))
        return _probabilities(logits + np.asarray(self.offsets), probabilities.ndim)

    @property
    def threshold(self) -> float:
        """Of two classes: the calibrated probability from which on the answer is positive."""
        first, second = self.offsets or (0.0, 0.0)
        return float(1 / (1 + np.exp(second - first)))


@dataclass(frozen=True)
class Decisions:
    """A run with the choice for each training.

    Every score of `decided` is one for which `metrics.predicted` gives the chosen answer. Learning
    curves are left out: their trainings have no scores of validation comments.
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
            calibrated = _applied(run, choices, decide=False)
            decided = _applied(run, choices, decide=True)
        return cls(run, calibrated, decided, choices, objective)


def choose(run: Run, cell: CellRecord, objective: Objective) -> Choice:
    """The choice for one training, which must have scores."""
    labels = np.asarray(run.data.validation.labels, np.int64)
    probabilities = scores(run, cell, "validation")
    if len(labels) < LEAST_COMMENTS or len(probabilities) != len(labels):
        return _without_validation(run, cell)
    shares = tuple(natural.validation_shares(run.data).tolist())
    prior = np.log(shares) if natural.is_weighted(cell) else None
    calibration = calibrate(probabilities, labels, prior)
    unbiased = Choice(objective.name, len(labels), calibration, shares=shares)
    offsets = _offsets(run.data, unbiased.calibrated(probabilities), labels, objective)
    return replace(unbiased, offsets=tuple(offsets.tolist()) if offsets.any() else ())


def _without_validation(run: Run, cell: CellRecord) -> Choice:
    """No choice; but scores of a training with class weights are corrected for the training's shares."""
    if not natural.is_weighted(cell):
        return Choice("accuracy", 0)
    shares = natural.training_shares(run.data)
    prior = Calibration(prior=tuple(np.log(shares).tolist()))
    return Choice("accuracy", 0, prior, shares=tuple(shares.tolist()))


def calibrate(
    probabilities: Probabilities, labels: Classes, prior: Floats | None = None
) -> Calibration:
    """The simplest calibration within one standard error of the best, by cross-validation.

    Args:
        probabilities: of the positive class, shape (n,), or of each class, (n, k).
        labels: class indices, shape (n,).
        prior: shape (k,), the logarithm of each class's share, for scores of equally common classes.
    """
    logarithms = _logarithms(probabilities) + (0 if prior is None else prior)
    fold = np.random.default_rng(0).permutation(len(labels)) % _FOLDS
    losses = np.empty((len(METHODS), len(labels)))
    for row, method in enumerate(METHODS):
        for number in range(_FOLDS):
            out = fold == number
            fitted = fit(logarithms[~out], labels[~out], method)
            losses[row, out] = _losses(fitted.logits(logarithms[out]), labels[out])
    best = losses[losses.mean(axis=1).argmin()]
    for method, of_method in zip(METHODS, losses, strict=True):
        more = of_method - best
        if more.mean() <= more.std() / np.sqrt(len(labels)):
            added = () if prior is None else tuple(prior.tolist())
            return replace(fit(logarithms, labels, method), prior=added)
    raise AssertionError("the best method is within one standard error of itself")


def fit(log_probabilities: Floats, labels: Classes, method: Method) -> Calibration:
    """The parameters of one method, by Newton's method: the penalised loss is convex.

    Args:
        log_probabilities: shape (n, k).
    """
    if method == "raw":
        return Calibration()
    classes = log_probabilities.shape[1]
    free = np.ones(1 + classes, np.bool_)
    free[1:] = method != "temperature"
    found = _minimum(log_probabilities, labels, np.r_[1.0, np.zeros(classes)], free)
    if found[0] < _LEAST_SCALE:
        free[0] = False
        start = np.r_[_LEAST_SCALE, np.zeros(classes)]
        found = _minimum(log_probabilities, labels, start, free)
    biases = tuple(found[1:].tolist()) if method != "temperature" else ()
    return Calibration(method, float(found[0]), biases)


def _minimum(
    log_probabilities: Floats, labels: Classes, start: Floats, free: npt.NDArray[np.bool_]
) -> Floats:
    """Scale and biases, shape (1 + k,), of the least penalised loss over the free ones."""
    prior = np.r_[1.0, np.zeros(len(start) - 1)]

    def loss(at: Floats) -> float:
        fits = _losses(at[0] * log_probabilities + at[1:], labels).sum()
        return float(fits + np.square(at - prior).sum() / 2)

    at = start
    lowest = loss(at)
    for _ in range(_NEWTON_STEPS):
        gradient, curvature = _derivatives(log_probabilities, labels, at)
        gradient = (gradient + at - prior)[free]
        curvature = (curvature + np.eye(len(at)))[np.ix_(free, free)]
        step = np.zeros_like(at)
        if free.any():
            step[free] = np.linalg.solve(curvature, gradient)
        length = 1.0
        while (reached := loss(at - length * step)) > lowest and length > _CONVERGED:
            length /= 2
        if lowest - reached <= _CONVERGED:
            break
        at, lowest = at - length * step, reached
    return at


def _derivatives(log_probabilities: Floats, labels: Classes, at: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian of the summed log loss by scale and biases."""
    shares = _softmax(at[0] * log_probabilities + at[1:])
    rows = np.arange(len(labels))
    errors = shares.copy()
    errors[rows, labels] -= 1
    means = (shares * log_probabilities).sum(axis=1, keepdims=True)
    centred = shares * (log_probabilities - means)
    gradient = np.r_[(errors * log_probabilities).sum(), errors.sum(axis=0)]
    by_scale = np.r_[(centred * log_probabilities).sum(), centred.sum(axis=0)]
    curvature = np.empty((len(at), len(at)))
    curvature[0], curvature[:, 0] = by_scale, by_scale
    curvature[1:, 1:] = np.diag(shares.sum(axis=0)) - shares.T @ shares
    return gradient, curvature


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
    logarithms = _logarithms(calibrated)
    known = [
        metrics.MACRO_F1.value(_softmax(logarithms + times * balancing), labels.tolist())
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


def _applied(run: Run, choices: Mapping[str, Choice], *, decide: bool) -> Run:
    """The run with the scores of every part changed."""
    cells = tuple(
        cell
        if cell.quality is None
        else replace(cell, quality=_changed(run, cell.quality, choices[cell.name], decide=decide))
        for cell in run.cells
    )
    return replace(run, cells=cells)


def _changed(run: Run, quality: Quality, choice: Choice, *, decide: bool) -> Quality:
    def change(flat: Sequence[float]) -> tuple[float, ...]:
        if not flat:
            return ()
        change = choice.decided if decide else choice.calibrated
        found = change(class_names.probabilities(run.data, flat))
        return tuple(found.ravel().tolist())

    if choice.calibration.changes_nothing and not (decide and choice.offsets):
        return quality
    return replace(
        quality,
        train=change(quality.train),
        test=change(quality.test),
        natural=change(quality.natural),
        validation=change(quality.validation),
        out_of_domain=tuple(
            OutOfDomainScores(one.name, change(one.probabilities)) for one in quality.out_of_domain
        ),
    )


def _logarithms(probabilities: Probabilities) -> Floats:
    """Log-probabilities of each class, shape (n, k)."""
    if probabilities.ndim == 1:
        clipped = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return np.stack([np.log1p(-clipped), np.log(clipped)], axis=1)
    return np.asarray(np.log(np.maximum(probabilities, _LEAST_PROBABILITY)))


def _probabilities(logits: Floats, dimensions: int) -> Probabilities:
    if dimensions > 1:
        return _softmax(logits)
    return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _losses(logits: Floats, labels: Classes) -> Floats:
    """The log loss of each comment, shape (n,)."""
    highest = logits.max(axis=1)
    totals = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return np.asarray(totals - logits[np.arange(len(labels)), labels])

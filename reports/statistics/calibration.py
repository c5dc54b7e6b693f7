"""How scores become probabilities: calibration by log loss, fitted on labelled comments.

Log-probabilities are multiplied by a scale, and a bias is added for each class. Three methods compete: none
("raw"), the scale alone (temperature scaling, Guo et al. 2017), and both (for two classes Platt scaling,
Platt 1999). A fit minimises log loss plus a normal prior of deviation 1 around "raw", so that it is finite where
the classes are separable. The simplest method wins whose cross-validated log loss is within one standard error of
the best (Breiman et al. 1984): a good model is left alone, a model that always says yes is not. A scale is
positive: a model that ranks worse than chance is not turned around.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from worthit.reports.text.class_names import Probabilities

Method = Literal["raw", "temperature", "temperature and bias"]
METHODS: tuple[Method, ...] = get_args(Method)  # the simplest first

_FOLDS = 5
#: half of what the record's six digits resolve
_LEAST_PROBABILITY = 5e-7
_LEAST_SCALE = 0.01
_NEWTON_STEPS = 50
_CONVERGED = 1e-9

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


#: no calibration
RAW = Calibration()


def calibrate(
    probabilities: Probabilities, labels: Classes, prior: Floats | None = None
) -> Calibration:
    """The simplest calibration within one standard error of the best, by cross-validation.

    Args:
        probabilities: of the positive class, shape (n,), or of each class, (n, k).
        labels: class indices, shape (n,).
        prior: shape (k,), the logarithm of each class's share, for scores of equally common classes.
    """
    logs = logarithms(probabilities) + (0 if prior is None else prior)
    fold = np.random.default_rng(0).permutation(len(labels)) % _FOLDS
    losses = np.empty((len(METHODS), len(labels)))
    for row, method in enumerate(METHODS):
        for number in range(_FOLDS):
            out = fold == number
            fitted = fit(logs[~out], labels[~out], method)
            losses[row, out] = _losses(fitted.logits(logs[out]), labels[out])
    best = losses[losses.mean(axis=1).argmin()]
    for method, of_method in zip(METHODS, losses, strict=True):
        more = of_method - best
        if more.mean() <= more.std() / np.sqrt(len(labels)):
            added = () if prior is None else tuple(prior.tolist())
            return replace(fit(logs, labels, method), prior=added)
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
    shares = softmax(at[0] * log_probabilities + at[1:])
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


def logarithms(probabilities: Probabilities) -> Floats:
    """Log-probabilities of each class, shape (n, k)."""
    if probabilities.ndim == 1:
        clipped = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return np.stack([np.log1p(-clipped), np.log(clipped)], axis=1)
    return np.asarray(np.log(np.maximum(probabilities, _LEAST_PROBABILITY)))


def probabilities(logits: Floats, dimensions: int) -> Probabilities:
    if dimensions > 1:
        return softmax(logits)
    return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _losses(logits: Floats, labels: Classes) -> Floats:
    """The log loss of each comment, shape (n,)."""
    highest = logits.max(axis=1)
    totals = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return np.asarray(totals - logits[np.arange(len(labels)), labels])

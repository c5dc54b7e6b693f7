"""Trials of settings: train a model, score the validation comments, and judge the scores."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from worthit.bench.cell import Cell
from worthit.bench.cells import tuning
from worthit.bench.cells.cell_model import CellModel
from worthit.bench.cells.tuning import Outcome, OutOfTimeError, Score, Settings, Trial
from worthit.bench.instruments.disturbance import Watch, flag
from worthit.bench.saved.record import Tuning, measured, unavailable
from worthit.datasets.errors import CellError
from worthit.datasets.prepare import Comments
from worthit.models.contract import Labels, Probabilities, Progress

#: a class with a smaller share of the comments is rare
_RARE = 0.2
_SMALLEST = 1e-6  # of a probability, in the loss
_FACTORS = np.geomspace(0.1, 10, 41)  # of the logits


def tune(
    cell: Cell, cell_model: CellModel, train: Comments, validation: Comments, sizes: Sequence[int]
) -> Tuning:
    """Search settings of a cell's model within `cell.tune_s`.

    Args:
        validation: comments that the model is not trained on; there may be none.
        sizes: numbers of training comments to try settings on, growing.

    Raises:
        OptionError: the model has no such setting as its search space names.
    """
    assert cell.tune_s is not None
    by = measure(validation.labels, len(cell_model.classes))

    def try_out(settings: Settings, comments: int, left_s: float) -> Trial:
        started = time.perf_counter()
        in_time = until(started + left_s, time.perf_counter)
        model = cell_model.make().set_params(**settings)
        model.choose(validation.texts, validation.labels)
        chosen = time.perf_counter()
        texts, labels = train.texts[:comments], train.labels[:comments]
        scored = train_and_score(model, texts, labels, validation.texts, in_time)
        scores = scored.scores
        if model.is_weighted:
            scores = with_shares_of(validation.labels, scores)
        return Trial(
            judge(scores, validation.labels, by),
            chosen - started + scored.training_s,
            scored.scoring_s,
            model.get_params().get("epochs") or 1,
        )

    watch, start = Watch(cell.device), time.perf_counter()
    given = cell_model.make().get_params()
    space = cell_model.unfitted.search_space(len(train))

    @functools.cache  # reading all comments takes time
    def epochs_of(comments: int) -> float:
        passes: float = cell_model.unfitted.count_passes(train.texts[:comments])
        return passes

    cell_model.make().set_params(**{name: values[0] for name, values in space.items()})  # or raises
    search_s = unavailable("s", tuning.NOTHING_TO_TUNE)
    if len(validation):
        found = tuning.search(
            try_out, space, given, sizes, cell.tune_s, cell.seed, epochs_of=epochs_of
        )
        if space:
            search_s = measured(time.perf_counter() - start, "s", "perf_counter")
    else:
        found = Outcome({}, 0, 0, 0, reason="there are no validation comments")
        search_s = unavailable("s", found.reason)
    seen = watch.end()
    return flag(
        Tuning(
            budget_s=cell.tune_s,
            search_s=search_s,
            measure=by,
            trials=found.trials,
            tried=found.tried,
            comments=found.comments,
            chosen=found.chosen,
            given={name: given[name] for name in found.chosen},
            given_score=found.given,
            chosen_score=found.best,
            reason=found.reason,
            disturbance=seen,
        ),
        seen,
    )


@dataclass(frozen=True)
class Scored:
    """Scores of validation comments, and how long training and scoring took."""

    scores: Probabilities  # shape (n, classes)
    training_s: float
    scoring_s: float


def train_and_score(
    model: Any, texts: Sequence[str], labels: Labels, validation: Sequence[str], progress: Progress
) -> Scored:
    """Train a new model, and score the validation comments."""
    start = time.perf_counter()
    model.fit(texts, labels, progress)
    fitted = time.perf_counter()
    scores = model.predict_proba(validation)
    return Scored(scores, fitted - start, time.perf_counter() - fitted)


def until(deadline_s: float, clock: Callable[[], float]) -> Progress:
    """A progress callback that raises OutOfTimeError from a time on."""

    def check(done: int, total: int) -> None:
        if done < total and clock() > deadline_s:
            raise OutOfTimeError

    return check


def measure(labels: Labels, classes: int) -> str:
    """The name of what settings are judged by: one in which a constant answer has no advantage."""
    if labels.ndim == 2:
        return "average precision"
    shares = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    rare = shares.min() < _RARE if classes == 2 else shares.max() > 2 / classes
    return "average precision" if rare else "accuracy"


def with_shares_of(labels: Labels, scores: Probabilities) -> Probabilities:
    """Scores for equally common classes, as those for classes as common as among the labels.

    Bayes' rule, once: the odds of each class times its share. Half a comment is added to each class.

    Args:
        scores: shape (n, classes).
    """
    if labels.ndim == 2:
        columns = [
            with_shares_of(label, np.column_stack([1 - score, score]))[:, 1]
            for label, score in zip(labels.T, scores.T, strict=True)
        ]
        return np.column_stack(columns)
    odds = scores * (np.bincount(labels, minlength=scores.shape[1]) + 0.5)
    shares: Probabilities = odds / odds.sum(axis=1, keepdims=True)
    return shares


def judge(scores: Probabilities, labels: Labels, by: str) -> Score:
    """How good scores are: by the log loss, and by `measure`.

    The loss is that after the best scaling of the logits (temperature, Guo et al. 2017), so that settings do
    not win by being less sure. Of 500 comments a loss tells more than their accuracy. Measured was only the loss
    without this scaling: with 1,000 training comments of Wikipedia, settings that it chose were 0.1 points
    more accurate on other comments for tfidf and lsa, and 0.0 for word2vec, than those that accuracy chose.

    Args:
        scores: shape (n, classes). Of two classes, the average precision is that of the rarer one; of
            more, it is the mean over the classes that occur. Of several labels, both are means over the labels.

    Raises:
        CellError: some scores are not finite numbers.
    """
    if not np.isfinite(scores).all():
        raise CellError("these settings gave probabilities that are not numbers; training diverged")
    if labels.ndim == 2:
        return _judge_labels(scores, labels)
    negative_loss = -_scaled_log_loss(scores, labels)
    if by == "accuracy":
        # Of two equal probabilities, reports take the second class of two, the first of more.
        predicted = scores[:, 1] >= 0.5 if scores.shape[1] == 2 else scores.argmax(axis=1)
        return Score(negative_loss, float((predicted == labels).mean()))
    from sklearn.metrics import average_precision_score

    present, counts = np.unique(labels, return_counts=True)
    classes = present[[counts.argmin()]] if scores.shape[1] == 2 else present
    areas = [average_precision_score(labels == one, scores[:, one]) for one in classes]
    return Score(negative_loss, float(np.mean(areas)))


def _judge_labels(scores: Probabilities, labels: Labels) -> Score:
    """As `judge`, of several labels; the average precision is over those that some comment has."""
    from sklearn.metrics import average_precision_score

    pairs = list(zip(scores.T, labels.T, strict=True))
    losses = [
        _scaled_log_loss(np.column_stack([1 - score, score]), label) for score, label in pairs
    ]
    areas = [average_precision_score(label, score) for score, label in pairs if label.any()]
    return Score(-float(np.mean(losses)), float(np.mean(areas)) if areas else 0.0)


def _scaled_log_loss(scores: Probabilities, labels: Labels) -> float:
    """The lowest log loss over factors of the logits."""
    logits = np.log(np.clip(scores, _SMALLEST, 1))
    own = logits[np.arange(len(labels)), labels]
    return min(float((logsumexp(by * logits, axis=1) - by * own).mean()) for by in _FACTORS)

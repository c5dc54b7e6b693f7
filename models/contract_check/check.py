"""Checks that a model keeps the contract that the benchmark relies on, with synthetic comments.

`worthit check-model NAME` runs these checks for any model, and a test for each registered one. They
do not check quality: any model may be bad.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worthit.datasets import registry as datasets
from worthit.datasets.classes import LABEL_TYPE, TOXIC
from worthit.datasets.errors import DataError, WorthitError, described
from worthit.models.contract import Classifier, Labels, Probabilities
from worthit.models.contract_check.pickles import is_pickle

#: makes an untrained model for these classes, always the same
Make = Callable[[Sequence[str]], Classifier[Any]]

_COMMENTS, _HELD_OUT = 120, 100
_FEW = 40
_TOLERANCE = 0.02  # bf16 products depend on the batch's shape
_LOWEST_AUC = 0.25  # rarely lower by chance, and mostly lower if classes are swapped
_ODD_COMMENTS = {
    "an empty comment": "",
    "white space": " \n\t",
    "emoji": "\U0001f600\U0001f92c",
    "a huge comment": "word " * 20_000,
    "control characters": "\x00\x01",
    "right-to-left marks": "e\u0301\u202e",
    "an unseen word": "zxqv",
}


@dataclass(frozen=True)
class Check:
    """One rule, as a row in the table of `worthit check-model`."""

    name: str
    expected: str
    found: str
    verdict: Literal["ok", "off"]


class BrokenRuleError(Exception):
    """The model breaks a rule; the text says what was found."""


def examine(make: Make) -> Iterator[Check]:
    """Train the model a few times on 120 comments, and check it rule by rule.

    If the first training fails, the other rules are not checked.
    """
    data = _Comments()
    steps: list[tuple[int, int]] = []
    model = make(TOXIC)
    texts, held_out = data.texts, data.held_out
    training = _check("training", f"of {len(texts)} comments", partial(_train, model, data, steps))
    yield training
    if training.verdict == "off":
        return
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder)
        rules: list[tuple[str, str, Callable[[], str]]] = [
            ("progress", "ends at all comments", partial(_progress, model, steps, len(texts))),
            ("one class", "is refused", partial(_refuse, make, texts[:4], np.ones(4, LABEL_TYPE))),
            ("unequal lengths", "are refused", partial(_refuse, make, texts, data.labels[:-1])),
            ("probabilities", "a row of 2, sum 1", partial(_scores, model, held_out)),
            ("no comments", "shape (0, 2)", partial(_scores, model, [])),
            ("three classes", "rows of 3, or a refusal", partial(_three_classes, make, data)),
            ("two labels at once", "rows of 2, or a refusal", partial(_two_labels, make, data)),
            *(
                (name, "is scored", partial(_odd_comment, model, text))
                for name, text in _ODD_COMMENTS.items()
            ),
            ("scored twice", "the same scores", partial(_score_twice, model, held_out)),
            ("alone or together", f"within {_TOLERANCE}", partial(_alone, model, held_out[:20])),
            ("order of classes", f"ROC AUC ≥ {_LOWEST_AUC}", partial(_order, model, data)),
            ("trained again", "the same scores", partial(_train_again, make, model, data)),
            ("saved, loaded", f"within {_TOLERANCE}", partial(_save, model, held_out, saved)),
            ("files", "none is a pickle", partial(_no_pickle, saved)),
        ]
        for rule in rules:
            yield _check(*rule)


def _check(name: str, expected: str, find: Callable[[], str]) -> Check:
    try:
        return Check(name, expected, find(), "ok")
    except BrokenRuleError as broken:
        return Check(name, expected, str(broken), "off")
    except Exception as error:  # whatever the model's code raises
        return Check(name, expected, described(error, 160), "off")


class _Comments:
    """Training comments, half of them of each class, and held-out ones."""

    def __init__(self) -> None:
        table = datasets.source("synthetic:1200").read()
        texts, labels = table["text"].to_pylist(), table["label"].to_numpy()
        half = _COMMENTS // 2
        rows = sorted(row for kind in (0, 1) for row in np.flatnonzero(labels == kind)[:half])
        self.texts: list[str] = [texts[row] for row in rows]
        self.labels: Labels = labels[rows]
        self.held_out: list[str] = texts[-_HELD_OUT:]
        self.held_out_labels: Labels = labels[-_HELD_OUT:]


def _train(model: Classifier[Any], data: _Comments, steps: list[tuple[int, int]]) -> str:
    texts, labels = list(data.texts), data.labels.copy()
    model.fit(texts, labels, lambda done, total: steps.append((done, total)))
    if texts != data.texts or (labels != data.labels).any():
        raise BrokenRuleError("the comments or labels were changed")
    return "trained" if model.trains else "not tuned"


def _progress(model: Classifier[Any], steps: list[tuple[int, int]], comments: int) -> str:
    if not model.trains:
        return "not tuned"
    if not steps or steps[-1][0] != steps[-1][1]:
        raise BrokenRuleError(f"it ended at {steps[-1] if steps else 'nothing'}")
    done, total = steps[-1]
    if total <= 0 or total % comments:  # a model may read each comment several times
        raise BrokenRuleError(f"it reported {total} comments, there are {comments}")
    return f"{done} of {total}"


def _refuse(make: Make, texts: Sequence[str], labels: Labels) -> str:
    try:
        make(TOXIC).fit(texts, labels)
    except DataError:
        return "refused"
    raise BrokenRuleError("was trained on")


def _scores(model: Classifier[Any], texts: Sequence[str]) -> str:
    return _require_distributions(model.predict_proba(texts), len(texts))


def _require_distributions(scores: Probabilities, comments: int, classes: int = 2) -> str:
    """Describe the scores; raise BrokenRuleError unless each row is a distribution."""
    found = _require_probabilities(scores, comments, classes)
    if comments and np.abs(scores.sum(axis=1) - 1).max() > 1e-6:
        raise BrokenRuleError(f"a row sums to {scores.sum(axis=1).max():.6g}")
    return found


def _require_probabilities(scores: Probabilities, comments: int, classes: int) -> str:
    if not isinstance(scores, np.ndarray):
        raise BrokenRuleError(f"a {type(scores).__name__}, not a numpy array")
    if scores.shape != (comments, classes):
        raise BrokenRuleError(f"shape {scores.shape} for {comments} comments")
    if not np.isfinite(scores).all():
        rows = int((~np.isfinite(scores)).any(axis=1).sum())
        raise BrokenRuleError(f"{rows} rows are not numbers")
    if (scores < 0).any() or (scores > 1).any():
        raise BrokenRuleError(f"from {scores.min():.3g} to {scores.max():.3g}")
    return f"shape {scores.shape}"


def _three_classes(make: Make, data: _Comments) -> str:
    """A model may support two classes only, if it says so."""
    labels = (np.arange(len(data.texts)) % 3).astype(LABEL_TYPE)
    try:
        scores = make(("one", "two", "three")).fit(data.texts, labels).predict_proba(data.held_out)
    except WorthitError:
        return "refused"
    return _require_distributions(scores, len(data.held_out), 3)


def _two_labels(make: Make, data: _Comments) -> str:
    """A model may learn one label only, if it says so."""
    texts, labels = data.texts[:_FEW], data.labels[:_FEW]
    others = (np.arange(len(texts)) % 3 == 0).astype(LABEL_TYPE)
    model = make(("one", "two"))
    model.multilabel = True
    try:
        scores = model.fit(texts, np.column_stack([labels, others])).predict_proba(data.held_out)
    except WorthitError:
        return "refused"
    return _require_probabilities(scores, len(data.held_out), 2)


def _odd_comment(model: Classifier[Any], text: str) -> str:
    scores = model.predict_proba([text])
    _require_distributions(scores, 1)
    return f"{scores[0, 1]:.3f}"


def _score_twice(model: Classifier[Any], texts: Sequence[str]) -> str:
    return _compare(model.predict_proba(texts), model.predict_proba(texts), 0)


def _alone(model: Classifier[Any], texts: Sequence[str]) -> str:
    alone = np.vstack([model.predict_proba([text]) for text in texts])
    return _compare(model.predict_proba(texts), alone, _TOLERANCE)


def _train_again(make: Make, model: Classifier[Any], data: _Comments) -> str:
    again = make(TOXIC).fit(data.texts, data.labels)
    return _compare(model.predict_proba(data.held_out), again.predict_proba(data.held_out), 0)


def _save(model: Classifier[Any], texts: Sequence[str], folder: Path) -> str:
    model.save(folder)
    loaded = type(model).load(folder, model.device)
    if loaded.get_params() != model.get_params():
        raise BrokenRuleError("other settings")
    if loaded.size() != model.size():
        raise BrokenRuleError(f"{loaded.size()}, not {model.size()}")
    return _compare(model.predict_proba(texts), loaded.predict_proba(texts), _TOLERANCE)


def _compare(some: Probabilities, others: Probabilities, limit: float) -> str:
    if some.shape != others.shape:
        raise BrokenRuleError(f"shapes {some.shape} and {others.shape}")
    difference = float(np.abs(some - others).max())
    if not difference <= limit:
        raise BrokenRuleError(f"they differ by up to {difference:.2g}")
    return "the same" if difference == 0 else f"differ by up to {difference:.1g}"


def _order(model: Classifier[Any], data: _Comments) -> str:
    from sklearn.metrics import roc_auc_score

    area = roc_auc_score(data.held_out_labels, model.predict_proba(data.held_out)[:, 1])
    if area < _LOWEST_AUC:
        raise BrokenRuleError(f"{area:.2f}: column 1 must be class 1")
    return f"{area:.2f}"


def _no_pickle(folder: Path) -> str:
    files = [file for file in folder.rglob("*") if file.is_file()]
    pickles = [str(file.relative_to(folder)) for file in files if is_pickle(file)]
    if pickles:
        raise BrokenRuleError(f"{', '.join(sorted(pickles))}: loading a pickle can execute code")
    return f"{len(files)} files"

"""Whether a model keeps the contract that the benchmark relies on, on comments made by code.

The same checks for the models here and for anybody's: `worthit check-model NAME`, and a test of each
registered one. Quality is not among them: any model may be bad.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worthit.datasets import registry as datasets
from worthit.datasets.errors import DataError, WorthitError
from worthit.models.contract import TOXIC, Classifier, Labels, Probabilities
from worthit.models.contract_check.pickles import is_pickle

#: Makes an untrained model for those classes, always the same.
Make = Callable[[Sequence[str]], Classifier[Any]]

_COMMENTS, _HELD_OUT = 120, 100
_ALIKE = 0.02  # bf16 products differ with the batch's shape
_LOWEST_AUC = 0.25  # by chance held-out comments are seldom below; with classes swapped most are
_ODD = {
    "an empty comment": "",
    "white space": " \n\t",
    "emoji": "\U0001f600\U0001f92c",
    "a huge comment": "word " * 20_000,
    "control characters": "\x00\x01",
    "right-to-left marks": "e\u0301\u202e",
    "a word nobody has seen": "zxqv",
}


@dataclass(frozen=True)
class Check:
    """One rule's row in the table of `worthit check-model`."""

    name: str
    expected: str
    found: str
    verdict: Literal["ok", "off", "skipped"]


def examine(make: Make) -> Iterator[Check]:
    """Train the model a few times on a hundred comments, and check it rule by rule.

    After a training that fails there is nothing more to check.
    """
    texts, labels, held_out, truth = _comments()
    told: list[tuple[int, int]] = []
    model = make(TOXIC)
    trained = _check(
        "training", f"of {len(texts)} comments", lambda: _fitted(model, texts, labels, told)
    )
    yield trained
    if trained.verdict == "off":
        return
    yield _check("progress", "ends at all comments", lambda: _progress(model, told, len(texts)))
    yield _check("one class", "is refused", lambda: _one_class(make, texts))
    yield _check("unequal lengths", "are refused", lambda: _unequal(make, texts, labels))
    yield _check(
        "probabilities",
        "a row of 2, sum 1",
        lambda: _wrong_rows(model.predict_proba(held_out), 100),
    )
    yield _check("no comments", "shape (0, 2)", lambda: _none(model))
    yield _check("three classes", "rows of 3, or a refusal", lambda: _three(make, texts, held_out))
    for name, text in _ODD.items():
        yield _check(name, "is scored", lambda text=text: _odd(model, text))  # type: ignore[misc]
    yield _check("asked twice", "the same scores", lambda: _twice(model, held_out))
    yield _check("alone or together", f"within {_ALIKE}", lambda: _alone(model, held_out[:20]))
    yield _check(
        "order of classes", f"ROC AUC ≥ {_LOWEST_AUC}", lambda: _order(model, held_out, truth)
    )
    yield _check("trained again", "the same scores", lambda: _again(make, model, held_out))
    with tempfile.TemporaryDirectory() as folder:
        yield _check(
            "saved, loaded", f"within {_ALIKE}", lambda: _kept(model, held_out, Path(folder))
        )
        yield _check("files", "none is a pickle", lambda: _no_pickle(Path(folder)))


class Broken(Exception):  # noqa: N818  (no error of the program's, but what a check has found)
    """A rule that the model breaks; the text is what was found."""


def _check(name: str, expected: str, found: Callable[[], str]) -> Check:
    try:
        return Check(name, expected, found(), "ok")
    except Broken as broken:
        return Check(name, expected, str(broken), "off")
    except Exception as error:  # whatever the model's code raises
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        return Check(name, expected, text.removesuffix(": "), "off")


def _comments() -> tuple[list[str], Labels, list[str], Labels]:
    """Comments to train on, half of them of each class, and others."""
    table = datasets.source("synthetic:1200").read()
    texts, labels = table["text"].to_pylist(), table["label"].to_numpy()
    rows = [row for kind in (0, 1) for row in np.flatnonzero(labels == kind)[: _COMMENTS // 2]]
    rows, others = sorted(rows), range(len(texts) - _HELD_OUT, len(texts))
    return (
        [texts[row] for row in rows],
        labels[rows],
        [texts[row] for row in others],
        labels[list(others)],
    )


def _fitted(
    model: Classifier[Any], texts: list[str], labels: Labels, told: list[tuple[int, int]]
) -> str:
    before = list(texts), labels.copy()
    model.fit(texts, labels, lambda done, total: told.append((done, total)))
    if before[0] != texts or (before[1] != labels).any():
        raise Broken("the comments or labels given were changed")
    return "trained" if model.trains else "not tuned"


def _progress(model: Classifier[Any], told: list[tuple[int, int]], comments: int) -> str:
    if not model.trains:
        return "not tuned"
    if not told or told[-1][0] != told[-1][1]:
        raise Broken(f"it ended at {told[-1] if told else 'nothing'}")
    if told[-1][1] <= 0 or told[-1][1] % comments:  # each may be read a few times
        raise Broken(f"it told of {told[-1][1]} comments, there are {comments}")
    return f"{told[-1][0]} of {told[-1][1]}"


def _one_class(make: Make, texts: Sequence[str]) -> str:
    return _refused(make, texts[:4], np.ones(4, np.int8))


def _unequal(make: Make, texts: Sequence[str], labels: Labels) -> str:
    return _refused(make, texts, labels[:-1])


def _refused(make: Make, texts: Sequence[str], labels: Labels) -> str:
    try:
        make(TOXIC).fit(texts, labels)
    except DataError:
        return "refused"
    raise Broken("was trained on")


def _wrong_rows(probabilities: Probabilities, comments: int, classes: int = 2) -> str:
    """Says what the rows are like; raises Broken unless they are a distribution each."""
    if not isinstance(probabilities, np.ndarray):
        raise Broken(f"a {type(probabilities).__name__}, no numpy array")
    if probabilities.shape != (comments, classes):
        raise Broken(f"shape {probabilities.shape} for {comments} comments")
    if not np.isfinite(probabilities).all():
        raise Broken(f"{int((~np.isfinite(probabilities)).any(axis=1).sum())} rows are no numbers")
    if not comments:
        return f"shape {probabilities.shape}"
    if (probabilities < 0).any() or (probabilities > 1).any():
        raise Broken(f"from {probabilities.min():.3g} to {probabilities.max():.3g}")
    if np.abs(probabilities.sum(axis=1) - 1).max() > 1e-6:
        raise Broken(f"a row sums to {probabilities.sum(axis=1).max():.6g}")
    return f"shape {probabilities.shape}"


def _none(model: Classifier[Any]) -> str:
    return _wrong_rows(model.predict_proba([]), 0)


def _three(make: Make, texts: Sequence[str], held_out: Sequence[str]) -> str:
    """A model may be one of two classes alone, if it says so."""
    labels = (np.arange(len(texts)) % 3).astype(np.int8)
    try:
        found = make(("one", "two", "three")).fit(texts, labels).predict_proba(held_out)
    except WorthitError:
        return "refused"
    return _wrong_rows(found, len(held_out), 3)


def _odd(model: Classifier[Any], text: str) -> str:
    probabilities = model.predict_proba([text])
    _wrong_rows(probabilities, 1)
    return f"{probabilities[0, 1]:.3f}"


def _twice(model: Classifier[Any], texts: Sequence[str]) -> str:
    return _alike(model.predict_proba(texts), model.predict_proba(texts), 0)


def _alone(model: Classifier[Any], texts: Sequence[str]) -> str:
    alone = np.vstack([model.predict_proba([text]) for text in texts])
    return _alike(model.predict_proba(texts), alone, _ALIKE)


def _again(make: Make, model: Classifier[Any], held_out: Sequence[str]) -> str:
    texts, labels, *_ = _comments()
    return _alike(
        model.predict_proba(held_out), make(TOXIC).fit(texts, labels).predict_proba(held_out), 0
    )


def _kept(model: Classifier[Any], texts: Sequence[str], folder: Path) -> str:
    model.save(folder)
    loaded = type(model).load(folder, model.device)
    if loaded.get_params() != model.get_params():
        raise Broken("other settings")
    if loaded.size() != model.size():
        raise Broken(f"{loaded.size()}, not {model.size()}")
    return _alike(model.predict_proba(texts), loaded.predict_proba(texts), _ALIKE)


def _alike(some: Probabilities, others: Probabilities, limit: float) -> str:
    if some.shape != others.shape:
        raise Broken(f"shapes {some.shape} and {others.shape}")
    difference = float(np.abs(some - others).max())
    if not difference <= limit:
        raise Broken(f"they differ by up to {difference:.2g}")
    return "the same" if difference == 0 else f"differ by up to {difference:.1g}"


def _order(model: Classifier[Any], texts: Sequence[str], truth: Labels) -> str:
    from sklearn.metrics import roc_auc_score

    area = roc_auc_score(truth, model.predict_proba(texts)[:, 1])
    if area < _LOWEST_AUC:
        raise Broken(f"{area:.2f}: column 1 is to be class 1's")
    return f"{area:.2f}"


def _no_pickle(folder: Path) -> str:
    files = [file for file in folder.rglob("*") if file.is_file()]
    pickled = [str(file.relative_to(folder)) for file in files if is_pickle(file)]
    if pickled:
        raise Broken(f"{', '.join(sorted(pickled))}: whoever loads one runs what is in it")
    return f"{len(files)} files"

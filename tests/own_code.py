"""A module of models as users write them, good ones and what is none."""

from pathlib import Path

import pytest

from worthit.models import registry
from worthit.models.contract_check import check

CODE = '''
import json
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from worthit.models.tfidf import TfIdf


def pipeline():
    return make_pipeline(TfidfVectorizer(), SGDClassifier(loss="log_loss", shuffle=True))


def margins():
    return make_pipeline(TfidfVectorizer(), LinearSVC())


class TwoMethods:
    def fit(self, texts, labels):
        self.inside = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)

    def predict_proba(self, texts):
        return self.inside.predict_proba(texts)


class KeepsItself:
    """Exclamation marks, of all things."""

    kind, devices = "llm", ("cpu", "cuda")

    def __init__(self, seed=7):
        self.seed = seed

    def fit(self, texts, labels):
        self.share = float(np.mean(labels))

    def predict_proba(self, texts):
        shouted = np.array([text.isupper() for text in texts])
        positive = np.where(shouted, 0.9, self.share)
        return np.column_stack([1 - positive, positive])

    def save(self, folder):
        (folder / "share.json").write_text(json.dumps(self.share))

    @classmethod
    def load(cls, folder):
        made = cls()
        made.share = json.loads((folder / "share.json").read_text())
        return made


class FillsItself(KeepsItself):
    def load(self, folder):
        self.share = json.loads((folder / "share.json").read_text())


class Contract(TfIdf):
    pass


class Lacking(TfIdf):
    from abc import abstractmethod
    size = abstractmethod(lambda self: None)


class NoMethods:
    pass


class NeedsArguments:
    def __init__(self, depth):
        self.depth = depth


number = 3
'''


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, test: str) -> str:
    """The name of a module with all of the above, in the folder where the user stands.

    Args:
        test: which test it is for; each has a module of its own, as Python imports a name but once.
    """
    name = f"code_{abs(hash(test))}"
    (folder / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(folder)
    return name


def broken(location: str) -> dict[str, str]:
    """What each rule that a model breaks found, by its name."""
    kind = registry.model_class(location)
    checks = list(check.examine(lambda classes: kind(classes=classes)))
    assert len(checks) > 1 or checks[0].verdict == "off"
    return {row.name: row.found for row in checks if row.verdict == "off"}

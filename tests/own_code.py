"""A module of models as users write them, valid and invalid ones."""

from collections.abc import Iterator
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
    """Capital letters only."""

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


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, test: str) -> str:
    """Write the module to the folder and make it the current one; returns the module's name.

    Args:
        test: the test's id; each test has its own module, because Python imports a name once.
    """
    name = f"code_{abs(hash(test))}"
    (folder / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(folder)
    return name


def examine(location: str) -> Iterator[check.Check]:
    kind = registry.model_class(location)
    return check.examine(lambda classes: kind(classes=classes))


def broken_rules(location: str) -> dict[str, str]:
    """What the check finds of each broken rule, by the rule's name."""
    rows = list(examine(location))
    assert len(rows) > 1 or rows[0].verdict == "off"
    return {row.name: row.found for row in rows if row.verdict == "off"}

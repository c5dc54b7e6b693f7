"""The same answer to every comment: each class's (or label's) share of the training comments.

It is the floor of any table: a model that is not clearly better has learned nothing. scikit-learn's
DummyClassifier calls it `prior`. It takes no class weights: with them it would not know the majority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size

_SHARES = "shares.safetensors"


@dataclass(frozen=True)
class MajoritySettings:
    """There is nothing to tune."""


class Majority(Classifier[MajoritySettings]):
    name = "majority"
    takes_multilabel = True
    Settings = MajoritySettings
    libraries = ("numpy",)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        if self.multilabel:
            self._shares = labels.mean(axis=0, dtype=np.float64)
        else:
            self._shares = np.bincount(labels, minlength=len(self.classes)) / len(labels)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return np.tile(self._shares, (len(texts), 1))

    def _save(self, folder: Path) -> None:
        save_file({"shares": self._shares}, folder / _SHARES)

    def _load(self, folder: Path) -> None:
        self._shares = load_file(folder / _SHARES)["shares"]

    def size(self) -> Size:
        free = len(self._shares) - (not self.multilabel)
        return Size(free, free)

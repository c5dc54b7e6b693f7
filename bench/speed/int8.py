"""Our own models with linear layers rounded to 8 bits, for the yardstick to compare."""

from collections.abc import Sequence
from pathlib import Path

from worthit.bench.speed.implementations import Task
from worthit.datasets.errors import DeviceError
from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.registry import model_class, require_able
from worthit.models.transformer import int8_linear


class Int8:
    """The one that competes, converted: it scores with the same weights."""

    def __init__(self, task: Task) -> None:
        self._task, self._name = task, int8_name(task.model)
        require_able(self._name, task.device)
        int8_linear.require(self._name)

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        raise DeviceError(f"{self._name} scores what {self._task.model} was tuned to")

    def load(self) -> None:
        folder = Path(self._task.fitted) / "int8"
        self._model = model_class(self._name).load(folder, self._task.device)

    def score(self, texts: Sequence[str]) -> Probabilities:
        scores: Probabilities = self._model.predict_proba(texts)[:, 1]
        return scores


def int8_name(model: str) -> str:
    """What the int8 form of a model that competes is called."""
    return f"{model}-int8"

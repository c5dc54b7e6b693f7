"""The implementations that the yardstick compares: what each can do, and ours among them.

A new one is a class with the verbs of `Way`, and one line in `WAYS`.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from worthit.datasets.errors import CellError
from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.registry import model_class

#: comments that others score together, as is usual
SCORED_TOGETHER = 32


@dataclass(frozen=True)
class Task:
    """What a contestant does, in what way. A plain value."""

    model: str  # of ours that competes: bert, llama
    way: str  # a key of WAYS
    trains: bool  # or scores, with the weights in `fitted`
    device: str
    precision: str  # fp32, bf16; auto for the gauge alone
    checkpoint: str  # what training begins with; empty: our model's own default
    split: str  # key of the prepared comments
    slices: int
    slice_comments: int
    test_comments: int = 0  # scored at the end of a training
    tuned_on: int = 0  # comments, for the weights to score with
    fitted: str = ""  # a folder: ours/, and for the others merged/, int8/ and onnx/
    settings: dict[str, Any] = field(default_factory=dict)  # ours, for the others to follow

    @property
    def comments(self) -> int:
        """All comments worked on, one slice of them to warm up."""
        return (self.slices + 1) * self.slice_comments


class Way(Protocol):
    """An implementation: of training, of scoring or of both."""

    def __init__(self, task: Task) -> None: ...

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        """Train one epoch, telling (done, total) after each step."""

    def load(self) -> None:
        """Get ready to score with the weights in the task's folder `fitted`."""

    def score(self, texts: Sequence[str]) -> Probabilities:
        """The probability of toxic, shape (n,)."""


class Ours:
    """This project's own models, as anyone calls them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._class = model_class(task.model)

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        task = self._task
        self.model = self._class(device=task.device)
        self.model.set_params(checkpoint=task.checkpoint, precision=task.precision)
        self.model.fit(texts, labels, progress)

    def load(self) -> None:
        self.model = self._class.load(Path(self._task.fitted) / "ours", self._task.device)

    def score(self, texts: Sequence[str]) -> Probabilities:
        scores: Probabilities = self.model.predict_proba(texts)[:, 1]
        return scores


#: way → module and class; imported in the contestant's process alone
WAYS = {
    "worthit": "worthit.bench.speed.implementations:Ours",
    "llm-reference": "worthit.bench.speed.llm:Reference",
    "llm-huggingface": "worthit.bench.speed.llm:HuggingFace",
    "llm-int8": "worthit.bench.speed.int8:Int8",
    "bert-reference": "worthit.bench.speed.bert:Reference",
    "bert-huggingface": "worthit.bench.speed.bert:HuggingFace",
    "bert-int8": "worthit.bench.speed.int8:Int8",
    "onnx-fp32": "worthit.bench.speed.onnx:Onnx",
    "onnx-int8": "worthit.bench.speed.onnx:OnnxInt8",
}


def named(way: str) -> Any:
    """The class of a way.

    Raises:
        CellError: it needs a package that is not installed.
    """
    module, _, name = WAYS[way].partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise CellError(f"{error.name} is not installed: pip install -e '.[yardstick]'") from error


def encoder_limit(tokenizer: Any, folder: Path, max_length: int | None) -> int:
    """Tokens of a comment, with the special ones, that our encoder reads at most."""
    from worthit.models.weights import checkpoints  # what serves a model is not to load it

    positions = checkpoints.config(folder).max_position_embeddings
    longest = min(positions, tokenizer.model_max_length)
    if max_length is not None:
        longest = min(max_length + tokenizer.num_special_tokens_to_add(), longest)
    return int(longest)

"""The implementations that the speed comparison compares, ours among them.

A new one is a class with the methods of `Implementation`, one line in `IMPLEMENTATIONS`, and its
label in a plan in `comparison`. Without `fit` it can only score.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from worthit.datasets.errors import CellError
from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.registry import model_class

T = TypeVar("T")

#: batch size of other implementations for scoring, a usual value
SCORING_BATCH = 64
#: package → the extra that installs it, unless it is `speed`
_EXTRAS = {"llama_cpp": "llamacpp"}


@dataclass(frozen=True)
class Task:
    """What an entry computes and how, as a plain value."""

    model: str  # bert or llama
    trains: bool  # False: scores with the weights in `weights_folder`
    device: str
    precision: str  # fp32 or bf16; auto only until `workload` has chosen one
    checkpoint: str  # the weights that training starts from; empty: our model's default
    split: str  # key of the prepared comments
    slices: int
    slice_comments: int
    accuracy_comments: int = 0  # to score at least, if `accuracy_seconds` are enough
    accuracy_seconds: float = 0.0  # for the comments that are not timed
    weights_comments: int = 0  # to train the weights in `weights_folder`
    weights_folder: str = ""  # has ours/, and the formats of other implementations
    settings: dict[str, Any] = field(default_factory=dict)  # of our model, for the others to use
    implementation: str = ""  # a key of IMPLEMENTATIONS
    part: float = 1.0  # of each slice to score, for a slow entry

    @property
    def comments(self) -> int:
        """The comments of all slices, warm-up included."""
        return (self.slices + 1) * self.slice_comments

    def of_slice(self, number: int) -> range:
        """The test comments that this entry scores in a slice."""
        first = number * self.slice_comments
        return range(first, first + max(1, round(self.slice_comments * self.part)))

    @property
    def for_accuracy(self) -> range:
        """The test comments that accuracy is computed on: all but those of the warm-up."""
        if self.trains:
            return range(self.accuracy_comments)
        timed = self.slices * self.slice_comments
        return range(self.slice_comments, self.slice_comments + max(timed, self.accuracy_comments))


class Implementation(Protocol):
    """Code that trains, scores or does both."""

    def __init__(self, task: Task) -> None: ...

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        """Train one epoch and report (done, total) after each step."""

    def load(self) -> None:
        """Prepare to score with the weights in the task's `weights_folder`."""

    def score(self, texts: Sequence[str]) -> Probabilities:
        """The probability of toxic, shape (n,)."""


class Ours:
    """This project's own models, used as a user would."""

    folder = "ours"  # within the weights folder

    def __init__(self, task: Task) -> None:
        self._task = task
        self._class = model_class(task.model)

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        task = self._task
        self.model = self._class(device=task.device)
        self.model.set_params(checkpoint=task.checkpoint, precision=task.precision, epochs=1)
        self.model.fit(texts, labels, progress)

    def load(self) -> None:
        self.model = self._class.load(
            Path(self._task.weights_folder) / self.folder, self._task.device
        )

    def score(self, texts: Sequence[str]) -> Probabilities:
        scores: Probabilities = self.model.predict_proba(texts)[:, 1]
        return scores


#: name → module and class; imported only in the entry's process
IMPLEMENTATIONS = {
    "worthit": "worthit.bench.speed.implementations:Ours",
    "llm-reference": "worthit.bench.speed.llm:Reference",
    "llm-huggingface": "worthit.bench.speed.llm:HuggingFace",
    "llm-int8": "worthit.bench.speed.int8:Int8",
    "bert-reference": "worthit.bench.speed.bert:Reference",
    "bert-huggingface": "worthit.bench.speed.bert:HuggingFace",
    "bert-int8": "worthit.bench.speed.int8:Int8",
    "onnx-fp32": "worthit.bench.speed.onnx:Onnx",
    "onnx-int8": "worthit.bench.speed.onnx:OnnxInt8",
    "openvino": "worthit.bench.speed.openvino:OpenVino",
    "openvino-int8": "worthit.bench.speed.openvino:OpenVinoInt8",
    "llamacpp": "worthit.bench.speed.llamacpp:LlamaCpp",
    "llamacpp-q8": "worthit.bench.speed.llamacpp:LlamaCppQ8",
}


def implementation_class(name: str) -> Any:
    """Import an implementation.

    Raises:
        CellError: it needs a package that is not installed.
    """
    module, _, class_name = IMPLEMENTATIONS[name].partition(":")
    try:
        return getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise _not_installed(str(error.name)) from error


def require(*packages: str) -> None:
    """Raise CellError if a package is missing. Imports nothing."""
    for package in packages:
        if not is_installed(package):
            raise _not_installed(package)


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _not_installed(package: str) -> CellError:
    extra = _EXTRAS.get(package, "speed")
    return CellError(f"{package} is not installed: pip install -e '.[{extra}]'")


def score_by_length(
    items: Sequence[T], score: Callable[[list[T]], Probabilities], size: int = SCORING_BATCH
) -> Probabilities:
    """Score in batches of similar length, so that padding to the longest adds little.

    Args:
        items: tokens of comments, or texts.
        score: returns the probabilities of toxic of a batch, shape (batch,).

    Returns:
        Probabilities in the order of the items, shape (n,).
    """
    order = np.argsort([len(item) for item in items], kind="stable")  # type: ignore[arg-type]
    scores = np.empty(len(items))
    for start in range(0, len(items), size):
        rows = order[start : start + size]
        scores[rows] = score([items[row] for row in rows])
    return scores


def encoder_limit(tokenizer: Any, folder: Path, max_length: int | None) -> int:
    """The most tokens of a comment that our encoder reads, special tokens included."""
    # Imported late: the ONNX Runtime process imports this module, but not transformers.
    from worthit.models.weights import checkpoints

    positions = checkpoints.config(folder).max_position_embeddings
    longest = min(positions, tokenizer.model_max_length)
    if max_length is not None:
        longest = min(max_length + tokenizer.num_special_tokens_to_add(), longest)
    return int(longest)

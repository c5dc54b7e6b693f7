"""What every classifier is: fit, score, save, load. scikit-learn's vocabulary, settings by dataclass.

A new model is one file with a subclass of `Classifier`, and one line in `registry.py`.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from worthit.datasets.errors import CellError, CheckpointError, DataError, OptionError, RunError

#: Called with (done, total) comments as training goes on.
Progress = Callable[[int, int], None]
Labels = npt.NDArray[np.int8]
Probabilities = npt.NDArray[np.float64]
S = TypeVar("S")

#: the classes of a task that names none; all that models saved before there were others tell apart
TOXIC = ("not toxic", "toxic")
#: the file that makes a folder a saved model
CARD = "worthit.json"

_SHOWN = 6  # classes that a message names


Kind = Literal["classical", "encoder", "llm"]


@dataclass(frozen=True)
class Entry:
    location: str  # module:class, or hf:CHECKPOINT
    kind: Kind | None = "classical"  # None: the checkpoint tells
    devices: tuple[str, ...] = ("cpu",)
    pretrained: bool = False
    default: bool = True  # runs unless others are named
    trained_as: str | None = None  # the model whose artifact, settings and checkpoint it shares


DEVICES = ("cpu", "cuda", "mps")


def silent(done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Size:
    """How big a fitted classifier is. None where the notion does not apply."""

    parameters: int | None
    trained_parameters: int | None


@dataclass(frozen=True)
class Base:
    """Pretrained weights that a saved model needs beside its own files."""

    checkpoint: str  # as it was given when the model was trained
    origin: str
    identity: str  # changes whenever the weights do


@dataclass(frozen=True)
class Card:
    """What a saved model says of itself."""

    model: str
    seed: int
    settings: dict[str, Any]
    base: Base | None = None  # None: the folder holds all there is
    classes: tuple[str, ...] = TOXIC  # in the order of their indices


def read_card(folder: Path) -> Card:
    """Raises RunError unless `folder` holds a saved model."""
    try:
        return msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(
            f"{folder} holds no saved model ({CARD} is missing or damaged); copy it again whole, "
            "or train again (--retrain)"
        ) from error


class Classifier(ABC, Generic[S]):
    """A text classifier of k classes, known by their indices; of two the second is the positive one.

    Args:
        settings: all that may be tuned, as this model's own frozen dataclass; None for defaults.
        device: `cpu`, `cuda` or `mps`.
        seed: decides everything random in training.
        classes: the k names, in the order of the indices; those of a saved model are in its card.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    #: whether `fit` trains anything at all
    trains: ClassVar[bool] = True
    #: what to say of its numbers' precision, beyond the dtype it scores in
    dtype_note: ClassVar[str] = ""
    #: libraries whose version decides what training yields
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "scikit-learn")

    settings: S

    def __init__(
        self,
        settings: S | None = None,
        *,
        device: str = "cpu",
        seed: int = 0,
        classes: Sequence[str] = TOXIC,
    ) -> None:
        self.settings = self.Settings() if settings is None else settings
        self.device = device
        self.seed = seed
        self.classes = tuple(classes)

    def get_params(self) -> dict[str, Any]:
        """The settings as a dictionary of plain values."""
        return dataclasses.asdict(self.settings)  # type: ignore[call-overload, no-any-return]

    def set_params(self, **params: Any) -> Self:
        """Replace some settings.

        Raises:
            OptionError: a name this model does not have, or a value of another type.
        """
        known = self.get_params()
        for name in params:
            if name not in known:
                raise OptionError(f"{self.name} has no setting {name!r}; known: {', '.join(known)}")
        try:
            self.settings = msgspec.convert(known | params, self.Settings)
        except msgspec.ValidationError as error:
            raise OptionError(f"{self.name} cannot take that setting: {error}") from error
        return self

    def prepare(self) -> None:
        """Import now what loading or training would import, so that neither is timed with it.

        The checkpoint, if any, is in its place.
        """

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> Self:
        """Train on n comments.

        Args:
            texts: n comments.
            labels: shape (n,), the index of each comment's class, from 0 to k - 1.
            progress: told (done, total) comments now and then.

        Raises:
            DataError: the lengths differ, a class has no comment, or a label is of no class.
        """
        if len(texts) != len(labels):
            raise DataError(
                f"{self.name} was given {len(texts):,} comments but {len(labels):,} labels"
            )
        self._require_all_classes(labels)
        self._fit(texts, labels, progress)
        return self

    def _require_all_classes(self, labels: Labels) -> None:
        found, known = set(np.unique(labels).tolist()), range(len(self.classes))
        if beyond := found.difference(known):
            raise DataError(
                f"{self.name} was given the label {min(beyond)}; its {len(known)} classes have the "
                f"labels 0 to {known[-1]}"
            )
        if absent := [self.classes[label] for label in known if label not in found]:
            raise DataError(
                f"{self.name} needs comments of each of the {len(known)} classes to train on; there "
                f"are none of {', '.join(absent[:_SHOWN])}{', …' if absent[_SHOWN:] else ''}"
            )

    def predict_proba(self, texts: Sequence[str], batch_size: int | None = None) -> Probabilities:
        """Score n comments.

        Args:
            batch_size: how many are computed together; None for the model's own choice.

        Returns:
            Shape (n, k), on the host: the probability of each class, each row summing to 1.

        Raises:
            CellError: what the model computes has another shape.
        """
        shape = (len(texts), len(self.classes))
        if not len(texts):
            return np.empty(shape)
        found = np.asarray(self._score_batches(texts, batch_size), dtype=np.float64)
        if found.shape != shape:
            raise CellError(
                f"{self.name} scored {len(texts):,} comments in the shape {found.shape}, not {shape}: "
                "a row each, with the probability of each class"
            )
        return found

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        size = batch_size or len(texts)
        batches = [self._score(texts[start : start + size]) for start in range(0, len(texts), size)]
        return np.concatenate(batches)

    def truncated_share(self, texts: Sequence[str]) -> float:
        """Share of these comments of which the model reads only the head; 0 without a limit."""
        return 0.0

    def base(self) -> Base | None:
        """The pretrained weights that a saved model needs besides; None if it is whole."""
        return None

    def save(self, folder: Path) -> None:
        """Write the fitted model to an existing, empty folder; nothing in it is a pickle."""
        card = Card(self.name, self.seed, self.get_params(), self.base(), self.classes)
        (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)))
        self._save(folder)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", checkpoint: str | None = None) -> Self:
        """Read back what `save` wrote, ready to score on `device`.

        Args:
            checkpoint: where the weights are that it was trained on top of, if not where they were.

        Raises:
            RunError: the folder holds no such model.
            CheckpointError: those weights cannot be had, or are others.
        """
        card = read_card(folder)
        if card.model != cls.name:
            raise RunError(f"{folder} holds a {card.model} model, not {cls.name}")
        model = cls(device=device, seed=card.seed, classes=card.classes).set_params(**card.settings)
        if checkpoint is not None:
            if card.base is None:
                raise OptionError(f"{folder} holds all its weights; leave --checkpoint away")
            model.set_params(checkpoint=checkpoint)
        model._require_base(card.base)
        model._load(folder)
        return model

    def _require_base(self, trained_on: Base | None) -> None:
        found = self.base()
        if found == trained_on or (found and trained_on and found.identity == trained_on.identity):
            return
        if found is None or trained_on is None:
            raise RunError(
                f"this {self.name} was saved by another version of worthit, which noted its "
                "checkpoint otherwise; train it again (--retrain)"
            )
        raise CheckpointError(
            f"{self.name} was trained on top of {trained_on.checkpoint} ({trained_on.origin}, "
            f"{trained_on.identity[:16]}), but {found.checkpoint} here is {found.identity[:16]}; "
            "give the same weights with --checkpoint ID_OR_PATH"
        )

    @abstractmethod
    def size(self) -> Size:
        """Parameters of the fitted model."""

    @abstractmethod
    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None: ...

    @abstractmethod
    def _score(self, texts: Sequence[str]) -> Probabilities:
        """The probabilities of the k classes, shape (n, k), of one batch."""

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path) -> None: ...


class Variant(Classifier[S]):
    """Another model converted for scoring, once that is trained; `trained_as` of the registry names it.

    The converted model is an artifact of its own, so that loading it neither converts nor needs
    what training needed. `fit` trains the other model first, for who has none.
    """

    @abstractmethod
    def convert(self, folder: Path) -> Self:
        """Become what the trained model saved in `folder` is converted to."""

"""What every classifier is: fit, score, save, load. Settings are a dataclass.

A new model is one file with a subclass of `Classifier`, and one line in `registry.py`.
"""

import dataclasses
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from worthit.datasets.classes import TOXIC
from worthit.datasets.classes import Labels as Labels
from worthit.datasets.errors import (
    CellError,
    CheckpointError,
    DataError,
    ModelError,
    OptionError,
    RunError,
)
from worthit.models import training_labels
from worthit.models.card import CARD, Base, Card, read_card

Probabilities = npt.NDArray[np.float64]
#: shape (n,), how much each comment counts in training; their mean is 1
Weights = npt.NDArray[np.float64]
#: called with (done, total) comments during training
Progress = Callable[[int, int], None]
S = TypeVar("S")

DEVICES = ("cpu", "cuda", "mps")


def silent(done: int, total: int) -> None:
    """Ignore progress."""


Kind = Literal["classical", "encoder", "llm", "endpoint"]


@dataclass(frozen=True)
class ModelEntry:
    """One line of the registry."""

    location: str  # module:class, or hf:CHECKPOINT
    kind: Kind | None = "classical"  # None: depends on the checkpoint
    devices: tuple[str, ...] = ("cpu",)
    pretrained: bool = False
    default: bool = True  # runs unless --models names others
    multilabel: bool = True  # learns several labels of a comment at once
    seeded: bool = True  # False: the same comments give the same model, whatever the seed
    trained_as: str | None = None  # the model whose artifact, settings and checkpoint it shares
    #: ISO 639 codes of the default weights, as their model card says; empty: none, or not known
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Size:
    """Numbers in a fitted classifier; None where counting them makes no sense."""

    parameters: int | None
    trained_parameters: int | None


@dataclass(frozen=True)
class TokenCounts:
    """What a vocabulary makes of some comments."""

    characters: int
    tokens: int
    unknown: int  # tokens that stand for text which the vocabulary does not have


class Classifier(ABC, Generic[S]):
    """A text classifier of k classes, identified by index; of two, the second is the positive one.

    With `multilabel` the classes are labels, of which a comment has any number.

    Args:
        settings: the tunable values, as this model's own frozen dataclass; None for defaults.
        device: `cpu`, `cuda` or `mps`.
        seed: decides everything random in training.
        classes: the k names, in the order of the indices. A saved model's card has them.
        multilabel: True: a comment has any number of the classes, its labels. Labels then have the shape
            (n, k), 1 where a comment has a label and else 0, and the k probabilities are independent.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    #: False if `fit` trains nothing
    trains: ClassVar[bool] = True
    #: False: a row of NaN among the probabilities is a comment without an answer
    answers_all: ClassVar[bool] = True
    #: True if it learns several labels of a comment at once (`multilabel`)
    takes_multilabel: bool = False
    #: True if `fit` heeds `weighs_classes`
    takes_weights: bool = False
    #: libraries whose version affects the trained model
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "scikit-learn")

    settings: S

    def __init__(
        self,
        settings: S | None = None,
        *,
        device: str = "cpu",
        seed: int = 0,
        classes: Sequence[str] = TOXIC,
        multilabel: bool = False,
    ) -> None:
        self.settings = self.Settings() if settings is None else settings
        self.device = device
        self.seed = seed
        self.classes = tuple(classes)
        self.multilabel = multilabel
        #: set if the user permits it; a model that sends comments elsewhere requires it
        self.may_send_comments = False
        #: True: in training each class counts as much as any other, however few comments it has
        self.weighs_classes = False

    @property
    def sends_comments_to(self) -> str:
        """The host that comments go to; empty if they stay on this machine."""
        return ""

    @property
    def dtype_note(self) -> str:
        """What to report about precision, in addition to torch's dtype, if it scores with torch."""
        return ""

    def get_params(self) -> dict[str, Any]:
        """The settings as a dictionary of plain values."""
        return dataclasses.asdict(self.settings)  # type: ignore[call-overload, no-any-return]

    def set_params(self, **params: Any) -> Self:
        """Replace some settings.

        Raises:
            OptionError: unknown name, or a value of the wrong type.
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
        """Import what loading or training needs, so that imports are not timed with it.

        The checkpoint, if any, is already on this machine.
        """

    @classmethod
    def search_space(cls, comments: int) -> Mapping[str, Sequence[Any]]:
        """The settings worth tuning, each with the values to try; by default there are none.

        A setting `epochs` counts passes over the comments: a trial takes in proportion to it.

        Args:
            comments: number of training comments.
        """
        return {}

    def count_passes(self, texts: Sequence[str]) -> float:
        """How often training with the present settings reads these comments, to estimate its time."""
        return float(self.get_params().get("epochs") or 1)

    def choose(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> int:
        """Choose settings that need no training, such as a prompt, on n validation comments.

        Called before `fit`, with comments that are neither trained nor tested on. There may be none.
        By default nothing is chosen.

        Args:
            texts: n comments.
            labels: as in `fit`; some classes may be missing.

        Returns:
            The number of alternatives that were tried; 0 if the settings stay as they are.
        """
        return 0

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> Self:
        """Train on n comments.

        Args:
            texts: n comments.
            labels: shape (n,), the index of each comment's class, from 0 to k - 1; with `multilabel` shape
                (n, k), 1 where a comment has a label and else 0.
            progress: called with (done, total) comments during training.

        Raises:
            DataError: the lengths differ, a class has no comment, or a label has no class; with `multilabel`,
                all comments have a label, or none.
            ModelError: it learns one label only, but `multilabel` is set.
        """
        if self.multilabel and not self.takes_multilabel:
            raise ModelError(
                f"{self.name} learns one label of a comment, not several; omit it, or train it on one "
                "(--positive-label LABEL, or --label-column with one column)"
            )
        if len(texts) != len(labels):
            raise DataError(
                f"{self.name} was given {len(texts):,} comments but {len(labels):,} labels"
            )
        if self.multilabel:
            training_labels.require_all_labels(self.name, self.classes, labels)
        else:
            training_labels.require_all_classes(self.name, self.classes, labels)
        self._fit(texts, labels, progress)
        return self

    @property
    def is_weighted(self) -> bool:
        """True if scores hold for equally common classes, whatever their shares in training."""
        return self.weighs_classes and self.takes_weights

    def _comment_weights(self, labels: Labels) -> Weights | None:
        """How much each comment counts, in the shape of the labels; None: all the same."""
        if not self.is_weighted:
            return None
        return training_labels.balanced_weights(labels, len(self.classes))

    def predict_proba(self, texts: Sequence[str], batch_size: int | None = None) -> Probabilities:
        """Score n comments.

        Args:
            batch_size: comments per batch; None for the model's own choice.

        Returns:
            Shape (n, k), on the host: the probability of each class; each row sums to 1, unless
            `multilabel` makes them independent. It holds at best where the classes are as common as among
            the training comments, or equally common if the model `is_weighted`.

        Raises:
            CellError: the model returned another shape.
        """
        shape = (len(texts), len(self.classes))
        if not len(texts):
            return np.empty(shape)
        scores = np.asarray(self._score_batches(texts, batch_size), dtype=np.float64)
        if scores.shape != shape:
            raise CellError(
                f"{self.name} scored {len(texts):,} comments in the shape {scores.shape}, not {shape}: "
                "one row per comment, one probability per class"
            )
        return scores

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        size = batch_size or len(texts)
        batches = [self._score(texts[start : start + size]) for start in range(0, len(texts), size)]
        return np.concatenate(batches)

    def input_shape(self, text: str) -> tuple[int, ...] | None:
        """What the first call with this comment prepares the device for; None: nothing.

        Later calls of the same shape are faster.
        """
        return None

    def truncated_share(self, texts: Sequence[str]) -> float:
        """Share of these comments that the model reads only in part; 0 without a limit."""
        return 0.0

    def count_tokens(self, texts: Sequence[str]) -> TokenCounts | None:
        """What the vocabulary of the pretrained weights makes of whole comments; None without one."""
        return None

    def base(self) -> Base | None:
        """The pretrained weights that a saved model also needs; None if its folder is complete."""
        return None

    def save(self, folder: Path) -> None:
        """Write the fitted model to an existing, empty folder, without any pickle."""
        card = Card(
            self.name, self.seed, self.get_params(), self.base(), self.classes, self.multilabel
        )
        (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)))
        self._save(folder)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", checkpoint: str | None = None) -> Self:
        """Read what `save` wrote, ready to score on `device`.

        Args:
            checkpoint: where its pretrained weights are now, if they have moved.

        Raises:
            RunError: the folder holds no such model.
            CheckpointError: the weights are missing, or differ from those it was trained with.
        """
        card = read_card(folder)
        if card.model != cls.name:
            raise RunError(f"{folder} holds a {card.model} model, not {cls.name}")
        model = cls(
            device=device, seed=card.seed, classes=card.classes, multilabel=card.multilabel
        ).set_params(**card.settings)
        if checkpoint is not None:
            if card.base is None:
                raise OptionError(f"{folder} holds all its weights; omit --checkpoint")
            model.set_params(checkpoint=checkpoint)
        model._require_base(card.base)
        model._load(folder)
        return model

    def _require_base(self, trained_on: Base | None) -> None:
        base = self.base()
        if base == trained_on or (base and trained_on and base.identity == trained_on.identity):
            return
        if base is None or trained_on is None:
            raise RunError(
                f"this {self.name} was saved by another version of worthit, which describes its "
                "checkpoint differently; train it again (--retrain)"
            )
        raise CheckpointError(
            f"{self.name} was trained on {trained_on.checkpoint} ({trained_on.origin}, "
            f"{trained_on.identity[:16]}), but {base.checkpoint} here is {base.identity[:16]}; "
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
    """A trained model of another class, converted for faster scoring.

    The registry's `trained_as` names the original. The converted model is an artifact of its own:
    loading it converts nothing and needs none of the training libraries.
    """

    takes_weights = True

    def convert(self, folder: Path) -> Self:
        """Convert the trained original saved in `folder`."""
        self.require_support()
        trained = self.original().load(folder, self.device)
        self.settings = self._converted_settings(trained.settings)
        self.seed, self.classes, self.multilabel = trained.seed, trained.classes, trained.multilabel
        self._convert(trained)
        return self

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self.require_support()
        original = self.original()(
            self.settings,
            device=self.device,
            seed=self.seed,
            classes=self.classes,
            multilabel=self.multilabel,
        )
        original.weighs_classes = self.weighs_classes
        with tempfile.TemporaryDirectory() as folder:
            original.fit(texts, labels, progress).save(Path(folder))
            del original  # one model in memory at a time
            self.convert(Path(folder))

    def _converted_settings(self, trained: S) -> S:
        """The settings of the converted model; by default those of the original."""
        return trained

    @classmethod
    @abstractmethod
    def original(cls) -> type[Classifier[S]]:
        """The class of the original, imported now."""

    @abstractmethod
    def require_support(self) -> None:
        """Raise DeviceError or ModelError unless conversion works here."""

    @abstractmethod
    def _convert(self, trained: Any) -> None: ...

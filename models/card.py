"""What the folder of a saved model says of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import RunError

#: the file that makes a folder a saved model
CARD = "worthit.json"


@dataclass(frozen=True)
class Base:
    """Pretrained weights that a saved model needs in addition to its own files."""

    checkpoint: str  # as given at training
    origin: str
    identity: str  # changes whenever the weights do


@dataclass(frozen=True)
class Card:
    """The description in a saved model's folder."""

    model: str
    seed: int
    settings: dict[str, Any]
    base: Base | None = None  # None: the folder is complete
    classes: tuple[str, ...] = TOXIC  # in the order of their indices
    multilabel: bool = False  # True: a comment may have any number of the classes


def read_card(folder: Path) -> Card:
    """Raises RunError unless `folder` holds a saved model."""
    try:
        return msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(
            f"{folder} holds no saved model ({CARD} is missing or damaged); copy the whole folder "
            "again, or train again (--retrain)"
        ) from error

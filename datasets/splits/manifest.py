"""What a prepared split tells of its comments, read without the libraries that read the comments.

A process that only loads a model and scores needs the classes' names, and is not to pay for more.
"""

import json
from typing import Any

from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import DataError

FILE = "story.json"


def read(key: str) -> dict[str, Any]:
    """The story of the split of this key, as `worthit.datasets.prepare` wrote it.

    Raises:
        DataError: this cache folder does not have it, or it is damaged.
    """
    folder = cache_folder("splits", key)
    try:
        story: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"prepared data in {folder} cannot be read; delete that folder and run again"
        ) from error
    return story


def classes(key: str) -> tuple[str, ...]:
    """The names of a prepared split's classes, in the order of their indices.

    Raises:
        DataError: as `read`.
    """
    return tuple(read(key)["classes"])

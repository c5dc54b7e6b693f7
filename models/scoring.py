"""Scores a stream of comments in constant memory: a chunk comes in, its scores go out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from worthit.datasets.errors import CellError, is_out_of_memory
from worthit.models.contract import Classifier
from worthit.models.registry import entry

#: the columns of scores: of a binary task the probability of class 1
COLUMNS = ("score",)

_CLASSICAL_CHUNK = 1_024
# So many batches are sorted by length together: little padding, yet results come often.
_BATCHES_SORTED_TOGETHER = 16
_USUAL_BATCH = 32


def chunk_size(model: str, batch_size: int | None) -> int:
    """How many comments to hand a model at once. It decides batches, and so the last digits."""
    if entry(model).kind == "classical":
        return batch_size or _CLASSICAL_CHUNK
    return _BATCHES_SORTED_TOGETHER * (batch_size or _USUAL_BATCH)


def scores(
    model: Classifier[Any], texts: Sequence[str | None], batch_size: int | None = None
) -> dict[str, list[float | None]]:
    """Score one chunk.

    Args:
        texts: n comments; None for a row without one.

    Returns:
        For each of `COLUMNS` n probabilities to 6 digits, None where there was no comment.

    Raises:
        CellError: the model does not fit into memory, or yields no numbers.
    """
    present = [row for row, text in enumerate(texts) if text is not None]
    try:
        positive = model.predict_proba([texts[row] or "" for row in present], batch_size)[:, 1]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CellError(f"{model.name} ran out of memory; give a smaller --batch-size") from error
    if not np.isfinite(positive).all():
        raise CellError(f"{model.name} gave probabilities that are not numbers; train it again")
    found: list[float | None] = [None] * len(texts)
    for row, probability in zip(present, np.round(positive, 6).tolist(), strict=True):
        found[row] = probability
    return {"score": found}

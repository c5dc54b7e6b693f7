"""Scores a stream of comments in constant memory: a chunk comes in, its scores go out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from worthit.datasets.errors import CellError, is_out_of_memory
from worthit.models.contract import Classifier
from worthit.models.registry import entry

_CLASSICAL_CHUNK = 1_024
# So many batches are sorted by length together: little padding, yet results come often.
_BATCHES_SORTED_TOGETHER = 16
_USUAL_BATCH = 32


def columns(classes: Sequence[str]) -> dict[str, pa.DataType]:
    """The columns of scores, and their types.

    Of two classes `score`, the probability of the second. Of more `predicted`, the name of the most
    probable one, and `p_NAME`, the probability of each.
    """
    if len(classes) == 2:
        return {"score": pa.float64()}
    return {"predicted": pa.string()} | {f"p_{name}": pa.float64() for name in classes}


def chunk_size(model: str, batch_size: int | None) -> int:
    """How many comments to hand a model at once. It decides batches, and so the last digits."""
    if entry(model).kind == "classical":
        return batch_size or _CLASSICAL_CHUNK
    return _BATCHES_SORTED_TOGETHER * (batch_size or _USUAL_BATCH)


def scores(
    model: Classifier[Any], texts: Sequence[str | None], batch_size: int | None = None
) -> dict[str, pa.Array]:
    """Score one chunk.

    Args:
        texts: n comments; None for a row without one.

    Returns:
        For each of `columns` n values, probabilities to 6 digits; null where there was no comment.

    Raises:
        CellError: the model does not fit into memory, or yields no numbers.
    """
    present = [row for row, text in enumerate(texts) if text is not None]
    try:
        found = model.predict_proba([texts[row] or "" for row in present], batch_size)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CellError(f"{model.name} ran out of memory; give a smaller --batch-size") from error
    if not np.isfinite(found).all():
        raise CellError(f"{model.name} gave probabilities that are not numbers; train it again")
    place = np.full(len(texts), -1)
    place[present] = np.arange(len(present))
    rows = pa.array(place, mask=place < 0)
    types = columns(model.classes)
    values = [*np.round(found, 6).T]
    if len(model.classes) == 2:
        values = values[1:]
    else:
        names = np.array(model.classes, dtype=object)
        values = [names[found.argmax(axis=1)], *values]
    return {
        name: pa.array(column, types[name]).take(rows)
        for name, column in zip(types, values, strict=True)
    }

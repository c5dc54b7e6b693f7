"""Scores comments one chunk at a time, in constant memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets.errors import CellError, is_out_of_memory
from worthit.models.contract import Classifier, Probabilities
from worthit.models.registry import entry

_CLASSICAL_CHUNK = 1_024
# Batches that are sorted by length together: little padding, but frequent results.
_BATCHES_SORTED_TOGETHER = 16
_USUAL_BATCH = 32


def score_types(classes: Sequence[str], *, multilabel: bool = False) -> dict[str, pa.DataType]:
    """The columns of scores, and their types.

    For two classes `score`, that of the second, and `predicted`, a class. For more `predicted` and
    `p_NAME`, the score of each. For several labels the same, and `predicted` is a list of labels.
    """
    if multilabel:
        return {"predicted": pa.list_(pa.string())} | _score_columns(classes)
    if len(classes) == 2:
        return {"score": pa.float64(), "predicted": pa.string()}
    return {"predicted": pa.string()} | _score_columns(classes)


def _score_columns(classes: Sequence[str]) -> dict[str, pa.DataType]:
    return {f"p_{name}": pa.float64() for name in classes}


def chunk_size(model: str, batch_size: int | None) -> int:
    """Comments per call of a model. It determines the batches, and so the last digits of scores."""
    if entry(model).kind == "classical":
        return batch_size or _CLASSICAL_CHUNK
    return _BATCHES_SORTED_TOGETHER * (batch_size or _USUAL_BATCH)


#: from a model's probabilities, shape (n, k), to the scores to write, (n, k), and class indices, (n,); of
#: several labels 1 for those that pass and else 0, (n, k)
Decide = Callable[[Probabilities], tuple[Probabilities, npt.NDArray[np.int64]]]


def own_answers(probabilities: Probabilities) -> tuple[Probabilities, npt.NDArray[np.int64]]:
    """The model's own scores; the last class of equal ones of two, the first of more."""
    if probabilities.shape[1] == 2:
        return probabilities, (probabilities[:, 1] >= 0.5).astype(np.int64)
    return probabilities, probabilities.argmax(axis=1)


def own_labels(probabilities: Probabilities) -> tuple[Probabilities, npt.NDArray[np.int64]]:
    """The model's own scores; of several labels those from 0.5 on pass."""
    return probabilities, (probabilities >= 0.5).astype(np.int64)


def score_chunk(
    model: Classifier[Any],
    texts: Sequence[str | None],
    batch_size: int | None = None,
    decide: Decide | None = None,
) -> dict[str, pa.Array]:
    """Score one chunk.

    Args:
        texts: n comments; None for a row without text.
        decide: what is written of the model's probabilities; None: its own answers.

    Returns:
        For each of `score_types` n values, scores to 6 digits; null for a row without text, or that
        a server did not answer.

    Raises:
        CellError: the model runs out of memory, or yields values that are not finite.
    """
    present = [row for row, text in enumerate(texts) if text is not None]
    try:
        probabilities = model.predict_proba([texts[row] or "" for row in present], batch_size)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CellError(f"{model.name} ran out of memory; give a smaller --batch-size") from error
    answered = np.isfinite(probabilities).all(axis=1)
    if model.answers_all and not answered.all():
        raise CellError(f"{model.name} yields probabilities that are not finite; train it again")
    place = np.full(len(texts), -1)
    place[present] = np.where(answered, np.arange(len(present)), -1)
    rows = pa.array(place, mask=place < 0)
    types = score_types(model.classes, multilabel=model.multilabel)
    if decide is None:
        decide = own_labels if model.multilabel else own_answers
    scores, answers = decide(probabilities)
    by_class = [*np.round(scores, 6).T]
    names = np.array(model.classes, dtype=object)
    predicted: Any = names[answers]
    if model.multilabel:
        predicted = [names[of_comment == 1].tolist() for of_comment in answers]
    of_two = len(model.classes) == 2 and not model.multilabel
    values = [by_class[1], predicted] if of_two else [predicted, *by_class]
    return {
        name: pa.array(column, types[name]).take(rows)
        for name, column in zip(types, values, strict=True)
    }

"""The worker that scores parts: it holds one model, and returns finished Parquet files."""

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from worthit.datasets.errors import CellError, WorthitError
from worthit.models import registry
from worthit.models.card import read_card
from worthit.models.cluster import model_files
from worthit.models.cluster.model_files import PackedModel
from worthit.models.contract import Classifier
from worthit.models.scoring import chunks as scoring
from worthit.models.scoring.chunks import Decide

_ROW_GROUP = 1 << 16
_TRIES_OF_A_PART = 4  # a part that kills workers is not tried forever


@dataclass(frozen=True)
class ScoreJob:
    """What a worker needs besides the comments.

    Attributes:
        checkpoint: the hub's name of the weights that the model was trained on, if not as in its card.
        chunk_rows: comments per call of the model; with `batch_size` it determines the batches.
        decide: from the model's probabilities to scores and answers.
        extras: the columns to carry along.
        threads: of the model's own products.
        attempts: an actor `Attempts`.
    """

    model: PackedModel
    device: str
    checkpoint: str | None
    batch_size: int | None
    chunk_rows: int
    decide: Decide
    extras: pa.Schema
    threads: int
    attempts: Any


class Attempts:
    """Counts how often the scoring of a part was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, first: int) -> int:
        """How often the part that begins with this row was begun, this time included."""
        self._begun[first] += 1
        return self._begun[first]

    def repeated(self) -> int:
        """How many parts were begun more than once."""
        return sum(count > 1 for count in self._begun.values())


class Scorer:
    """Scores rows of `worthit.models.cluster.reading`; Ray Data makes one per worker."""

    def __init__(self, job: ScoreJob) -> None:
        self._job = job
        self._model: Classifier[Any] | None = None

    def __call__(self, parts: pa.Table) -> pa.Table:
        none = _result(0).slice(0, 0)
        return pa.concat_tables(
            [none, *(self._scored(parts.slice(row, 1)) for row in range(parts.num_rows))]
        )

    def _scored(self, part: pa.Table) -> pa.Table:
        first, error = part["first"][0].as_py(), part["error"][0].as_py()
        if error:
            return _result(first, error=error)
        try:
            self._require_few_attempts(first)
            return self._score(self._loaded(), first, part)
        except WorthitError as failure:
            return _result(first, error=str(failure))

    def _require_few_attempts(self, first: int) -> None:
        import ray

        attempt = ray.get(self._job.attempts.begin.remote(first))
        if attempt > _TRIES_OF_A_PART:
            raise CellError(
                f"{_TRIES_OF_A_PART} workers died while they scored the part from row {first:,} on, "
                "probably for lack of memory; give fewer --workers or a smaller --batch-size"
            )

    def _loaded(self) -> Classifier[Any]:
        """The model, loaded with the first part: an error of the constructor would have no reason."""
        if self._model is None:
            job = self._job
            folder = model_files.unpack(job.model)
            if "torch" in registry.model_class(read_card(folder).model).libraries:
                import torch
                from transformers.utils import logging

                torch.set_num_threads(job.threads)
                logging.disable_progress_bar()
            self._model = registry.load(folder, job.device, job.checkpoint)
            threadpool_limits(job.threads)
        return self._model

    def _score(self, model: Classifier[Any], first: int, part: pa.Table) -> pa.Table:
        job = self._job
        texts = _values(part, "texts")
        extras = {field.name: _values(part, str(place)) for place, field in enumerate(job.extras)}
        tables: list[pa.Table] = []
        without_text = unanswered = 0
        for start in range(0, len(texts), job.chunk_rows):
            chunk = texts[start : start + job.chunk_rows].to_pylist()
            scores = scoring.score_chunk(model, chunk, job.batch_size, job.decide)
            without_text += chunk.count(None)
            unanswered += next(iter(scores.values())).null_count - chunk.count(None)
            tables.append(pa.table(scores))
        numbers = pa.array(range(first, first + len(texts)), pa.int64())
        scored = pa.concat_tables(tables)
        columns = {"row": numbers, **extras} | {name: scored[name] for name in scored.column_names}
        return _result(
            first,
            rows=len(texts),
            without_text=without_text,
            unanswered=unanswered,
            content=encoded(pa.table(columns)),
        )


def encoded(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd", row_group_size=_ROW_GROUP)
    return target.getvalue()


def _values(part: pa.Table, name: str) -> pa.Array:
    """The only list of a column as an array."""
    return part[name][0].values


def _result(
    first: int,
    *,
    rows: int = 0,
    without_text: int = 0,
    unanswered: int = 0,
    content: bytes = b"",
    error: str = "",
) -> pa.Table:
    return pa.table(
        {
            "first": pa.array([first], pa.int64()),
            "rows": pa.array([rows], pa.int64()),
            "without_text": pa.array([without_text], pa.int64()),
            "unanswered": pa.array([unanswered], pa.int64()),
            "content": pa.array([content], pa.large_binary()),
            "error": pa.array([error], pa.string()),
        }
    )

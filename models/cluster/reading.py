"""Reads comments in tasks of Ray Data, with the readers, repairs and batches of one machine.

A row of the data set is one part of the output: its texts are a list. Ray Data may split and join blocks
of rows as it likes, but not a row, so every part is scored with the same batches wherever and however
often that happens.

This module imports ray; import it once the cluster is connected.
"""

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from ray.data import DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata

from worthit.datasets.errors import WorthitError
from worthit.datasets.tables.comments import CommentChunk
from worthit.models.cluster import input_files
from worthit.models.cluster.input_files import HowToRead
from worthit.models.scoring import encoding
from worthit.models.scoring.parts import InputFile

_MOST_PARTS_A_TASK = 16  # of a file whose parts can be read apart
_TASKS_A_READER = 4


@dataclass(frozen=True)
class ReadJob:
    """What is the same for all tasks.

    Attributes:
        extras: the columns to carry along, with their types in the output.
        chunk_rows: comments per call of the model.
        part_rows: rows of a part; a multiple of `chunk_rows`.
    """

    how: HowToRead
    extras: pa.Schema
    chunk_rows: int
    part_rows: int


@dataclass(frozen=True)
class Span:
    """The rows of a file that one task reads."""

    path: str
    file: InputFile
    first: int
    last: int | None  # None: to the end
    #: ranges of rows of the file that are scored already
    done: tuple[tuple[int, int], ...] = ()


class Comments(Datasource):  # type: ignore[misc]  # ray has no types for mypy
    """Parts of comments, as Ray Data reads them."""

    def __init__(self, job: ReadJob, spans: Sequence[Span]) -> None:
        super().__init__()
        self._job, self._spans = job, spans

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(partial(read, self._job, span), unknown) for span in self._spans]

    def estimate_inmemory_data_size(self) -> int | None:
        return None


def spans(
    paths: Iterable[Path],
    files: Iterable[InputFile],
    done: dict[int, int],
    part_rows: int,
    readers: int,
) -> list[Span]:
    """What to read: all rows that are not in a part yet.

    Args:
        done: first → last row of the parts of an interrupted run.
        readers: tasks that run at the same time.
    """
    pairs = list(zip(map(str, paths), files, strict=True))
    rows_left = sum(file.rows or 0 for _, file in pairs) - sum(b - a + 1 for a, b in done.items())
    share = math.ceil(rows_left / part_rows / (_TASKS_A_READER * readers))
    most = part_rows * min(max(share, 1), _MOST_PARTS_A_TASK)
    found: list[Span] = []
    for path, file in pairs:
        ranges = _joined(
            (first - file.before, last - file.before)
            for first, last in sorted(done.items())
            if first > file.before and (file.rows is None or last <= file.before + file.rows)
        )
        if not file.is_splittable:
            found.append(Span(path, file, 1, None, tuple(ranges)))
            continue
        for start, end in _gaps(ranges, file.rows or 0):
            found += [
                Span(path, file, first, min(first + most - 1, end))
                for first in range(start, end + 1, most)
            ]
    return found


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, adjacent ones as one."""
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _gaps(ranges: Iterable[tuple[int, int]], rows: int) -> Iterator[tuple[int, int]]:
    """What these ranges leave of the rows from 1 on."""
    start = 1
    for first, last in ranges:
        if first > start:
            yield start, first - 1
        start = last + 1
    if start <= rows:
        yield start, rows


def read(job: ReadJob, span: Span) -> Iterator[pa.Table]:
    """Yield the parts of a span, one row each; an error of the user is such a row, too.

    A task that raised it would be repeated, and its traceback printed.
    """
    try:
        path = Path(span.path)
        input_files.require_unchanged(path, span.file)
        with input_files.open_comments(path, job.how) as comments:
            if span.last is not None:
                comments = comments.between(span.first, span.last)
            for chunks in _parts(comments.chunks(job.chunk_rows), job.part_rows):
                if not _covers(span.done, chunks[0].first):
                    yield _row(job.extras, span.file.before, chunks)
        input_files.require_unchanged(path, span.file)
    except WorthitError as error:
        yield _row(job.extras, 0, [], str(error))


def _parts(chunks: Iterable[CommentChunk], part_rows: int) -> Iterator[list[CommentChunk]]:
    part: list[CommentChunk] = []
    for chunk in chunks:
        part.append(chunk)
        if chunk.last % part_rows == 0:
            yield part
            part = []
    if part:
        yield part


def _covers(ranges: Sequence[tuple[int, int]], row: int) -> bool:
    place = bisect.bisect_right(ranges, (row, math.inf)) - 1
    return place >= 0 and ranges[place][0] <= row <= ranges[place][1]


def _row(
    extras: pa.Schema, before: int, chunks: Sequence[CommentChunk], error: str = ""
) -> pa.Table:
    texts = pa.array((text for chunk in chunks for text in chunk.texts), pa.large_string())
    columns = {"texts": _as_list(texts)}
    for number, field in enumerate(extras):
        arrays = [encoding.to_arrow(field, chunk.extras[field.name]) for chunk in chunks]
        columns[str(number)] = _as_list(pa.concat_arrays([pa.array([], field.type), *arrays]))
    first = before + chunks[0].first if chunks else 0
    return pa.table({"first": pa.array([first], pa.int64()), **columns, "error": [error]})


def _as_list(values: pa.Array) -> pa.Array:
    """One list of all values."""
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)

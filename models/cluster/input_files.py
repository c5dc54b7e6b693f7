"""The files to score on a cluster: which there are, who sees them, how many rows they have."""

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from worthit.datasets.errors import ClusterError, DataError, WorthitError, listed, one_line
from worthit.datasets.formats.files import Input, readable
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.stream import open_table
from worthit.datasets.tables.comments import CommentChunk, CommentReader
from worthit.models.cluster import connection
from worthit.models.cluster.connection import Node
from worthit.models.scoring import encoding
from worthit.models.scoring.parts import InputFile


@dataclass(frozen=True)
class HowToRead:
    """What decides the rows of a file; the same on every machine."""

    form: str | None
    reading: Reading
    text_column: str | None  # None: guessed
    keep: tuple[str, ...]  # further columns, or ALL
    trained_on: str | None  # the text column that the model was trained on
    extras: tuple[str, ...] | None = None  # the columns that `keep` means, once that is known


@dataclass(frozen=True)
class FirstRows:
    """What the first file decides for all."""

    text_column: str
    extras: pa.Schema  # the columns to carry along
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Counted:
    rows: int
    notes: tuple[str, ...]
    error: str = ""


def listed_files(given: str) -> list[Path]:
    """The files of a path: itself, or those in a folder, by name.

    Raises:
        DataError: there are none, or the folder holds folders.
    """
    path = Path(given).expanduser().absolute()
    with readable(path):
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise DataError(f"there is no file or folder {given}; give the path of one that exists")
        inside = [each for each in path.iterdir() if not each.name.startswith((".", "_"))]
        if folders := sorted(each.name for each in inside if not each.is_file()):
            raise DataError(
                f"{given} holds folders ({listed(folders, 3)}); give one that holds files"
            )
    if not inside:
        raise DataError(f"{given} holds no files; give a folder with CSV, JSON lines or Parquet")
    return sorted(inside)


def described(path: Path) -> InputFile:
    """A file as it is now, before its rows are counted."""
    with readable(path):
        state = path.stat()
    return InputFile(path.name, state.st_size, state.st_mtime_ns, 0, None, False)


def require_unchanged(path: Path, file: InputFile) -> None:
    """Raises DataError if this machine does not have the file that the output was begun with."""
    try:
        state = path.stat()
        is_same = (state.st_size, state.st_mtime_ns) == (file.size_bytes, file.changed_ns)
    except OSError:
        is_same = False
    if not is_same:
        raise DataError(
            f"{file.name} has changed, or {socket.gethostname()} has another one at its path; give files "
            "that all nodes see and nobody writes to"
        )


@contextlib.contextmanager
def open_comments(path: Path, how: HowToRead) -> Iterator[CommentReader]:
    """The comments of one file, read as `worthit score` reads them on one machine."""
    with Input(path, encoding=how.reading.encoding) as source:
        table = open_table(source, how.form, "--input-format", how.reading)
        comments = CommentReader(table, how.text_column, how.keep, how.trained_on)
        if how.extras is not None and sorted(how.extras) != sorted(comments.extras):
            raise DataError(
                f"{path.name} has other columns than the first file; name those to carry along with --keep"
            )
        yield comments


def first_rows(paths: Sequence[Path], how: HowToRead, chunk_rows: int) -> FirstRows:
    """Columns by the first file, their types by the first chunk of any, as on one machine."""
    with open_comments(paths[0], how) as comments:
        text_column, extras, notes = comments.text_column, comments.extras, comments.notes
    chunk = _first_chunk(paths, replace(how, text_column=text_column, extras=extras), chunk_rows)
    types = [
        (name, encoding.column_type(name, chunk.extras[name]) if chunk else pa.string())
        for name in extras
    ]
    return FirstRows(text_column, pa.schema(types), notes)


def _first_chunk(paths: Sequence[Path], how: HowToRead, chunk_rows: int) -> CommentChunk | None:
    """None if no file has rows."""
    for path in paths:
        with open_comments(path, how) as comments:
            if (chunk := next(comments.chunks(chunk_rows), None)) is not None:
                return chunk
    return None


def counted(
    paths: Sequence[Path],
    how: HowToRead,
    known: Sequence[InputFile],
    where: dict[str, str],
    at_once: int,
) -> tuple[tuple[InputFile, ...], tuple[str, ...]]:
    """The files with their rows, and notes on how they are read.

    Rows are numbered through all files, so files of text are read twice if there are several: tasks
    count their rows first.

    Args:
        known: files that were counted before an interruption.
        where: labels of the nodes that see them; empty for all.
        at_once: how many files to count at the same time.

    Raises:
        DataError: a row is malformed, or a known file has changed.
    """
    files, notes, to_count = [described(path) for path in paths], [], []
    for place, (path, file) in enumerate(zip(paths, files, strict=True)):
        if place < len(known):
            require_unchanged(path, known[place])
            files[place] = known[place]
            continue
        with open_comments(path, how) as comments:
            if (rows := comments.splittable_rows) is not None:
                files[place] = replace(file, rows=rows, is_splittable=True)
            elif len(paths) > 1:
                to_count.append(place)
    for place, count in _count(paths, files, to_count, how, where, at_once):
        files[place] = replace(files[place], rows=count.rows)
        notes += [(place, note) for note in count.notes]
    before = [0, *itertools.accumulate(file.rows or 0 for file in files)]
    numbered = (replace(file, before=rows) for file, rows in zip(files, before, strict=False))
    return tuple(numbered), tuple(note for _, note in sorted(notes))


def _count(
    paths: Sequence[Path],
    files: Sequence[InputFile],
    places: Sequence[int],
    how: HowToRead,
    where: dict[str, str],
    at_once: int,
) -> Iterator[tuple[int, _Counted]]:
    import ray

    task = ray.remote(num_cpus=0, label_selector=where)(_count_rows)
    running: dict[Any, int] = {}
    waiting = list(reversed(places))
    while waiting or running:
        while waiting and len(running) < at_once:
            place = waiting.pop()
            running[task.remote(str(paths[place]), files[place], how)] = place
        (done, *_), _ = ray.wait([*running])
        try:
            count: _Counted = ray.get(done)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"the rows were not counted ({one_line(error)}); run again"
            ) from error
        if count.error:
            raise DataError(count.error)
        yield running.pop(done), count


def _count_rows(path: str, file: InputFile, how: HowToRead) -> _Counted:
    """Runs on a node; an error is a value, so that Ray neither repeats nor logs it."""
    try:
        require_unchanged(Path(path), file)
        with open_comments(Path(path), how) as comments:
            rows = sum(len(chunk.texts) for chunk in comments.chunks(1 << 14))
            return _Counted(rows, comments.notes)
    except WorthitError as error:
        return _Counted(0, (), str(error))


def this_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def none_but(nodes: Sequence[Node]) -> dict[str, str]:
    """The labels of these nodes and this one; empty if the cluster has no others.

    Tasks that read need no CPU. Ray would also give them to nodes without CPUs, as a head node may be, which
    were asked neither for the input nor for their versions.
    """
    asked = {*(node.node_id for node in nodes), this_node()}
    if asked.issuperset(node.node_id for node in connection.living_nodes()):
        return {}
    return {"ray.io/node-id": f"in({','.join(sorted(asked))})"}  # without a space: Ray 2.60


def nodes_without(
    paths: Sequence[Path], files: Sequence[InputFile], nodes: Sequence[Node]
) -> list[str]:
    """The names of the nodes that do not see the same files at the same paths."""
    import ray

    task = ray.remote(num_cpus=0)(_sees)
    given = [str(path) for path in paths]
    answers = [
        task.options(label_selector={"ray.io/node-id": node.node_id}).remote(given, list(files))
        for node in nodes
    ]
    try:
        return [node.name for node, sees in zip(nodes, ray.get(answers), strict=True) if not sees]
    except ray.exceptions.RayError as error:
        raise ClusterError("a node died while it was asked for the input; run again") from error


def _sees(paths: Sequence[str], files: Sequence[InputFile]) -> bool:
    try:
        for path, file in zip(paths, files, strict=True):
            require_unchanged(Path(path), file)
    except DataError:
        return False
    return all(os.access(path, os.R_OK) for path in paths)

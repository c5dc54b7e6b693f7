"""A user's own labelled comments: tables as read, with a split or without, made into a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import SIDES, About, comments
from worthit.datasets.errors import DataError
from worthit.datasets.tables import columns as chosen_by_user
from worthit.datasets.tables import labels
from worthit.datasets.tables.columns import Choices, Columns
from worthit.datasets.tables.formats import LARGEST_COLUMN_BYTES, Rows

#: part of fingerprints; raised whenever what is read of a table changes, so that caches are left alone
VERSION = "2"

_TRAIN, _VALIDATION, _TEST = range(len(SIDES))
_NO_SIDE = -1


@dataclass(frozen=True)
class Piece:
    """One table, and the side of the split that it is, if it is one."""

    rows: Rows
    side: str | None = None  # one of SIDES


def corpus_of(pieces: Sequence[Piece], choices: Choices) -> pa.Table:
    """All pieces as one corpus, the test side first.

    Of comments that are on both sides the protocol keeps the first, so it is the training side that
    loses them.

    Raises:
        DataError, OptionError: a column or class is not there, or cannot be guessed.
    """
    first = next((piece for piece in pieces if piece.side in (None, "train")), pieces[0])
    choices = choices.of(first.rows.table.column_names)
    if first.side is not None and choices.split_column is not None:
        raise DataError(
            f"--split-column {choices.split_column} was given, and the files are sides of a split "
            "already; leave one out"
        )
    columns = chosen_by_user.columns(first.rows, choices, split_by_files=first.side is not None)
    for piece in pieces:
        _require_all(piece.rows, columns)
    values = _values(pieces, columns.label)
    found = labels.classes(
        values.to_pylist(), columns.label, choices.positive_label, first.rows.name
    )
    labelled = found.indices >= 0
    sides, split_notes = _settled(_sides(pieces, columns), labelled)
    texts, text_notes = _texts(_values(pieces, columns.text))
    groups, group_notes = _groups(pieces, columns)

    order = np.argsort(-sides, kind="stable")  # test, validation, train
    kept = order[labelled[order]]
    return comments(
        texts.take(kept),
        pa.array(found.indices[kept]),
        sides=None if (sides == _NO_SIDE).all() else pa.array(sides[kept]),
        groups=None if groups is None else pa.array(groups[kept]),
        about=About(
            found.classes,
            (*dict.fromkeys(note for piece in pieces for note in piece.rows.notes), *columns.notes,
             *found.notes, *split_notes, *group_notes, *text_notes),
            int((~labelled).sum()),
        ),
    )  # fmt: skip


def _require_all(rows: Rows, columns: Columns) -> None:
    chosen_by_user.require(rows, columns.text, "--text-column")
    chosen_by_user.require(rows, columns.label, "--label-column")
    if columns.group is not None:
        chosen_by_user.require(rows, columns.group, "--group-column")


def _values(pieces: Sequence[Piece], column: str) -> pa.Array:
    chunks = [chunk for piece in pieces for chunk in piece.rows.table[column].chunks]
    held_bytes = sum(pc.sum(pc.binary_length(chunk)).as_py() or 0 for chunk in chunks)
    if held_bytes > LARGEST_COLUMN_BYTES:
        raise DataError(
            f"the column {column} holds {held_bytes / 1e9:.1f} GB of text, and up to "
            f"{LARGEST_COLUMN_BYTES / 1e9:.1f} GB of a column are read; give a part of it"
        )
    return pa.chunked_array(chunks, pa.string()).combine_chunks()


def _texts(values: pa.Array) -> tuple[pa.Array, tuple[str, ...]]:
    """Texts without NUL characters, empty where there is none."""
    nuls = pc.sum(pc.count_substring(values, "\0")).as_py() or 0
    values = pc.fill_null(values, "")
    if not nuls:
        return values, ()
    note = f"{nuls:,} NUL characters were taken out of texts"
    return pc.replace_substring(values, "\0", ""), (note,)


def _sides(pieces: Sequence[Piece], columns: Columns) -> npt.NDArray[np.int8]:
    """The side of each row, as files or the split column have it; _NO_SIDE where nothing does."""
    by_piece = []
    for piece in pieces:
        if columns.split is not None:
            chosen_by_user.require(piece.rows, columns.split, "--split-column")
            by_piece.append(_of_column(piece.rows, columns.split))
        else:
            side = _NO_SIDE if piece.side is None else SIDES.index(piece.side)
            by_piece.append(np.full(piece.rows.table.num_rows, side, np.int8))
    return np.concatenate(by_piece)


def _of_column(rows: Rows, column: str) -> npt.NDArray[np.int8]:
    values = [(value or "").strip().casefold() for value in rows.table[column].to_pylist()]
    unknown = sorted(set(values) - chosen_by_user.SIDES.keys())
    if unknown:
        raise DataError(
            f"the column {column} of {rows.name} has {unknown[0][:30]!r}; a split column says train, "
            "validation or test in every row"
        )
    return np.array([SIDES.index(chosen_by_user.SIDES[value]) for value in values], np.int8)


def _settled(
    sides: npt.NDArray[np.int8], labelled: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int8], tuple[str, ...]]:
    """Sides with a training and a test side or none at all, and lines on them."""
    present = set(sides[labelled].tolist())
    if present <= {_NO_SIDE}:
        return sides, ()
    if len(present) == 1:
        name = SIDES[present.pop()]
        note = f"all labelled rows are of the {name} side; a test side is split off here"
        return np.full_like(sides, _NO_SIDE), (note,)
    if _TRAIN not in present:
        raise DataError("there are a validation and a test side, but no training side; add one")
    if _TEST not in present:
        moved = np.where(sides == _VALIDATION, np.int8(_TEST), sides)
        return moved, ("the validation side is tested on: no labelled row is of a test side",)
    return sides, ("the test side is the one given",)


def _groups(
    pieces: Sequence[Piece], columns: Columns
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    """A number for each group; a row without one is a group of its own."""
    if columns.group is None:
        return None, ()
    values = _values(pieces, columns.group)
    blank = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(values, "")), "").to_numpy(False)
    numbers = pc.fill_null(values, "").dictionary_encode().indices.to_numpy(False).astype(np.int64)
    numbers[blank] = -1 - np.flatnonzero(blank)
    groups = len(np.unique(numbers))
    alone = f", {int(blank.sum()):,} rows without one are each their own" if blank.any() else ""
    return numbers, (f"{groups:,} groups by {columns.group} stay on one side of the split{alone}",)

"""Turns a user's labelled tables, with a given split or without, into one corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import SIDES, About, comments
from worthit.datasets.errors import DataError
from worthit.datasets.formats.whole import LARGEST_COLUMN_BYTES, StringTable
from worthit.datasets.tables import answers, labels, multilabel
from worthit.datasets.tables.columns import SIDES as SIDE_NAMES
from worthit.datasets.tables.columns import Choices, ColumnRoles, find_columns, require
from worthit.datasets.tables.labels import Labels
from worthit.datasets.tables.multilabel import LabelSets

#: part of fingerprints; increase it when a table is read differently, so that older caches are not used
VERSION = "8"

_TRAIN, _VALIDATION, _TEST = range(len(SIDES))
_NO_SIDE = -1


@dataclass(frozen=True)
class Piece:
    """One table, and its side of a given split."""

    rows: StringTable
    side: str | None = None  # one of SIDES


def corpus_of(pieces: Sequence[Piece], choices: Choices) -> pa.Table:
    """All pieces as one corpus, the test side first.

    The protocol keeps the first of duplicates, so the training side loses comments that are on both.

    Raises:
        DataError, OptionError: a column or class is missing, or cannot be guessed.
    """
    first = next((piece for piece in pieces if piece.side in (None, "train")), pieces[0])
    borrowed = choices.label_if_several
    choices = choices.of(first.rows.table.column_names)
    if first.side is not None and choices.split_column is not None:
        raise DataError(
            f"--split-column {choices.split_column} was given, but the files are sides of a split "
            "already; omit one"
        )
    columns = find_columns(first.rows, choices, split_by_files=first.side is not None)
    for piece in pieces:
        require(piece.rows, columns.text, "--text-column")
        for name in columns.flags or (columns.label,):
            require(piece.rows, name, "--label-column")
        if columns.group is not None:
            require(piece.rows, columns.group, "--group-column")
    classes, answer_notes = _classes(pieces, columns, choices, first.rows.name, borrowed)
    labelled = classes.indices >= 0
    sides, split_notes = _complete_sides(_sides(pieces, columns), labelled)
    texts, text_notes = _texts(_values(pieces, columns.text))
    groups, group_notes = _groups(pieces, columns)

    order = np.argsort(-sides, kind="stable")  # test, validation, train
    rows = order[labelled[order]]
    return comments(
        texts.take(rows),
        pa.array(classes.indices[rows]),
        sides=None if (sides == _NO_SIDE).all() else pa.array(sides[rows]),
        groups=None if groups is None else pa.array(groups[rows]),
        about=About(
            classes.classes,
            (*dict.fromkeys(note for piece in pieces for note in piece.rows.notes), *columns.notes,
             *answer_notes, *classes.notes, *split_notes, *group_notes, *text_notes),
            int((~labelled).sum()),
            text_column=columns.text,
            label_sets=classes.sets if isinstance(classes, LabelSets) else (),
        ),
    )  # fmt: skip


def _values(pieces: Sequence[Piece], column: str) -> pa.Array:
    chunks = [chunk for piece in pieces for chunk in piece.rows.table[column].chunks]
    size_bytes = sum(pc.sum(pc.binary_length(chunk)).as_py() or 0 for chunk in chunks)
    if size_bytes > LARGEST_COLUMN_BYTES:
        raise DataError(
            f"the column {column} holds {size_bytes / 1e9:.1f} GB of text, the limit is "
            f"{LARGEST_COLUMN_BYTES / 1e9:.1f} GB per column; give a part of it"
        )
    return pa.chunked_array(chunks, pa.string()).combine_chunks()


def _classes(
    pieces: Sequence[Piece],
    columns: ColumnRoles,
    choices: Choices,
    name: str,
    if_several: str | None,
) -> tuple[Labels | LabelSets, tuple[str, ...]]:
    """The classes, or several labels, of all rows; and notes on the answers of annotators."""
    if columns.flags:
        of_each = {column: _values(pieces, column).to_pylist() for column in columns.flags}
        return multilabel.of_columns(of_each, name), ()
    values, notes = _labels(pieces, columns.label)
    if choices.multilabel:
        return multilabel.of_values(values, columns.label, name), notes
    wanted = choices.positive_label
    return labels.to_classes(values, columns.label, wanted, name, if_several), notes


def _labels(pieces: Sequence[Piece], column: str) -> tuple[list[str | None], tuple[str, ...]]:
    """Labels as written, or what the answers of annotators leave of them; and a line on it."""
    values: list[str | None] = _values(pieces, column).to_pylist()
    if not all(answers.COLUMN in piece.rows.table.column_names for piece in pieces):
        return values, ()
    given: list[str | None] = _values(pieces, answers.COLUMN).to_pylist()
    if not answers.are_answers({*given}):
        return values, ()
    left, line = answers.applied(values, given, is_label=column != answers.COLUMN)
    return left, (line,)


def _texts(values: pa.Array) -> tuple[pa.Array, tuple[str, ...]]:
    """Texts without NUL characters; an empty text in place of null."""
    nuls = pc.sum(pc.count_substring(values, "\0")).as_py() or 0
    values = pc.fill_null(values, "")
    if not nuls:
        return values, ()
    note = f"{nuls:,} NUL characters were removed from texts"
    return pc.replace_substring(values, "\0", ""), (note,)


def _sides(pieces: Sequence[Piece], columns: ColumnRoles) -> npt.NDArray[np.int8]:
    """The side of each row, by its file or the split column; _NO_SIDE without either."""
    by_piece = []
    for piece in pieces:
        if columns.split is not None:
            require(piece.rows, columns.split, "--split-column")
            by_piece.append(_side_by_column(piece.rows, columns.split))
        else:
            side = _NO_SIDE if piece.side is None else SIDES.index(piece.side)
            by_piece.append(np.full(piece.rows.table.num_rows, side, np.int8))
    return np.concatenate(by_piece)


def _side_by_column(rows: StringTable, column: str) -> npt.NDArray[np.int8]:
    values = [(value or "").strip().casefold() for value in rows.table[column].to_pylist()]
    unknown = sorted(set(values) - SIDE_NAMES.keys())
    if unknown:
        raise DataError(
            f"the column {column} of {rows.name} has {unknown[0][:30]!r}; every row of a split column must "
            "be train, validation or test"
        )
    return np.array([SIDES.index(SIDE_NAMES[value]) for value in values], np.int8)


def _complete_sides(
    sides: npt.NDArray[np.int8], labelled: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int8], tuple[str, ...]]:
    """Both a training and a test side, or neither; and notes."""
    present = set(sides[labelled].tolist())
    if present <= {_NO_SIDE}:
        return sides, ()
    if len(present) == 1:
        name = SIDES[present.pop()]
        note = f"all labelled rows are on the {name} side; a test side is split off"
        return np.full_like(sides, _NO_SIDE), (note,)
    if _TRAIN not in present:
        raise DataError("there is a validation and a test side, but no training side; add one")
    if _TEST not in present:
        moved = np.where(sides == _VALIDATION, np.int8(_TEST), sides)
        return moved, ("the validation side is the test side: no labelled row is on a test side",)
    return sides, ("the test side is the one given",)


def _groups(
    pieces: Sequence[Piece], columns: ColumnRoles
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    """A number for each group. A row without a group is a group by itself."""
    if columns.group is None:
        return None, ()
    values = pc.utf8_trim_whitespace(pc.fill_null(_values(pieces, columns.group), ""))
    values = pc.replace_substring_regex(values, r"^(-?\d+)\.0+$", r"\1")  # 7.0 is 7 in another file
    blank = pc.equal(values, "").to_numpy(False)
    numbers = values.dictionary_encode().indices.to_numpy(False).astype(np.int64)
    numbers[blank] = -1 - np.flatnonzero(blank)
    groups = len(np.unique(numbers))
    alone = f", {int(blank.sum()):,} rows without a group are each a group" if blank.any() else ""
    return numbers, (f"{groups:,} groups by {columns.group} stay on one side of the split{alone}",)

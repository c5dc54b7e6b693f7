"""The columns that a user names, and guesses at the others.

Each guess is a line that is shown before anything is trained, and saved with the run.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.errors import DataError, listed
from worthit.datasets.formats.chunks import HEAD_ROWS
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.tables import label_column
from worthit.datasets.tables.label_column import usual

_TEXTS = tuple(map(usual, (
    "text", "comment", "comment_text", "comments", "content", "message", "body", "sentence", "tweet",
    "post", "review", "review_text", "document", "utterance", "question",
    "texto", "texte", "testo", "tekst", "текст", "文本", "テキスト", "텍스트", "Kommentar", "comentario",
    "commentaire", "commento", "评论", "full_text", "tweet_text", "description", "title", "headline",
)))  # fmt: skip
_SPLITS = ("split", "set", "fold", "partition")
#: usual names of the sides of a split
SIDES = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_ALSO_TEXT, _SHORTEST_TEXT = 0.5, 20  # of the text's characters; characters
_FEWEST_SPACES = 2  # of a text
_ENOUGH_ROWS = 10  # to tell that a column is no text
_list = partial(listed, most=12, width=40)


@dataclass(frozen=True)
class Choices:
    """What a user says about a table; None is guessed, or absent."""

    text_column: str | None = None
    label_column: str | None = None
    positive_label: str | None = None
    multilabel: bool | None = None  # True: learn all labels of a column that holds several per row
    group_column: str | None = None
    split_column: str | None = None
    test_file: Path | None = None
    encoding: str | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None  # of a file without a header
    sheet: str | None = None  # of an Excel file

    @property
    def reading(self) -> Reading:
        """How the files are read."""
        return Reading(self.encoding, self.delimiter, self.columns, self.sheet)

    def options(self) -> dict[str, str]:
        """As a user would write them, the path shortened to its name."""
        given = {f"--{name.replace('_', '-')}": value for name, value in vars(self).items()}
        return {option: _written(value) for option, value in given.items() if value is not None}

    def settings(self) -> dict[str, Any]:
        """The choices that a fingerprint holds; the test file's content is part of it instead."""
        return asdict(replace(self, test_file=None))

    def of(self, present: Sequence[str]) -> "Choices":
        """The choices that apply to a table with these columns."""
        return self

    def borrowed(self) -> "Choices":
        """For an out-of-domain table, whose columns may have the same names."""
        return _Borrowed(
            text_column=self.text_column,
            label_column=self.label_column,
            positive_label=self.positive_label,
            multilabel=self.multilabel,
            encoding=self.encoding,
            columns=self.columns,
        )

    @property
    def label_if_several(self) -> str | None:
        """The positive label of another table, for rows that have several labels."""
        return None


class _Borrowed(Choices):
    """Made for another table: columns that this one lacks are guessed."""

    def settings(self) -> dict[str, Any]:
        # The same choices, given for the table itself, are read otherwise and must not share a cache.
        return {**super().settings(), "borrowed": True}

    @property
    def reading(self) -> Reading:
        return replace(super().reading, is_borrowed=True)

    @property
    def label_if_several(self) -> str | None:
        return self.positive_label

    def of(self, present: Sequence[str]) -> Choices:
        return Choices(
            text_column=self.text_column if self.text_column in present else None,
            label_column=self.label_column if _are_present(self.label_column, present) else None,
            multilabel=self.multilabel,
            encoding=self.encoding,
        )


def label_columns(given: str, present: Sequence[str]) -> tuple[str, ...]:
    """The columns that a user names by one option, separated by commas; a name may have a comma itself."""
    if given in present or "," not in given:
        return (given,)
    return tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))


def _are_present(given: str | None, present: Sequence[str]) -> bool:
    return given is not None and {*label_columns(given, present)} <= {*present}


def _written(value: Path | tuple[str, ...] | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    return value.name if isinstance(value, Path) else value


#: everything is guessed
NOTHING = Choices()


@dataclass(frozen=True)
class ColumnRoles:
    """The column of each role."""

    text: str
    label: str
    group: str | None
    split: str | None
    notes: tuple[str, ...]
    flags: tuple[str, ...] = ()  # several label columns of 0 and 1, of which `label` is the first


def find_columns(
    rows: StringTable, choices: Choices, *, split_by_files: bool = False
) -> ColumnRoles:
    """Find the columns of a table, those named by the user first.

    Args:
        split_by_files: do not look for a split column.

    Raises:
        DataError: a named column is missing, or none can be guessed.
    """
    given_labels = (
        ()
        if choices.label_column is None
        else label_columns(choices.label_column, rows.table.column_names)
    )
    for option, given in choices.options().items():
        if option.endswith("-column"):
            for name in given_labels if option == "--label-column" else (given,):
                require(rows, name, option)
    _require_one_way(choices, given_labels)
    taken = {*given_labels, choices.group_column, choices.split_column}
    text = choices.text_column or guess_text(rows, taken)
    others = [] if choices.text_column else _other_texts(rows, text, taken)
    split = choices.split_column
    if split is None and not split_by_files:
        split = _guess_split(rows, {text, *taken})
    label, why = next(iter(given_labels), None), ""
    if label is None:
        label, why = label_column.guess(rows, {text, choices.group_column, split})
    if text in (label, *given_labels):
        raise DataError(
            f"{text} of {rows.name} is named as both the text and the label; name two columns"
        )
    notes = [
        guess_note(role, column, reason)
        for role, column, given, reason in (
            ("text", text, choices.text_column, f"not {_list(others)}" * bool(others)),
            ("label", label, choices.label_column, why),
            ("split", split, choices.split_column, ""),
        )
        if given is None and column is not None
    ]
    flags = given_labels if len(given_labels) > 1 else ()
    return ColumnRoles(text, label, choices.group_column, split, tuple(notes), flags)


def _require_one_way(choices: Choices, labels: Sequence[str]) -> None:
    """Raise DataError if a user asks for one label and for several."""
    several = len(labels) > 1 or choices.multilabel
    if several and choices.positive_label is not None:
        raise DataError(
            f"--positive-label {choices.positive_label} learns one label, but "
            f"{f'--label-column {choices.label_column}' if len(labels) > 1 else '--multilabel'} learns "
            "several; omit one"
        )


def guess_note(role: str, column: str, why: str = "") -> str:
    reason = f", {why}" * bool(why)
    return f"{role} column: {column} (guessed{reason}; --{role}-column changes it)"


def require(rows: StringTable, column: str, option: str) -> None:
    """Raises DataError unless the table has that column, with values to use.

    Args:
        option: names another column.
    """
    is_nested_label = option == "--label-column" and column in rows.table.column_names
    if column in rows.unusable and not is_nested_label:
        raise DataError(
            f"the column {column} of {rows.name} {rows.unusable[column]}; name another with {option}"
        )
    if column not in rows.table.column_names:
        raise DataError(
            f"{rows.name} has the columns {_list(rows.table.column_names)}, but not {column}; "
            f"name one of them with {option}"
        )


def guess_text(rows: StringTable, taken: Collection[str | None] = ()) -> str:
    """The text column: by its name, else the one with the longest texts; rather not numbers, codes or a single value.

    Only the first `HEAD_ROWS` rows are looked at, so that a stream gets the same answer.

    Raises:
        DataError: no column can be the text.
    """
    head = rows.table.slice(0, HEAD_ROWS)
    free: list[str] = [
        name
        for name in head.column_names
        if name not in taken
        and name not in rows.unusable
        and (not head.num_rows or head[name].null_count < head.num_rows)
    ]
    varied = [name for name in free if head.num_rows < _ENOUGH_ROWS or len(head[name].unique()) > 1]
    for names in (varied, free):
        if named := _known(names, _TEXTS):
            # `comments` may count them, `review` may be a number of stars.
            return next((name for name in named if _mean_length(head, name)), named[0])
        lengths = {name: _mean_length(head, name) for name in names}
        if any(lengths.values()):
            wordy = [name for name in names if lengths[name] and not _are_codes(head, name)]
            return max(wordy or names, key=lambda name: lengths[name])
    raise _none_usable(rows, _TEXTS, "can be the text; name it with --text-column")


def _other_texts(rows: StringTable, text: str, taken: Collection[str | None]) -> list[str]:
    """Columns of texts of about the same length, which are not read: of pairs, or a title."""
    head = rows.table.slice(0, HEAD_ROWS)
    least = _ALSO_TEXT * _mean_length(head, text)
    return [
        name
        for name in head.column_names
        if name not in {text, *taken} | rows.unusable.keys()
        and not label_column.describes(name)
        and _mean_length(head, name) >= max(least, _SHORTEST_TEXT)
        and (pc.mean(pc.count_substring(head[name], " ")).as_py() or 0) >= _FEWEST_SPACES
    ]


def _mean_length(table: pa.Table, name: str) -> float:
    """In characters; 0 for numbers."""
    values = table[name]
    if usual(name) in label_column.KNOWN or bool(
        pc.all(pc.match_substring_regex(values, r"^[\d.,:/\s+-]*$")).as_py()
    ):
        return 0.0
    return pc.mean(pc.utf8_length(values)).as_py() or 0.0


def _are_codes(table: pa.Table, name: str) -> bool:
    """True for web links, file names, hashes: ASCII without a space. Many scripts have none either."""
    return bool(pc.all(pc.match_substring_regex(table[name], r"^[!-~]*$")).as_py())


def side_in(names: Sequence[str]) -> str | None:
    """The side of a split in the last of these names that has one; of a path, its parts."""
    for name in reversed(names):
        for word in re.split(r"[^a-z]+", name.lower()):
            if word in SIDES:
                return SIDES[word]
    return None


def _guess_split(rows: StringTable, taken: set[str | None]) -> str | None:
    for name in _known(rows.table.column_names, _SPLITS):
        if name not in taken:
            values = {(value or "").strip().casefold() for value in rows.table[name].to_pylist()}
            if values <= SIDES.keys() and len({SIDES[value] for value in values}) > 1:
                return name
    return None


def _none_usable(rows: StringTable, known: Sequence[str], problem: str) -> DataError:
    """Why there is no such column; if one with a known name is unusable, the reason."""
    for name in _known([*rows.unusable], known):
        require(rows, name, problem.rpartition(" ")[2])
    return DataError(
        f"{rows.name} has the columns {_list(rows.table.column_names)}, none of which {problem}"
    )


def _known(present: Sequence[str], known: Sequence[str]) -> list[str]:
    """Columns with one of the known names, the likeliest first."""
    by_name = {usual(name): name for name in reversed(present)}
    return [by_name[name] for name in known if name in by_name]

"""What a user says about a table of their own, and guesses at what is left unsaid.

Each guess is a line that is shown before anything is trained, and kept with the run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.errors import DataError
from worthit.datasets.tables import labels
from worthit.datasets.tables.formats import Rows

_TEXTS = (
    "text", "comment", "comment_text", "comments", "content", "message", "body", "sentence", "tweet",
    "post", "review", "review_text", "document", "utterance", "question", "title",
)  # fmt: skip
_LABELS = (
    "label", "labels", "class", "target", "toxic", "toxicity", "is_toxic", "sentiment", "category",
    "spam", "is_spam", "hate", "offensive", "polarity", "intent", "topic", "rating", "stars", "y",
)  # fmt: skip
_SPLITS = ("split", "set", "fold", "partition")
#: what people call the sides of a split
SIDES = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """Of a user's own table; what is None is guessed, or not there."""

    text_column: str | None = None
    label_column: str | None = None
    positive_label: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    test_file: Path | None = None

    def options(self) -> dict[str, str]:
        """As a user would write them, the path shortened to its name."""
        given = {f"--{name.replace('_', '-')}": value for name, value in vars(self).items()}
        return {
            option: value.name if isinstance(value, Path) else value
            for option, value in given.items()
            if value is not None
        }

    def of(self, present: Sequence[str]) -> "Choices":
        """What is meant of a table with these columns."""
        return self

    def borrowed(self) -> "Choices":
        """For a table of other origin, whose columns may be called the same."""
        return _Borrowed(text_column=self.text_column, label_column=self.label_column)


class _Borrowed(Choices):
    """Made for another table: what this one lacks is guessed."""

    def of(self, present: Sequence[str]) -> Choices:
        return Choices(
            text_column=self.text_column if self.text_column in present else None,
            label_column=self.label_column if self.label_column in present else None,
        )


#: nothing said, everything guessed
NOTHING = Choices()


@dataclass(frozen=True)
class Columns:
    """Which column is what."""

    text: str
    label: str
    group: str | None
    split: str | None
    notes: tuple[str, ...]


def columns(rows: Rows, choices: Choices, *, split_by_files: bool = False) -> Columns:
    """Find the columns of a table, those named by the user first.

    Args:
        split_by_files: no column is looked at for the split.

    Raises:
        DataError: a column named is not there, or none can be guessed.
    """
    for option, given in (
        ("--text-column", choices.text_column),
        ("--label-column", choices.label_column),
        ("--group-column", choices.group_column),
        ("--split-column", choices.split_column),
    ):
        if given is not None:
            require(rows, given, option)
    taken = {choices.label_column, choices.group_column, choices.split_column}
    text = choices.text_column or _text(rows, taken)
    split = choices.split_column
    if split is None and not split_by_files:
        split = _split(rows, {text, *taken})
    label = choices.label_column or _label(rows, {text, choices.group_column, split})
    if text == label:
        raise DataError(
            f"{text} of {rows.name} is named as the text and the label; name two columns"
        )
    notes = [
        f"{what} column: {found} (guessed; --{what}-column changes it)"
        for what, found, given in (
            ("text", text, choices.text_column),
            ("label", label, choices.label_column),
            ("split", split, choices.split_column),
        )
        if given is None and found is not None
    ]
    return Columns(text, label, choices.group_column, split, tuple(notes))


def require(rows: Rows, column: str, option: str) -> None:
    """Raises DataError unless the table has that column, once, and with values to use."""
    times = rows.table.column_names.count(column)
    if column in rows.unusable:
        raise DataError(
            f"the column {column} of {rows.name} holds {rows.unusable[column]}; "
            f"name another with {option}"
        )
    if times > 1:
        raise DataError(
            f"{rows.name} has {times} columns called {column}; rename one of them, or name another "
            f"with {option}"
        )
    if times == 0:
        raise DataError(
            f"{rows.name} has the columns {_listed(rows.table.column_names)}, but not {column}; "
            f"name one of them with {option}"
        )


def _text(rows: Rows, taken: set[str | None]) -> str:
    free: list[str] = [name for name in rows.table.column_names if name not in taken]
    for name in _by_name(free, _TEXTS):
        require(rows, name, "--text-column")
        return name
    lengths = {name: _mean_length(rows.table, name) for name in dict.fromkeys(free)
               if free.count(name) == 1}  # fmt: skip
    if not lengths:
        raise DataError(
            f"{rows.name} has the columns {_listed(rows.table.column_names)}, none of which can be the "
            "text; name it with --text-column"
        )
    return max(lengths, key=lambda name: lengths[name])


def _mean_length(table: pa.Table, name: str) -> float:
    """In characters; of numbers 0."""
    values = table[name]
    if name.strip().casefold() in _LABELS or bool(
        pc.all(pc.match_substring_regex(values, r"^[\d.,:/\s+-]*$")).as_py()
    ):
        return 0.0
    return pc.mean(pc.utf8_length(values)).as_py() or 0.0


def _label(rows: Rows, taken: set[str | None]) -> str:
    free: list[str] = [name for name in rows.table.column_names if name not in taken]
    for name in _by_name(free, _LABELS):
        require(rows, name, "--label-column")
        return name
    found: dict[str, int] = {}
    for name in free:
        if free.count(name) == 1:
            different = labels.count_values(rows.table[name].to_pylist())
            if 2 <= different <= min(labels.MOST_CLASSES, max(2, rows.table.num_rows // 5)):
                found[name] = different
    candidates = [name for name in found if found[name] == 2] or list(found)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise DataError(
            f"the columns {_listed(candidates)} of {rows.name} could all be the label; "
            "name it with --label-column"
        )
    raise DataError(
        f"{rows.name} has the columns {_listed(rows.table.column_names)}, none of which looks like a "
        "label; name it with --label-column"
    )


def _split(rows: Rows, taken: set[str | None]) -> str | None:
    free: list[str] = [name for name in rows.table.column_names if name not in taken]
    for name in _by_name(free, _SPLITS):
        if free.count(name) == 1:
            values = {(value or "").strip().casefold() for value in rows.table[name].to_pylist()}
            if values <= SIDES.keys() and len({SIDES[value] for value in values}) > 1:
                return name
    return None


def _by_name(present: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those that are called so, the likeliest first."""
    places = {re.sub(r"[\s-]+", "_", name.strip().casefold()): name for name in reversed(present)}
    return [places[name] for name in known if name in places]


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(name[:40] for name in names[:most]) or "none"
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")

"""Several labels per row: from several columns of 0 and 1, or from one column of lists."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worthit.datasets.classes import LABEL_TYPE, MOST_CLASSES
from worthit.datasets.classes import Labels as Indices
from worthit.datasets.errors import DataError, listed
from worthit.datasets.tables import label_values, labels
from worthit.datasets.tables.positive import FALSE, TRUE

_MOST_SETS = int(np.iinfo(LABEL_TYPE).max)


@dataclass(frozen=True)
class LabelSets:
    """Labels, the sets of them that occur, and the set of each row."""

    classes: tuple[str, ...]  # the labels
    sets: tuple[tuple[int, ...], ...]  # places of labels, ascending; may be empty
    indices: Indices  # (n,), of the row's set; -1 where a label is missing
    notes: tuple[str, ...]


def of_columns(columns: Mapping[str, Sequence[str | None]], name: str) -> LabelSets:
    """Rows of several columns of 0 and 1; a row without a value in one of them has no labels.

    Args:
        columns: values by the name of the column, as they are written.
        name: of the file, for messages.

    Raises:
        DataError: a column holds something else.
    """
    flags = [_flags(column, values, name) for column, values in columns.items()]
    rows = [
        None if None in row else tuple(place for place, has in enumerate(row) if has)
        for row in zip(*flags, strict=True)
    ]
    return _label_sets(tuple(columns), rows, name, "columns of 0 and 1")


def of_values(values: Sequence[str | None], column: str, name: str) -> LabelSets:
    """Rows of one column that holds several labels each.

    Raises:
        DataError: it holds something else, or no row has several.
    """
    present = labels.present(values)
    try:
        shaped = label_values.read(present)
    except label_values.NotLabelsError as error:
        raise DataError(
            f"the column {column} of {name} {error}; name another with --label-column"
        ) from error
    if not shaped.are_several:
        raise DataError(
            f"no row of {name} has several labels in the column {column}; name another column, or several "
            "columns of 0 and 1, with --label-column, or learn its classes without --multilabel"
        )
    spellings: dict[str, Counter[str]] = {}
    for value, times in Counter(values).items():
        for label in shaped.labels.get(value or "", ()):
            if (key := labels.canonical(label)) is not None:
                spellings.setdefault(key, Counter())[label.strip()] += times
    order = sorted(spellings, key=labels.natural_order)
    place = {key: number for number, key in enumerate(order)}
    set_of = {
        value: tuple(sorted({place[key] for label in of_value if (key := labels.canonical(label)) in place}))
        for value, of_value in shaped.labels.items()
    }  # fmt: skip
    names = tuple(labels.name_of(key, spellings) for key in order)
    return _label_sets(names, [set_of.get(value or "") for value in values], name, shaped.form)


def _flags(column: str, values: Sequence[str | None], name: str) -> list[bool | None]:
    known = {value: labels.canonical(value) for value in {*values}}
    others = {value for value in known.values() if value is not None} - TRUE - FALSE
    if others:
        raise DataError(
            f"the column {column} of {name} holds {min(others)[:30]!r}, but each of several label columns "
            f"must hold 0 and 1; omit {column} from --label-column, or give one column"
        )
    return [None if (kind := known[value]) is None else kind in TRUE for value in values]


def _label_sets(
    names: tuple[str, ...], rows: Sequence[tuple[int, ...] | None], name: str, form: str
) -> LabelSets:
    counts = Counter(row for row in rows if row is not None)
    if not counts:
        raise DataError(f"no row of {name} has a value in all label columns; omit those without")
    if len(names) > MOST_CLASSES or len(counts) > _MOST_SETS:
        raise DataError(
            f"{name} has {len(names):,} labels in {len(counts):,} combinations, the limits are "
            f"{MOST_CLASSES} and {_MOST_SETS:,}; keep the most frequent ones"
        )
    sets = tuple(sorted(counts))
    place = {each: number for number, each in enumerate(sets)}
    indices = np.array([-1 if row is None else place[row] for row in rows], LABEL_TYPE)
    several = sum(times for each, times in counts.items() if len(each) > 1)
    line = (
        f"{len(names)} labels ({form}): {listed(names)}; {several:,} rows have several of them, "
        f"{counts[()]:,} none"
    )
    return LabelSets(names, sets, indices, (line,))

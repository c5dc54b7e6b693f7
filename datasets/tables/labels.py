"""Turns labels as people write them into classes: yes/no, 1.0/0.0, True/False, names, lists of one.

Labels that differ only in case, white space, invisible characters or number format are one class. An empty label,
NaN, NA or null is missing. `none` is a label: in many data sets it names a class.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worthit.datasets.classes import LABEL_TYPE, MOST_CLASSES
from worthit.datasets.classes import Labels as Indices
from worthit.datasets.errors import DataError, OptionError, listed
from worthit.datasets.tables import label_values, positive
from worthit.datasets.tables.label_values import LabelValues, NotLabelsError
from worthit.datasets.tables.positive import FALSE, TRUE

_MISSING = {"", "nan", "na", "n/a", "<na>", "#n/a", "null", r"\n"}  # \N is null in MySQL
#: NUL, a space without width, a mark of byte order
_INVISIBLE = dict.fromkeys(map(ord, "\0\u200b\ufeff"))
_COMMON_NAMES = {"label", "labels", "class", "target", "y", "category", "sentiment", "annotation"}
_FEW_CLASSES = 4  # allowed in a table of any size
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_FRACTION = re.compile(r"-?\d*\.\d+(e-?\d+)?")
_MOST_HALVES = 11  # ratings from 0 to 5 in steps of a half


@dataclass(frozen=True)
class Labels:
    """Classes, and the class of each row."""

    classes: tuple[str, ...]  # in order; of two the second is the positive one
    indices: Indices  # (n,), -1 where the label is missing
    notes: tuple[str, ...]


def canonical(value: str | None) -> str | None:
    """One spelling for labels that mean the same; None if the label is missing."""
    composed = unicodedata.normalize("NFC", (value or "").translate(_INVISIBLE))
    text = " ".join(composed.casefold().split())
    if text in _MISSING:
        return None
    # 1.0, 1.00 and +1 are 1; a date or a version (1.0.2) stays.
    return re.sub(r"^\+?(-?\d+)\.0+$|^\+(\d+)$", lambda m: m[1] or m[2], text)


def different(values: Collection[str | None]) -> set[str]:
    """The different labels of these values, of whatever form; empty if they hold something else."""
    try:
        shaped = label_values.read(present(values))
    except NotLabelsError:
        return set()
    found = {canonical(label) for labels in shaped.labels.values() for label in labels}
    return {label for label in found if label is not None}


def to_classes(
    values: Sequence[str | None],
    column: str,
    wanted: str | None,
    name: str,
    if_several: str | None = None,
) -> Labels:
    """Turn labels as written into classes.

    Args:
        column: the name of the labels.
        wanted: the positive class, as the user named it; all others become one class.
        name: of the file, for messages.
        if_several: as `wanted`, of another table. It counts where rows have several labels, if it is one.

    Raises:
        DataError: there is only one class, too many different labels, or several in one row.
        OptionError: `wanted` is not a label.
    """
    try:
        shaped = label_values.read(present(values))
    except NotLabelsError as error:
        raise DataError(
            f"the column {column} of {name} {error}; name another with --label-column"
        ) from error
    if shaped.are_several:
        known = {canonical(label) for of_row in shaped.labels.values() for label in of_row}
        if wanted is None and canonical(if_several) in known - {None}:
            wanted = if_several
        return _membership(values, shaped, column, wanted, name)
    single = {value: labels[0] if labels else None for value, labels in shaped.labels.items()}
    found = _of_single([single.get(value or "") for value in values], column, wanted, name)
    if not shaped.form:
        return found
    what = " with one label each" if shaped.form.startswith(("lists", "dict", "vect")) else ""
    return replace(found, notes=(f"{column} holds {shaped.form}{what}", *found.notes))


def present(values: Collection[str | None]) -> set[str]:
    """The different values that hold a label."""
    return {value for value in set(values) if value is not None and canonical(value) is not None}


def _of_single(values: Sequence[str | None], column: str, wanted: str | None, name: str) -> Labels:
    """Classes of rows that have one label at most."""
    spellings = _spellings(values)
    totals = {label: spelt.total() for label, spelt in spellings.items()}
    _require_labels(totals, column, name)
    if wanted is None:
        _require_classes(totals, column, name)
    merged = _truth_values(totals)
    counts: Counter[str] = Counter()
    for label, total in totals.items():
        counts[merged.get(label, label)] += total
    if len(counts) < 2:
        raise DataError(
            f"all {sum(counts.values()):,} labels of {name} are {next(iter(counts))!r}; "
            "two classes or more are needed"
        )
    notes = _repair_notes(spellings, merged, column)
    names = {label: name_of(label, spellings) for label in counts}
    order, class_names, more = _order(counts, names, column, wanted)
    _require_few(class_names, column, name)
    place: dict[str | None, int] = {
        label: order.index(key) if (key := merged.get(label, label)) in order else 0
        for label in spellings
    }
    places = {value: place.get(canonical(value), -1) for value in {*values}}
    indices = np.array([places[value] for value in values], LABEL_TYPE)
    return Labels(class_names, indices, (*notes, *more))


def _membership(
    values: Sequence[str | None], shaped: LabelValues, column: str, wanted: str | None, name: str
) -> Labels:
    """Rows that have the wanted label, among others, against the rest."""
    rows = Counter(value for value in values if value is not None and value in shaped.labels)
    labels = {value: {canonical(label) for label in shaped.labels[value]} for value in rows}
    spellings: dict[str, Counter[str]] = {}
    for value, times in rows.items():
        for label in shaped.labels[value]:
            if (key := canonical(label)) is not None:
                spellings.setdefault(key, Counter())[label.strip()] += times
    names = {key: name_of(key, spellings) for key in spellings}
    frequent_first = sorted(names, key=lambda key: (-spellings[key].total(), key))
    several = sum(times for value, times in rows.items() if len(shaped.labels[value]) > 1)
    if wanted is None:
        shown = listed([names[key] for key in frequent_first])
        raise DataError(
            f"{several:,} rows of {name} have several labels in the column {column} ({shown}); add "
            f"--multilabel to learn them all, or --positive-label {_quoted(names[frequent_first[0]])}, or "
            "another, to learn one"
        )
    key = _label_of(wanted, names)
    places = {value: int(key in labels[value]) for value in rows}
    indices = np.array([places.get(value or "", -1) for value in values], LABEL_TYPE)
    line = (
        f"{column} holds several labels in {several:,} rows ({shaped.form}): rows with {names[key]} "
        "against those without"
    )
    if (indices == 0).sum() == 0:
        raise DataError(
            f"all {(indices == 1).sum():,} labelled rows of {name} have {names[key]}; "
            "name another with --positive-label"
        )
    return Labels((f"not {names[key]}", names[key]), indices, (line,))


def _quoted(text: str) -> str:
    """As a shell takes it."""
    return text if re.fullmatch(r"[\w.+-]+", text) else f'"{text}"'


def _spellings(values: Sequence[str | None]) -> dict[str, Counter[str]]:
    """Each label with its spellings, and the rows of each spelling."""
    spellings: dict[str, Counter[str]] = {}
    for value, times in Counter(values).items():
        if (label := canonical(value)) is not None:
            spellings.setdefault(label, Counter())[(value or "").strip()] += times
    return spellings


def _require_labels(counts: Mapping[str, int], column: str, name: str) -> None:
    if not counts:
        raise DataError(
            f"no row of {name} has a label in the column {column}; name another with --label-column"
        )


def _require_classes(counts: Mapping[str, int], column: str, name: str) -> None:
    if fractions := fractions_of(counts):
        raise DataError(
            f"the column {column} of {name} holds numbers such as {fractions[0][:20]}, not classes; add a "
            "column of classes (say, 1 from a threshold on), or name another with --label-column"
        )
    rows = sum(counts.values())
    if len(counts) > max(_FEW_CLASSES, rows // 2):
        raise DataError(
            f"the column {column} of {name} has {len(counts):,} different values in {rows:,} rows, so they "
            "are not classes; name another with --label-column"
        )


def _require_few(classes: Sequence[str], column: str, name: str) -> None:
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"the column {column} of {name} has {len(classes):,} different values, the limit is "
            f"{MOST_CLASSES} classes; name another with --label-column, group its values into classes, or "
            "compare one with the rest (--positive-label CLASS)"
        )


def fractions_of(labels: Collection[str]) -> list[str]:
    """The labels that are numbers with a fraction; none if they are ratings in steps of a half."""
    found = [label for label in labels if _FRACTION.fullmatch(label)]
    return [] if _are_halves(labels) else found


def _are_halves(counts: Collection[str]) -> bool:
    """True for ratings in steps of a half: 0.5, 1, 1.5, …"""
    return len(counts) <= _MOST_HALVES and all(
        re.fullmatch(r"\d+(\.50*)?", label) for label in counts
    )


def _truth_values(counts: Mapping[str, int]) -> dict[str, str]:
    """yes, true, 1 → 1 and no, false, 0 → 0 if a column mixes them; else empty."""
    if len(counts) < 3 or not counts.keys() <= TRUE | FALSE:
        return {}
    return {label: "1" if label in TRUE else "0" for label in counts}


def _repair_notes(
    spellings: Mapping[str, Counter[str]], merged: Mapping[str, str], column: str
) -> tuple[str, ...]:
    if merged:
        return (f"{column} mixes {listed(list(merged))}; they are read as 1 and 0",)
    mixed = [sorted(spelt) for spelt in spellings.values() if len(spelt) > 1]
    return (f"{column}: {listed(mixed[0])} are read as one class",) if mixed else ()


def name_of(label: str, spellings: Mapping[str, Counter[str]]) -> str:
    """The most frequent spelling; of numbers the shortest."""
    if label not in spellings or re.fullmatch(r"-?\d+", label):
        return label
    return spellings[label].most_common(1)[0][0]


def _order(
    counts: Mapping[str, int], names: Mapping[str, str], column: str, wanted: str | None
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Labels in order, the names of their classes, and notes."""
    if wanted is not None:
        return _one_against_rest(_label_of(wanted, names), names, column)
    if len(counts) > 2:
        order = sorted(counts, key=natural_order)
        line = f"{len(order)} classes in {column}: {_listed([names[label] for label in order])}"
        if all(_NUMBER.fullmatch(label) for label in order):
            line += f" (--positive-label {order[-1]} makes one class of the others)"
        return order, tuple(names[label] for label in order), (line,)
    order, line = order_of_two(counts, names)
    return order, _class_names(order, names, column), (line,)


def order_of_two(counts: Mapping[str, int], names: Mapping[str, str]) -> tuple[list[str], str]:
    """The negative and the positive label, by their names, and a line on it."""
    label, why = positive.guess(counts)
    order = [next(other for other in counts if other != label), label]
    return order, f"positive class: {names[label]} ({why}; --positive-label changes it)"


def _one_against_rest(
    wanted: str, names: Mapping[str, str], column: str
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    others = [label for label in names if label != wanted]
    if len(others) == 1:
        order = [others[0], wanted]
        return order, _class_names(order, names, column), ()
    rest = listed([names[label] for label in sorted(others, key=natural_order)])
    line = f"{names[wanted]} against the rest as one class: {rest}"
    # All other labels have the first index.
    return ["", wanted], (f"not {names[wanted]}", names[wanted]), (line,)


def _label_of(wanted: str, names: Mapping[str, str]) -> str:
    label = canonical(wanted)
    if label is not None and label in names:
        return label
    for same in (TRUE, FALSE):
        if label in same and (identical := same & names.keys()):
            return identical.pop()
    raise OptionError(
        f"--positive-label {wanted!r} is not a label; there are {listed(list(names.values()))}"
    )


def _class_names(order: Sequence[str], names: Mapping[str, str], column: str) -> tuple[str, ...]:
    """A column `toxic` of 0 and 1 has the classes `not toxic` and `toxic`."""
    is_telling = column.strip().casefold() not in _COMMON_NAMES
    if is_telling and order[0] in FALSE and order[1] in TRUE:
        word = re.sub(r"^is[_ ]", "", column.strip()).replace("_", " ")
        return f"not {word}", word
    return names[order[0]], names[order[1]]


def _listed(names: Sequence[str]) -> str:
    """In quotes if a name holds a comma."""
    return listed([repr(name) for name in names] if any("," in name for name in names) else names)


def natural_order(label: str) -> tuple[bool, float, str]:
    """2 before 10, numbers before words."""
    is_number = _NUMBER.fullmatch(label) is not None
    return not is_number, float(label) if is_number else 0.0, label

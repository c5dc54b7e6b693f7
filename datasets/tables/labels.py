"""Turns labels as people write them into classes: yes/no, 1.0/0.0, True/False, names.

Labels that differ only in case, outer white space or number format are one class. An empty label,
NaN, NA or null is missing. `none` is a label: in many data sets it names a class.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worthit.datasets.classes import LABEL_TYPE, MOST_CLASSES
from worthit.datasets.classes import Labels as Indices
from worthit.datasets.errors import DataError, OptionError, listed

_MISSING = {"", "nan", "na", "n/a", "<na>", "#n/a", "null"}
_TRUE = {"1", "true", "yes", "y", "t"}
_FALSE = {"0", "false", "no", "n", "f"}
# Usual names of a positive class, then of the other class.
_POSITIVE = re.compile(
    r"toxic|spam|positive|pos|hate(ful)?|hate.?speech|offensive|abusive|insult(ing)?|harmful|unsafe"
    r"|harassment|obscene|threat(ening)?|bad|relevant|fraud|fake|sarcastic|ironic|irony|sarcasm"
)
_NEGATIVE = re.compile(
    r"(non|not|no|un)[ _-]?\w.*|neg(ative)?|ham|normal|neutral|ok(ay)?|clean|none|others?|benign|good|safe|real"
)
_COMMON_NAMES = {"label", "labels", "class", "target", "y", "category", "sentiment", "annotation"}
_FEW_CLASSES = 4  # allowed in a table of any size


@dataclass(frozen=True)
class Labels:
    """Classes, and the class of each row."""

    classes: tuple[str, ...]  # in order; of two the second is the positive one
    indices: Indices  # (n,), -1 where the label is missing
    notes: tuple[str, ...]


def canonical(value: str | None) -> str | None:
    """One spelling for labels that mean the same; None if the label is missing."""
    text = (value or "").replace("\0", "").strip().casefold()
    if text in _MISSING:
        return None
    # 1.0, 1.00 and +1 are 1; a date or a version (1.0.2) stays.
    return re.sub(r"^\+?(-?\d+)\.0+$|^\+(\d+)$", lambda m: m[1] or m[2], text)


def count_values(values: Sequence[str | None], most: int = MOST_CLASSES) -> int:
    """Count the different labels; stops after `most`."""
    seen: set[str] = set()
    for value in values:
        if (label := canonical(value)) is not None:
            seen.add(label)
            if len(seen) > most:
                break
    return len(seen)


def to_classes(
    values: Sequence[str | None], column: str, positive: str | None, name: str
) -> Labels:
    """Turn labels as written into classes.

    Args:
        column: the name of the labels.
        positive: the positive class, as the user named it; all others become one class.
        name: of the file, for messages.

    Raises:
        DataError: there is only one class, or too many different labels.
        OptionError: `positive` is not a label.
    """
    spellings: dict[str, Counter[str]] = {}
    for value in values:
        if (label := canonical(value)) is not None:
            spellings.setdefault(label, Counter())[(value or "").strip()] += 1
    totals = {label: spelt.total() for label, spelt in spellings.items()}
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
    names = {label: _name(label, spellings) for label in counts}
    order, class_names, more = _order(counts, names, column, positive)
    _require_few(class_names, column, name)
    place: dict[str | None, int] = {
        label: order.index(key) if (key := merged.get(label, label)) in order else 0
        for label in spellings
    }
    indices = np.array([place.get(canonical(value), -1) for value in values], LABEL_TYPE)
    return Labels(class_names, indices, (*notes, *more))


def _require_classes(counts: dict[str, int], column: str, name: str) -> None:
    if not counts:
        raise DataError(
            f"no row of {name} has a label in the column {column}; name another with --label-column"
        )
    fractions = [label for label in counts if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", label)]
    if fractions:
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


def _truth_values(counts: dict[str, int]) -> dict[str, str]:
    """yes, true, 1 → 1 and no, false, 0 → 0 if a column mixes them; else empty."""
    if len(counts) < 3 or not counts.keys() <= _TRUE | _FALSE:
        return {}
    return {label: "1" if label in _TRUE else "0" for label in counts}


def _repair_notes(
    spellings: dict[str, Counter[str]], merged: dict[str, str], column: str
) -> tuple[str, ...]:
    if merged:
        return (f"{column} mixes {listed(list(merged))}; they are read as 1 and 0",)
    mixed = [sorted(spelt) for spelt in spellings.values() if len(spelt) > 1]
    return (f"{column}: {listed(mixed[0])} are read as one class",) if mixed else ()


def _name(label: str, spellings: dict[str, Counter[str]]) -> str:
    """The most frequent spelling; of numbers the shortest."""
    if label not in spellings or re.fullmatch(r"-?\d+", label):
        return label
    return spellings[label].most_common(1)[0][0]


def _order(
    counts: dict[str, int], names: dict[str, str], column: str, positive: str | None
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Labels in order, the names of their classes, and notes."""
    if positive is not None:
        return _one_against_rest(_label_of(positive, names), names, column)
    if len(counts) > 2:
        order = sorted(counts, key=_natural_order)
        line = f"{len(order)} classes in {column}: {listed([names[label] for label in order])}"
        return order, tuple(names[label] for label in order), (line,)
    positive, why = _guess_positive(counts)
    order = [next(label for label in counts if label != positive), positive]
    line = f"positive class: {names[positive]} ({why}; --positive-label changes it)"
    return order, _class_names(order, names, column), (line,)


def _one_against_rest(
    positive: str, names: dict[str, str], column: str
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    others = [label for label in names if label != positive]
    if len(others) == 1:
        order = [others[0], positive]
        return order, _class_names(order, names, column), ()
    rest = listed([names[label] for label in sorted(others, key=_natural_order)])
    line = f"{names[positive]} against the rest as one class: {rest}"
    # All other labels have the first index.
    return ["", positive], (f"not {names[positive]}", names[positive]), (line,)


def _label_of(positive: str, names: dict[str, str]) -> str:
    wanted = canonical(positive)
    if wanted in names:
        return wanted
    for same in (_TRUE, _FALSE):
        if wanted in same and (identical := same & names.keys()):
            return identical.pop()
    raise OptionError(
        f"--positive-label {positive!r} is not a label; there are {listed(list(names.values()))}"
    )


def _guess_positive(counts: dict[str, int]) -> tuple[str, str]:
    """The positive one of two labels, and why."""
    for label, other in (tuple(counts), tuple(counts)[::-1]):
        if (label in _TRUE and other not in _TRUE) or (label == "1" and other == "-1"):
            return label, "by its name"
    for label, other in (tuple(counts), tuple(counts)[::-1]):
        if _POSITIVE.fullmatch(label) and not _POSITIVE.fullmatch(other):
            return label, "by its name"
    for label, other in (tuple(counts), tuple(counts)[::-1]):
        if _NEGATIVE.fullmatch(other) and not _NEGATIVE.fullmatch(label):
            return label, f"the other is {other}"
    rarer = min(counts, key=lambda label: (counts[label], label))
    return rarer, "the rarer one"


def _class_names(order: list[str], names: dict[str, str], column: str) -> tuple[str, ...]:
    """A column `toxic` of 0 and 1 has the classes `not toxic` and `toxic`."""
    is_telling = column.strip().casefold() not in _COMMON_NAMES
    if is_telling and order[0] in _FALSE and order[1] in _TRUE:
        word = re.sub(r"^is[_ ]", "", column.strip()).replace("_", " ")
        return f"not {word}", word
    return names[order[0]], names[order[1]]


def _natural_order(label: str) -> tuple[bool, int, str]:
    """2 before 10, numbers before words."""
    number = re.fullmatch(r"-?\d+", label)
    return number is None, int(label) if number else 0, label

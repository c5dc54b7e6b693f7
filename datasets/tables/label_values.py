"""What a value of a label column holds: one label, or several.

People write several labels as a list (JSON, or as Python or NumPy prints it), as a dictionary of truth
values (spaCy's `cats`), as a vector of 0 and 1, or with a separator: a|b, a;b, a,b.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: tried in this order; a name may hold a comma, but hardly a bar
_SEPARATORS = {"|": "a bar", ";": "a semicolon", ",": "a comma"}
_LONGEST = 2_000  # characters of a value that holds labels
_LONGEST_PART = 60
_MOST_PARTS = 2_000
_NUMBER = re.compile(r"[+-]?\d+(,\d+)*")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
#: of a list as Python or NumPy prints it: a text in quotes or a word, and the space before the next one
_ITEM = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,:'"\[\](){}]+)(\s+(?=[^\s,:\])}]))?""", re.DOTALL
)
_PREFIX = re.compile(r"__label__", re.IGNORECASE)  # of fastText
_NAMING_KEYS = ("label", "labels", "name", "choices", "choice", "class", "category", "value")


class NotLabelsError(Exception):
    """A value holds neither a label nor a list of labels."""


@dataclass(frozen=True)
class LabelValues:
    """The labels of each value as it is written; a missing value has no entry.

    Attributes:
        form: how values hold their labels; empty if each is a label itself.
    """

    labels: Mapping[str, tuple[str, ...]]
    form: str = ""

    @property
    def are_several(self) -> bool:
        """True if some value holds more than one label."""
        return any(len(labels) > 1 for labels in self.labels.values())


def read(values: Collection[str]) -> LabelValues:
    """The labels of these values, each of which occurs once.

    Raises:
        NotLabelsError: a list or dictionary holds something else than labels.
    """
    nested = {value: found for value in values if (found := _nested(value)) is not None}
    if nested:
        return _of_nested(values, nested)
    if any(_PREFIX.match(value.strip()) for value in values):
        split = {value: tuple(_PREFIX.sub("", part) for part in value.split()) for value in values}
        if all(_PREFIX.match(part) for value in values for part in value.split()):
            return LabelValues(split, "__label__ before each label")
    if numbers := _with_points(values):
        return LabelValues(numbers, "numbers with commas")
    for separator, name in _SEPARATORS.items():
        parts = {value: _parts(value, separator) for value in values}
        if _is_separator(separator, parts):
            return LabelValues(parts, f"labels separated by {name}")
    return LabelValues({value: (value,) for value in values})


def _of_nested(values: Collection[str], nested: Mapping[str, Any]) -> LabelValues:
    if all(isinstance(value, dict) for value in nested.values()):
        form = "dictionaries"
        nested = _with_opposites(nested)
    elif _are_vectors(list(nested.values())):
        form = "vectors of 0 and 1"
        nested = {
            key: [place for place, is_true in enumerate(vector) if is_true]
            for key, vector in nested.items()
        }
    else:
        form = "lists"
    labels = {
        value: tuple(dict.fromkeys(_labels_in(nested[value]))) if value in nested else (value,)
        for value in values
    }
    return LabelValues(labels, form)


def _with_opposites(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of truth values of one label, false is its opposite: {"SPAM": 0} is a label, too."""
    keys = {key for value in nested.values() for key in value}
    scores = [score for value in nested.values() for score in value.values()]
    if len(keys) != 1 or not all(isinstance(score, int | float) for score in scores):
        return nested
    (key,) = keys
    return {
        text: value if value.get(key, 0) >= 0.5 or not value else f"not {key}"
        for text, value in nested.items()
    }


def _nested(value: str) -> Any | None:
    """The list or dictionary that a value spells; None if it spells none."""
    text = value.strip()
    if text[:1] not in ("[", "{") or text[-1:] not in ("]", "}") or len(text) > _LONGEST:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # NumPy prints no commas, and Python would join the strings.
        with_commas = _ITEM.sub(lambda item: item[1] + ", " * bool(item[2]), text)
        try:
            found = ast.literal_eval(with_commas)
        # A TypeError: a list as a key, or in a set.
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None
    found = sorted(found, key=str) if isinstance(found, set) else found
    return found if isinstance(found, list | dict) else None


def _are_vectors(values: Sequence[Any]) -> bool:
    """True for lists of one length, from 2 up, that repeat 0 or 1; [0, 1] alone may name two labels."""
    if not all(isinstance(value, list) for value in values):
        return False
    length = len(values[0])
    return (
        length > 1
        and all(len(value) == length for value in values)
        and all(item in (0, 1) and not isinstance(item, str) for value in values for item in value)
        and any(value.count(0) > 1 or value.count(1) > 1 for value in values)
    )


def _labels_in(value: Any) -> list[str]:
    """The labels in a list, a dictionary or a part of these."""
    if value is None or value == {}:
        return []
    if isinstance(value, str | int | float):  # of True and False, too
        return [value if isinstance(value, str) else json.dumps(value)]
    if isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            raise NotLabelsError("holds lists of lists, not labels of whole texts")
        return [label for item in value for label in _labels_in(item)]
    if isinstance(value, dict):
        if value and all(isinstance(part, int | float | None) for part in value.values()):
            return [str(label) for label, score in value.items() if (score or 0) >= 0.5]
        for key in _NAMING_KEYS:
            if key in value and not {"start", "end"} & value.keys():
                return _labels_in(value[key])
    raise NotLabelsError("holds objects, not labels of whole texts")


def _parts(value: str, separator: str) -> tuple[str, ...]:
    if separator not in value:
        return (value,)
    parts = (part.strip() for part in value.split(separator))
    return tuple(dict.fromkeys(part for part in parts if part)) or (value,)


def _is_separator(separator: str, parts: Mapping[str, Sequence[str]]) -> bool:
    """True if most parts of the values with a separator occur in other values, too.

    A bar is always a separator: hardly a name has one. "Books, Music" beside "Toys, Games" are two names.
    """
    several = [of_value for of_value in parts.values() if len(of_value) > 1]
    if not several:
        return False
    names = {part.casefold() for of_value in several for part in of_value}
    if len(names) > _MOST_PARTS or any(len(name) > _LONGEST_PART for name in names):
        return False
    if separator == "|":
        return True
    holders = Counter(
        part for of_value in parts.values() for part in {part.casefold() for part in of_value}
    )
    recurring = sum(holders[name] > 1 for name in names)
    return len(several) > 1 and 2 * recurring > len(names)


def _with_points(values: Collection[str]) -> dict[str, tuple[str]] | None:
    """Each number as Python writes it, if these are numbers with commas: 1,5 and 2,0; or 1,000 beside 500.

    Lists of numbers, such as 3,17 beside 3, are none. But no list has a number twice, as in 3,3.
    """
    stripped = {value: value.strip() for value in values}
    with_comma = [text for text in stripped.values() if "," in text]
    if not with_comma or not all(_NUMBER.fullmatch(text) for text in stripped.values()):
        return None
    are_thousands = all(_THOUSANDS.fullmatch(text) for text in with_comma)
    is_sure = any(re.search(r",0\d|^(\d+),\1$", text) for text in with_comma)
    if not (is_sure or len(with_comma) == len(stripped)):
        return None
    if not are_thousands and any(text.count(",") > 1 for text in with_comma):
        return None
    point = "" if are_thousands else "."
    return {value: (text.replace(",", point),) for value, text in stripped.items()}

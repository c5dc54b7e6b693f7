"""Lines of a label and a text without a delimiter between columns.

Known are fastText's format (fasttext.cc, "Text classification": `__label__x __label__y a text`), a label
as the first or last word, as in TREC (`DESC:manner How did …`), and a label after @, as in the Financial
PhraseBank (`a text@positive`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

FASTTEXT, FIRST, LAST, AFTER_AT = "fasttext", "first word", "last word", "after @"
#: form → what a line is
NOTES = {
    FASTTEXT: "{name} is read in the format of fastText",
    FIRST: "each line of {name} is read as a label, its first word, and a text",
    LAST: "each line of {name} is read as a text and a label, its last word",
    AFTER_AT: "each line of {name} is read as a text, @ and a label",
}
_FASTTEXT = re.compile(r"(?:^|\s+)__label__(\S+)")
_SPLIT = {
    FIRST: re.compile(r"(?P<label>\S+)\s+(?P<text>.*\S)"),
    LAST: re.compile(r"(?P<text>.*\S)\s+(?P<label>\S+)"),
    AFTER_AT: re.compile(r"(?P<text>.*\S)\s*@(?P<label>[\w-]+)"),
}
#: labels that are hardly words of a text: DESC:manner, 1, POS
_TELLING = re.compile(r"\w+[:=]\w+|-?\d|[A-Z][A-Z_]+")
_NUMBERS = re.compile(r"[\d.:+-]+(\s+[\d.:+-]+)*")
_FEWEST_LINES = 10
_FEWEST_OF_WORDS = 20  # lines, if labels are words like any other
_MOST_WORDS = 10  # that are labels
_MOST_ONCE = 0.02  # of the lines have a label that occurs once


def form_of(lines: Sequence[str]) -> str | None:
    """How these lines hold labels; None if they do not, or it is not plain.

    Args:
        lines: the first ones. Those of a table with a delimiter are not for here.
    """
    present = [line.strip() for line in lines if not line.isspace()]
    if present and all(map(_FASTTEXT.search, present)):
        return FASTTEXT
    found = {form: labels for form in _SPLIT if (labels := _labels(present, form))}
    forms = sorted(found, key=lambda form: (form != AFTER_AT, found[form]))
    if not forms or (
        forms[0] != AFTER_AT and len(forms) > 1 and 3 * found[forms[0]] > found[forms[1]]
    ):
        return None
    return forms[0]


def _labels(lines: Sequence[str], form: str) -> int:
    """The number of labels if lines of this form have classes; else 0."""
    found = [_SPLIT[form].fullmatch(line) for line in lines]
    if len(lines) < _FEWEST_LINES or not all(found):
        return 0
    labels = Counter(one["label"] for one in found if one)
    once = sum(times == 1 for times in labels.values())
    if all(_NUMBERS.fullmatch(one["text"]) for one in found if one):
        return 0  # LIBSVM's
    if len(labels) < 2 or not all(re.search(r"\w", label) for label in labels):
        return 0
    if all(map(_TELLING.fullmatch, labels)):
        are_classes = once <= _MOST_ONCE * len(lines) and 2 * len(labels) <= len(lines)
    else:
        are_classes = not once and len(labels) <= _MOST_WORDS and len(lines) >= _FEWEST_OF_WORDS
    return len(labels) * are_classes


def of_lines(lines: Iterable[str], form: str) -> Iterator[dict[str, Any]]:
    """One row per line that is not blank: text and label, a list of several labels, or None."""
    for line in lines:
        if line := line.strip().removeprefix("\ufeff"):
            if form == FASTTEXT:
                yield _of_fasttext(line)
            else:
                found = _SPLIT[form].fullmatch(line)
                yield found.groupdict() if found else {"text": line, "label": None}


def _of_fasttext(line: str) -> dict[str, Any]:
    labels = _FASTTEXT.findall(line)
    label = labels if len(labels) > 1 else next(iter(labels), None)
    text = _FASTTEXT.sub("", line).strip()
    return {"text": text.removeprefix(", "), "label": label}  # some write `__label__x , text`

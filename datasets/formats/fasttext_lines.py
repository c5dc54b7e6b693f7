"""Lines in fastText's format (fasttext.cc, "Text classification"): `__label__x __label__y a text`."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

_LABELS = re.compile(r"(?:^|\s+)__label__(\S+)")


def of_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One row per line that is not blank: text and label, a list of several labels, or None."""
    for line in lines:
        if line := line.strip().removeprefix("\ufeff"):
            labels = _LABELS.findall(line)
            label = labels if len(labels) > 1 else next(iter(labels), None)
            text = _LABELS.sub("", line).strip()
            yield {
                "text": text.removeprefix(", "),
                "label": label,
            }  # some write `__label__x , text`

"""Answers of annotators to "is this label right?", as Prodigy saves them: accept, reject, ignore."""

from collections.abc import Collection, Sequence

from worthit.datasets.tables.labels import canonical

COLUMN = "answer"
_ACCEPT, _REJECT, _IGNORE = "accept", "reject", "ignore"


def are_answers(values: Collection[str | None]) -> bool:
    """True if these are answers of this kind, some of them accept or reject."""
    found = {canonical(value) for value in values} - {None}
    return bool(found & {_ACCEPT, _REJECT}) and found <= {_ACCEPT, _REJECT, _IGNORE}


def applied(
    labels: Sequence[str | None], answers: Sequence[str | None], column: str
) -> tuple[list[str | None], str]:
    """The labels that the answers leave, and a line on it.

    If all rows ask for one label, a rejected one is its opposite. Of several labels, a rejected one does
    not tell which is right.
    """
    asked = {canonical(label): label for label in labels if canonical(label) is not None}
    only = next(iter(asked.values())) if len(asked) == 1 else None
    by_answer: dict[str | None, list[str | None]] = {
        _ACCEPT: list(labels),
        _REJECT: [f"not {only}" if only else None] * len(labels),
    }
    kinds = [canonical(answer) for answer in answers]
    left = [
        by_answer[kind][row] if kind in by_answer else None for row, kind in enumerate(kinds)
    ]
    ignored, rejected = kinds.count(_IGNORE), kinds.count(_REJECT)
    line = f"{COLUMN} decides: accept is {only or 'the label in ' + column}"
    line += f", reject is not {only}" if only else f", {rejected:,} rejected rows are left out"
    return left, f"{line}, {ignored:,} ignored rows are left out" if ignored else line

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
    left = [by_answer[kind][row] if kind in by_answer else None for row, kind in enumerate(kinds)]
    how = f"accept is {only}, reject is not {only}" if only else "accepted rows keep their label"
    gone = {"rejected": 0 if only else kinds.count(_REJECT), "ignored": kinds.count(_IGNORE)}
    dropped = " and ".join(f"{rows:,} {kind}" for kind, rows in gone.items() if rows)
    return left, f"{COLUMN} decides: {how}" + f"; {dropped} rows are left out" * bool(dropped)

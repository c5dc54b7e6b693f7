"""Answers of annotators to "is this label right?", as Prodigy saves them: accept, reject, ignore."""

from collections.abc import Collection, Sequence

from worthit.datasets.tables.labels import canonical

COLUMN = "answer"
#: the options that an annotator chose
CHOICES = "accept"
_ACCEPT, _REJECT, _IGNORE = "accept", "reject", "ignore"


def are_answers(values: Collection[str | None]) -> bool:
    """True if these are answers of this kind, some of them accept or reject."""
    found = {canonical(value) for value in values} - {None}
    return bool(found & {_ACCEPT, _REJECT}) and found <= {_ACCEPT, _REJECT, _IGNORE}


def applied(
    labels: Sequence[str | None], answers: Sequence[str | None], *, is_label: bool
) -> tuple[list[str | None], str]:
    """The labels that the answers leave, and a line on it.

    If all rows ask for one label, a rejected one is its opposite. Of several labels, a rejected one does
    not say which one counts.

    Args:
        is_label: the labels are of another column than the answers.
    """
    asked = {canonical(label): label for label in labels if canonical(label) is not None}
    only = next(iter(asked.values())) if len(asked) == 1 else None
    rejected, keep_rejected = f"not {only}" if only else None, not is_label
    kinds = [canonical(answer) for answer in answers]
    left = [
        label if kind == _ACCEPT or (kind == _REJECT and keep_rejected)
        else rejected if kind == _REJECT else None
        for label, kind in zip(labels, kinds, strict=True)
    ]  # fmt: skip
    how = f"accept is {only}, reject is not {only}" if only else "accepted rows keep their label"
    if not is_label:
        how = "accept and reject are the classes"
    is_lost = is_label and not only
    gone = {"rejected": kinds.count(_REJECT) * is_lost, "ignored": kinds.count(_IGNORE)}
    dropped = " and ".join(f"{rows:,} {kind}" for kind, rows in gone.items() if rows)
    return left, f"{COLUMN} decides: {how}" + f"; {dropped} rows are left out" * bool(dropped)

"""Markdown tables and lists, all made the same way."""

import re
from collections.abc import Sequence

from tabulate import tabulate


def listed(lines: Sequence[str]) -> list[str]:
    """A bulleted paragraph; nothing of nothing."""
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def tabulated(
    headings: Sequence[str],
    body: Sequence[Sequence[str]],
    *,
    form: str = "pipe",
    left: int = 1,
    first_width: int | None = None,
) -> str:
    """A table of texts, the first columns aligned left and the others, numbers, right.

    Args:
        first_width: characters from which on entries of the first column are wrapped.
    """
    if form == "pipe":
        headings, *body = (
            [re.sub(r"(?<!\\)\|", r"\|", entry) for entry in row] for row in (headings, *body)
        )
    align = ["left"] * left + ["right"] * (len(headings) - left)
    return str(
        tabulate(
            body,
            headings,
            form,
            colalign=align if body else None,
            disable_numparse=True,
            maxcolwidths=[first_width, *[None] * (len(headings) - 1)] if body else None,
        )
    )

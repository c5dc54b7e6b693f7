"""Markdown tables, lists and folds, all made the same way."""

import re
from collections.abc import Sequence

from tabulate import tabulate

from worthit.reports.text.format import Footnotes

#: a table with more rows is folded
MOST_ROWS = 12


def listed(lines: Sequence[str]) -> list[str]:
    """A bulleted list as one paragraph; no paragraph without lines."""
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def tabulated(
    headings: Sequence[str],
    body: Sequence[Sequence[str]],
    *,
    form: str = "pipe",
    left: int = 1,
    first_width: int | None = None,
) -> str:
    """A table of texts.

    Args:
        left: number of columns that are aligned left; the others hold numbers and are aligned right.
        first_width: number of characters at which entries of the first column wrap.
    """
    if form == "pipe":
        headings, *body = ([_in_a_cell(entry) for entry in row] for row in (headings, *body))
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


def _in_a_cell(entry: str) -> str:
    """An entry of a Markdown table, which a pipe or the end of a line would end."""
    return re.sub(r"(?<!\\)\|", r"\|", re.sub(r"[\r\n]+", " ", entry))


def folded(summary: str, *paragraphs: str) -> list[str]:
    """Paragraphs that a reader has to open; none without paragraphs."""
    if not any(paragraphs):
        return []
    return [f"<details><summary>{summary}</summary>", *filter(None, paragraphs), "</details>"]


def table(
    summary: str,
    headings: Sequence[str],
    body: Sequence[Sequence[str]],
    notes: Footnotes | None = None,
    *,
    left: int = 1,
) -> list[str]:
    """A Markdown table and its footnotes, folded if it has more than `MOST_ROWS` rows."""
    paragraphs = [tabulated(headings, body, left=left), *listed(notes.lines() if notes else ())]
    if len(body) <= MOST_ROWS:
        return paragraphs
    return folded(f"{summary} ({len(body)} rows)", *paragraphs)

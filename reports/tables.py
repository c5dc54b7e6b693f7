"""Markdown tables and lists, all made the same way."""

import re
from collections.abc import Sequence

from tabulate import tabulate

from worthit.bench.record import Figure, Run, unavailable
from worthit.reports.columns import Footnotes, name, written


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


def figures(run: Run, part: str, headings: Sequence[str], paths: Sequence[str]) -> str:
    """A table of some figures of one part of the record, with how they were read."""
    notes = Footnotes()
    body = []
    for cell in run.cells:
        held = getattr(cell, part)
        if held is not None:
            not_read = unavailable("", "not measured in this run")
            found = [getattr(held, path) or not_read for path in paths]
            instruments = dict.fromkeys(_read_from(f) for f in found if f.instrument)
            entries = (
                f"{written(figure, notes)} {notes.mark(figure.reason)}"
                if figure.reason and figure.value is not None
                else written(figure, notes)
                for figure in found
            )
            body.append([name(run, cell), *entries, "; ".join(instruments)])
    table = tabulated(["model", *headings, "read from"], body)
    return "\n\n".join([table, *listed(notes.lines())])


def _read_from(figure: Figure) -> str:
    """The instrument, and how many samples are behind the figure where there are several."""
    return figure.instrument + (f" (n = {figure.samples:,})" if figure.samples > 1 else "")

"""A table of figures of one part of the record, with the instruments they were read from."""

from collections.abc import Sequence

from worthit.bench.saved.record import Figure, Run
from worthit.reports.analysis.run_view import name
from worthit.reports.text.format import Footnotes, written
from worthit.reports.text.tables import listed, tabulated


def figures(run: Run, part: str, headings: Sequence[str], paths: Sequence[str]) -> str:
    """A table of some figures of one part of the record, with how they were read.

    Below the table where all models' are read alike, else row by row.
    """
    notes = Footnotes()
    body: list[list[str]] = []
    read: list[dict[str, int]] = []  # instrument → the most samples behind a figure
    for cell in run.cells:
        held = getattr(cell, part)
        if held is not None:
            found = [getattr(held, path) for path in paths]
            entries = (
                f"{written(figure, notes)} {notes.mark(figure.reason)}"
                if figure.reason and figure.value is not None
                else written(figure, notes)
                for figure in found
            )
            body.append([name(run, cell), *entries])
            read.append(_samples(found))
    headings = ["model", *headings]
    below = notes.lines()
    readable = [instruments for instruments in read if instruments]
    if all(set(instruments) == set(readable[0]) for instruments in readable):
        alike = {what: [row[what] for row in readable] for what in next(iter(readable), ())}
        if alike:
            below.append(f"read from: {_instruments(alike)}")
    else:
        headings.append("read from")
        for row, instruments in zip(body, read, strict=True):
            row.append(_instruments({what: [most] for what, most in instruments.items()}))
    return "\n\n".join([tabulated(headings, body), *listed(below)])


def _samples(figures: Sequence[Figure]) -> dict[str, int]:
    most: dict[str, int] = {}
    for figure in figures:
        if figure.instrument:
            most[figure.instrument] = max(figure.samples, most.get(figure.instrument, 0))
    return most


def _instruments(samples: dict[str, list[int]]) -> str:
    """Each with how many samples are behind its figures where there are several."""
    return "; ".join(f"{what}{_count(min(n), max(n))}" for what, n in samples.items())


def _count(least: int, most: int) -> str:
    if most < 2:
        return ""
    return f" (n = {most:,})" if least == most else f" (n = {least:,} to {most:,})"

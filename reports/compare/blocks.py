"""The blocks of a document, written as Markdown or for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from worthit.reports.text.tables import listed, tabulated

_WIDTH = 80
_NARROWEST = 4  # columns of a run, however many there are


@dataclass(frozen=True)
class Table:
    headings: Sequence[str]
    body: Sequence[Sequence[str]]
    left: int = 1  # number of columns aligned left


@dataclass(frozen=True)
class Bullets:
    lines: Sequence[str]


Block = str | Table | Bullets  # a str is a paragraph or a heading


def markdown(block: Block) -> str:
    if isinstance(block, Table):
        return tabulated(block.headings, block.body, left=block.left)
    return listed(block.lines)[0] if isinstance(block, Bullets) else block


def terminal(block: Block) -> str:
    if isinstance(block, Table):
        room = _WIDTH
        if block.left == 1:
            room = max((_WIDTH - 14) // (len(block.headings) - 1) - 2, _NARROWEST)
        headings, *body = (
            [textwrap.fill(_plain(entry), room) for entry in row]
            for row in (block.headings, *block.body)
        )
        return tabulated(headings, body, form="simple", left=block.left)
    if isinstance(block, Bullets):
        return "\n".join(
            textwrap.fill(_plain(line), _WIDTH, initial_indent="- ", subsequent_indent="  ")
            for line in block.lines
        )
    return textwrap.fill(_plain(block.lstrip("# ")), _WIDTH)


def _plain(text: str) -> str:
    return text.replace("*", "").replace("(cached)", "c")

"""Markdown and foreign text as plain text that is safe to show."""

from typing import Any

from markdown_it import MarkdownIt

from worthit.reports.text import escaping

_PARSER = MarkdownIt("commonmark", {"html": True})


def plain(markdown: str) -> str:
    """The text of a paragraph of Markdown without its marks; HTML stays as text."""
    inline = [child for token in _PARSER.parseInline(markdown) for child in token.children or ()]
    breaks = ("softbreak", "hardbreak")
    return "".join(" " if token.type in breaks else token.content for token in inline)


def visible(value: Any) -> Any:
    """A JSON-able value in which no text has characters that control its display."""
    if isinstance(value, str):
        return "".join(map(escaping.visible, value))
    if isinstance(value, dict):
        return {visible(key): visible(entry) for key, entry in value.items()}
    return [visible(entry) for entry in value] if isinstance(value, list) else value

"""Text of others, such as comments and names of classes, made harmless."""

import html
import unicodedata

_MARKDOWN = "\\`*_[]|~#"


def cut(text: str, width: int) -> str:
    """As much of a text, escaped, as fits into so many columns."""
    line, used = "", 0
    for character in text:
        shown = escaped(character)
        columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)
        if used + columns > width - 1:
            return line + "…"
        line, used = line + shown, used + columns
    return line


def escaped(character: str) -> str:
    """A character that no terminal, Markdown or HTML takes for a command."""
    if character in _MARKDOWN:
        return "\\" + character
    # Control, formatting (which turns the direction of text), unassigned; line and paragraph ends.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return html.escape(character, quote=False)

"""Text of others, such as comments and class names, made safe for terminals and Markdown."""

import html
import unicodedata

_MARKDOWN = "\\`*_[]|~#"
_COMMANDS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, direction of text, line ends


def cut(text: str, width: int) -> str:
    """The start of a text, escaped, with at most `width` columns.

    A combining mark counts as one column. Terminals draw it on the character before it, and so does
    wcwidth count it, but then a text of marks alone would never end.
    """
    line, used = "", 0
    for character in text:
        safe = escaped(character)
        columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in safe)
        if used + columns > width - 1:
            return line + "…"
        line, used = line + safe, used + columns
    return line


def escaped(character: str) -> str:
    """A character that no terminal, Markdown or HTML interprets as a command."""
    if character in _MARKDOWN:
        return "\\" + character
    return html.escape(visible(character), quote=False)


def visible(character: str) -> str:
    """A character, or its escape sequence if it controls how text around it is shown."""
    if unicodedata.category(character) in _COMMANDS:
        return character.encode("unicode_escape").decode("ascii")
    return character

"""Output on terminals that cannot show every sign, such as those of cp1252, Latin-1 or ASCII.

A sign that the encoding lacks is printed as its plain spelling, and any other as its escape (\\u4f60).
"""

import codecs
import os
import sys
from typing import TextIO

_PLAIN = "worthit.plain"
_SPELLINGS = {
    "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "±": "+/-", "×": "x", "·": "|", "…": "...",
    "–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "’": "'", "µ": "u",
    "½": "1/2", "─": "-", "├": "|", "└": "|", "²": "^2", "³": "^3", "⁰": "^0", "¹": "^1",
    "✓": "yes", "✗": "no", "∞": "infinite",
}  # fmt: skip


def print_anything() -> None:
    """Let `print` write any text to stdout and stderr: errors of their encoding no longer occur."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test's or an embedding program's may not
            stream.reconfigure(errors=_PLAIN)


def stderr() -> TextIO:
    """A stream to the real stderr that stays open while pytest captures the usual one."""
    encoding = getattr(sys.__stderr__, "encoding", None) or "utf-8"
    return os.fdopen(os.dup(2), "w", encoding=encoding, errors=_PLAIN)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    escaped = (codecs.encode(sign, "ascii", "backslashreplace").decode() for sign in signs)
    spelled = (_SPELLINGS.get(sign, escape) for sign, escape in zip(signs, escaped, strict=True))
    return "".join(spelled), error.end


codecs.register_error(_PLAIN, _spell)

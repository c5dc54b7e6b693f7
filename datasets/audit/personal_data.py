"""Hints of personal data in comments: patterns that look like contact details.

Hints, not proof: a version number can look like an IP address. Names are not searched for.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")
_URL = re.compile(r"\bhttps?://[^\s<>]|\bwww\.\w", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:]*\w)"
)
# International with a prefix, North American, or national with a leading 0. Separators are required,
# otherwise ids and amounts would count.
_PHONE = re.compile(
    r"(?<![\w.+])(?:"
    r"\+\d{1,3}(?:[ ./-]?\(?\d{1,4}\)?){2,6}"
    r"|\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}"
    r"|\(?0\d{1,4}\)?[ /-]\d{3,4}(?:[ -]?\d{2,4}){1,2}"
    r")(?![\w.]*\d)"
)
_DIGITS = range(9, 16)  # of a telephone number; at most 15 by E.164


def _has_address(text: str) -> bool:
    return any(_is_address(match) for match in _ADDRESS.findall(text))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.strip(":") != ""  # "::" is punctuation


def _has_phone(text: str) -> bool:
    return any(sum(map(str.isdigit, match)) in _DIGITS for match in _PHONE.findall(text))


#: hint → True if a text has it
HINTS: dict[str, Callable[[str], bool]] = {
    "e-mail addresses": lambda text: "@" in text and _EMAIL.search(text) is not None,
    "telephone numbers": _has_phone,
    "IP addresses": _has_address,
    "web links": lambda text: _URL.search(text) is not None,
}


def count(texts: Iterable[str]) -> dict[str, int]:
    """The number of texts with each hint."""
    counts = dict.fromkeys(HINTS, 0)
    for text in texts:
        for hint, has in HINTS.items():
            counts[hint] += has(text)
    return counts

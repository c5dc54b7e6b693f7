"""Encodings of text: byte-order marks, and a guess at what a file that is not UTF-8 is in.

The guess is only shown, never used: text decoded with the wrong encoding looks fine but changes what is
classified.
"""

import codecs
import re
from collections.abc import Iterable
from itertools import islice

from worthit.datasets.errors import DataError
from worthit.datasets.formats.reading import ENCODING

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: encodings in which texts of common languages are saved
_USUAL = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp874", "mac_roman", "cp850", "cp437",
]  # fmt: skip
# Characters that cp1252 has outside of ASCII, where Western European texts have them.
_WESTERN = re.compile(
    r"(?<![a-zß-ÿ])[ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŠŽŒ]|[ßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿšžœ]|[’\xa0´`]"
    r"|(?<![a-zß-ÿ])[£€¥‘“«„‚¿¡©®§°–—]|[”»…™•·‘“©®°ºª–—€](?![a-zß-ÿ])"
)
_SAMPLE_LINES, _SAMPLE_BYTES = 20_000, 1 << 16
_LONG_BYTES = 1 << 15  # of a block, which holds many lines
_FEW = 0.35  # of the characters of Western European words are outside of ASCII


def marked(head: bytes) -> str | None:
    """UTF-16 or UTF-32 if the text begins with their mark."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def is_ascii_based(encoding: str) -> bool:
    """True if ASCII texts have the same bytes in it."""
    try:
        return "text,{}\t".encode(encoding) == b"text,{}\t"
    except UnicodeError:
        return False


def is_single_byte(encoding: str) -> bool:
    return encoding.startswith(("cp125", "iso8859", "koi8", "mac", "cp8", "cp4"))


def count_lines(stream: Iterable[bytes]) -> tuple[int, int]:
    """The lines that are UTF-8 but not ASCII, and those that are not UTF-8."""
    utf8 = others = 0
    for line in stream:
        if not line.isascii():
            try:
                line.decode()
                utf8 += 1
            except UnicodeDecodeError:
                others += 1
    return utf8, others


def likely(sample: bytes) -> str | None:
    """The encoding that the sample is likely in; None if it does not look like text.

    Args:
        sample: lines with bytes that are not UTF-8.
    """
    if western := _western(sample):
        return western
    import charset_normalizer  # 30 ms

    found = charset_normalizer.from_bytes(sample, cp_isolation=_USUAL)
    matches = [match for match in found if not _is_half_width(str(match))]
    if not matches:
        return "mac_roman" if _is_readable(sample, "mac_roman") else None
    # cp1252 was judged above, so it loses a tie.
    best = min(matches, key=lambda m: (m.chaos, -m.coherence, m.encoding == "cp1252"))
    return str(best.encoding)


def refusal(name: str, line: int, special: int, pieces: Iterable[str]) -> DataError:
    """Why text is refused, and the encoding that it is likely in.

    Args:
        special: pieces before it that are UTF-8 but not ASCII.
        pieces: the first that is not UTF-8, and those after it.
    """
    sample, broken = b"", 0
    for piece in islice(pieces, _SAMPLE_LINES):
        try:
            piece.encode()
        except UnicodeEncodeError:
            content = piece.encode("utf-8", "surrogateescape")
            lines = content.splitlines() if len(content) > _LONG_BYTES else [content]
            sample += b"\n".join(part for part in lines if not part.isascii()) + b"\n"
            broken += 1
        else:
            special += not piece.isascii()
        if len(sample) > _SAMPLE_BYTES:
            break
    guess = likely(sample[:_SAMPLE_BYTES])
    if special and (guess is None or is_single_byte(guess) or special > broken):
        return DataError(
            f"{name} is UTF-8 in most lines but not in line {line:,}; save all of it as UTF-8 and run again"
        )
    if guess is None:
        return DataError(
            f"{name} is not text in UTF-8 (line {line:,}) or any usual encoding; give a table, or name "
            f"its encoding with {ENCODING}"
        )
    return DataError(
        f"{name} is not UTF-8 (line {line:,}) but looks like {guess}; give {ENCODING} {guess}, or save "
        "it as UTF-8"
    )


def _western(sample: bytes) -> str | None:
    """cp1252, which Windows calls ANSI, or Latin-1, if nearly all special characters fit."""
    for encoding in ("cp1252", "latin-1"):
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        special = re.findall(r"[^\x00-\x7f]", text)
        letters = re.findall(r"[^\W\d_]", text)
        fitting = len(_WESTERN.findall(text))
        if fitting >= 0.95 * len(special) and len(special) <= _FEW * max(len(letters), 1):
            return encoding
    return None


def _is_half_width(text: str) -> bool:
    """True for mostly half-width katakana: Cyrillic or Greek bytes, read as Japanese."""
    special = re.findall(r"[^\x00-\x7f]", text)
    return 2 * len(re.findall(r"[\uff61-\uff9f]", text)) > len(special)


def _is_readable(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding)
    special = re.findall(r"[^\x00-\x7f]", text)
    control = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    return control is None and sum(map(str.isalpha, special)) >= 0.9 * len(special)

"""Encodings of text: byte-order marks, and a guess at what a file that is not UTF-8 is in.

The guess is only shown, never used: text decoded with the wrong encoding looks fine but changes what is
classified.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from worthit.datasets.errors import DataError, counted
from worthit.datasets.formats import code_pages
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
_SAMPLE_LINES, _SAMPLE_BYTES = 20_000, 1 << 16
_STRAY = 0.01  # of the lines
_REPLACEMENT = "\ufffd"
_UTF8 = re.compile(r"[^\x00-\x7f\udc80-\udcff]+")
_LONG_BYTES = 1 << 15  # of a block, which holds many lines


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


@dataclass(frozen=True)
class Survey:
    """The lines of a text, by whether they are UTF-8."""

    lines: int = 0
    utf8: int = 0  # not ASCII
    others: int = 0
    first: int = 0  # number of the first that is not UTF-8
    bad_bytes: int = 0  # places that are not UTF-8

    @property
    def has_stray_bytes(self) -> bool:
        """True if so few lines are not UTF-8 that they are damaged, not in another encoding."""
        return bool(self.others) and self.others <= _STRAY * min(self.lines, 10 * self.utf8)

    @property
    def is_mostly_utf8(self) -> bool:
        return self.utf8 > self.others


def survey(stream: Iterable[bytes]) -> Survey:
    """Count the lines of a text."""
    number = utf8 = others = first = bad_bytes = 0
    for number, line in enumerate(stream, 1):
        if not line.isascii():
            try:
                line.decode()
                utf8 += 1
            except UnicodeDecodeError:
                others += 1
                first = first or number
                found = line.decode(errors="replace").count(_REPLACEMENT)
                bad_bytes += found - line.count(_REPLACEMENT.encode())
    return Survey(number, utf8, others, first, bad_bytes)


def errors_read_as(encoding: str) -> str:
    """The name of an error handler that reads what is not UTF-8 in a single-byte encoding."""

    def read(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return error.object[error.start : error.end].decode(encoding, "replace"), error.end

    name = f"worthit_{encoding}"
    codecs.register_error(name, read)
    return name


def likely(sample: bytes) -> str | None:
    """The encoding that the sample is likely in; None if it does not look like text.

    Args:
        sample: lines with bytes that are not UTF-8.
    """
    if latin := code_pages.likely(sample):
        return latin
    import charset_normalizer  # 30 ms

    words = b" ".join(word for word in sample.split() if not word.isascii())
    judged = sample if 2 * len(words) > len(sample) else words
    found = charset_normalizer.from_bytes(judged, cp_isolation=_USUAL)
    matches = [match for match in found if not _is_half_width(str(match))]
    if not matches:
        return "mac_roman" if _is_readable(sample, "mac_roman") else None
    # Latin encodings were judged above, so it loses a tie.
    best = min(matches, key=lambda m: (m.chaos, -m.coherence, m.encoding == "cp1252"))
    return str(best.encoding)


def refusal(
    name: str, line: int, special: int, pieces: Iterable[str], found: Survey | None = None
) -> DataError:
    """Why text is refused, and the encoding that it is likely in.

    Args:
        special: pieces before it that are UTF-8 but not ASCII.
        found: the counts of all lines, if the text was read before.
        pieces: the first that is not UTF-8, and those after it.
    """
    sample, broken = b"", 0
    is_mixture = found is not None and found.is_mostly_utf8
    for piece in islice(pieces, _SAMPLE_LINES):
        try:
            piece.encode()
        except UnicodeEncodeError:
            # Of a line that is UTF-8 in part, only the rest tells.
            content = (_UTF8.sub("", piece) if is_mixture else piece).encode(
                "utf-8", "surrogateescape"
            )
            lines = content.splitlines() if len(content) > _LONG_BYTES else [content]
            sample += b"\n".join(part for part in lines if not part.isascii()) + b"\n"
            broken += 1
        else:
            special += not piece.isascii()
        if len(sample) > _SAMPLE_BYTES:
            break
    guess = likely(sample[:_SAMPLE_BYTES])
    if found and is_mixture and guess and is_single_byte(guess):
        return DataError(
            f"{name} is UTF-8, but not in {counted(found.others, 'line')} (the first is line {found.first:,}); give "
            f"{ENCODING} {guess}, in which these are likely written, or save all of it as UTF-8"
        )
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


def _is_half_width(text: str) -> bool:
    """True for mostly half-width katakana: Cyrillic or Greek bytes, read as Japanese."""
    special = re.findall(r"[^\x00-\x7f]", text)
    return 2 * len(re.findall(r"[\uff61-\uff9f]", text)) > len(special)


def _is_readable(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding)
    special = re.findall(r"[^\x00-\x7f]", text)
    control = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    return control is None and sum(map(str.isalpha, special)) >= 0.9 * len(special)

"""How a delimited file is written: delimiter, quotes, lines above the header."""

import bisect
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worthit.datasets.formats.header import is_usual_name

#: delimiter → its name
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SAMPLE_LINES = 512
_SAMPLE_CHARACTERS = 1 << 20
_FITTED_CHARACTERS = 1 << 17
# Beyond it, a quote that is never closed would read the rest of the input as one text.
_LONGEST_FIELD = 1 << 26
_EXCEL_SEPARATOR = re.compile(r'"?sep=([^\r\n])"?[\r\n]+', re.IGNORECASE)
CONSISTENT = 0.9  # of the rows are as wide as the header
_NEARLY = 0.05
#: a delimiter that no text has, for lines that are each a text
WHOLE_LINES = "\x1e"
_RARE = ("^", "~", "¦", "§", "\x01", "\x1f")  # \x01 is Hive's
#: delimiters of several characters; csv takes one, that no text has
_LONG, _IN_PLACE_OF_LONG = (" ::: ", ":::", " ||| ", " || ", "::"), "\x1f"
_PLAINLY, _FEWEST_LINES = 0.98, 5

QUOTED, ESCAPED, UNQUOTED = "quoted", "escaped", "unquoted"
_QUOTES: dict[str, dict[str, Any]] = {
    QUOTED: {"quoting": csv.QUOTE_MINIMAL},
    ESCAPED: {"quoting": csv.QUOTE_MINIMAL, "escapechar": "\\"},
    UNQUOTED: {"quoting": csv.QUOTE_NONE},
}


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    quotes: str = QUOTED
    is_spaced: bool = False  # quotes follow spaces: "a", "b"
    skip: int = 0  # lines above the header

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Any:
        """A csv.reader."""
        csv.field_size_limit(_LONGEST_FIELD)
        delimiter = self.delimiter
        if len(delimiter) > 1:
            long, delimiter = delimiter, _IN_PLACE_OF_LONG
            lines = (line.replace(long, delimiter) for line in lines)
        return csv.reader(
            lines,
            delimiter=delimiter,
            skipinitialspace=self.is_spaced,
            strict=strict,
            **_QUOTES[self.quotes],
        )

    @property
    def word(self) -> str:
        return (
            "spaces"
            if self.delimiter == " "
            else DELIMITERS.get(self.delimiter, repr(self.delimiter))
        )


@dataclass(frozen=True)
class Fit:
    """How well a sample fits a delimiter."""

    width: int  # of the first row
    usual_width: int  # of most of the others
    share: float  # of the others that are as wide as the first
    usual_share: float  # of the others that have the usual width

    @property
    def fits(self) -> bool:
        return self.width > 1 and self.share >= CONSISTENT


def sample(lines: Iterator[str]) -> tuple[list[str], bool]:
    """The first lines, and whether they are all."""
    taken: list[str] = []
    present = characters = 0
    for line in lines:
        taken.append(line)
        present += not line.isspace()
        characters += len(line)
        if present >= SAMPLE_LINES or characters > _SAMPLE_CHARACTERS:
            return taken, False
    return taken, True


def find(lines: Sequence[str], usual: str, given: str | None, *, is_all: bool) -> Dialect:
    """The delimiter, spacing and first line of a sample. The quotes need all lines.

    Args:
        usual: the delimiter of the suffix.
        given: the delimiter that the user named.
        is_all: the sample is the whole file.
    """
    if lines and (named := _EXCEL_SEPARATOR.fullmatch(lines[0])):
        return _spaced(Dialect(given or named[1], skip=1), lines)
    comments = 0
    while comments < len(lines) and lines[comments].startswith("#"):
        comments += 1
    delimiter = given or _delimiter(lines[comments:], usual, is_all=is_all)
    below = fit(lines[comments:], delimiter, is_all=is_all)
    above = fit(lines[comments - 1 : comments], delimiter, is_all=True)
    is_comment = comments and below.width > 1 and above.width != below.width
    return _spaced(Dialect(delimiter, skip=comments if is_comment else 0), lines)


def fit(lines: Sequence[str], delimiter: str, *, is_all: bool) -> Fit:
    """The best of the ways to read quotes."""
    ends = list(itertools.accumulate(map(len, lines)))
    few = max(bisect.bisect(ends, _FITTED_CHARACTERS), 1)
    lines, is_all = lines[:few], is_all and few >= len(lines)
    escaped = [ESCAPED] if any('\\"' in line for line in lines) else []
    ways = (QUOTED, *escaped, UNQUOTED)
    return max(
        (_fit(lines, Dialect(delimiter, quotes), is_all) for quotes in ways),
        key=lambda one: one.share,
    )


def _fit(lines: Sequence[str], dialect: Dialect, is_all: bool) -> Fit:
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in dialect.reader(lines, strict=False) if row)
    except csv.Error:
        return Fit(1, 1, 0.0, 0.0)
    if not is_all and len(rows) > 1:
        rows.pop()  # may be cut off
    if not rows:
        return Fit(1, 1, 0.0, 0.0)
    width, others = len(rows[0]), rows[1:]
    if not others:
        return Fit(width, width, 1.0, 1.0)
    same = sum(len(row) == width or (len(row) > width and not any(row[width:])) for row in others)
    usual, times = Counter(map(len, others)).most_common(1)[0]
    return Fit(width, usual, same / len(others), times / len(others))


def _delimiter(lines: Sequence[str], usual: str, *, is_all: bool) -> str:
    """The delimiter that splits all rows as it splits the header; the usual one if it does as well.

    `WHOLE_LINES` if there is none and the header is one usual name: texts with commas below `text`.
    """
    fits = {delimiter: fit(lines, delimiter, is_all=is_all) for delimiter in (usual, *DELIMITERS)}
    fitting = [delimiter for delimiter in fits if fits[delimiter].fits]
    if fitting:
        best = max(fits[delimiter].share for delimiter in fitting)
        able = [delimiter for delimiter in fitting if fits[delimiter].share >= best - _NEARLY]
        return usual if usual in able else max(able, key=lambda delimiter: fits[delimiter].width)
    regular = [
        delimiter
        for delimiter, one in fits.items()
        if one.usual_width > 1 and one.usual_share >= CONSISTENT
    ]
    if not regular and (rare := _rare_delimiter(lines, is_all=is_all)):
        return rare
    if regular:
        return max(regular, key=lambda delimiter: fits[delimiter].usual_share)
    if lines and is_usual_name(lines[0]):
        is_one_column = fits[usual].usual_width == 1 and fits[usual].usual_share == 1
        return usual if is_one_column else WHOLE_LINES
    return max(fits, key=lambda delimiter: fits[delimiter].width)


def _rare_delimiter(lines: Sequence[str], *, is_all: bool) -> str | None:
    """A delimiter that hardly occurs in texts; a space only if R has put texts in quotes."""
    quoted = sum(line.startswith('"') for line in lines)
    candidates = [*_RARE, *_LONG, *([" "] if quoted > CONSISTENT * len(lines) else [])]
    return next((one for one in candidates if _is_plain(lines, one, is_all=is_all)), None)


def has_long_delimiter(lines: Sequence[str], *, is_all: bool) -> bool:
    return any(_is_plain(lines, delimiter, is_all=is_all) for delimiter in _LONG)


def _is_plain(lines: Sequence[str], delimiter: str, *, is_all: bool) -> bool:
    one = fit(lines, delimiter, is_all=is_all)
    return one.usual_width > 1 and one.usual_share >= _PLAINLY and len(lines) >= _FEWEST_LINES


def _spaced(dialect: Dialect, lines: Sequence[str]) -> Dialect:
    pattern = re.compile(rf'{re.escape(dialect.delimiter)} +"')
    rows = sum(pattern.search(line) is not None for line in lines)
    is_spaced = dialect.delimiter != " " and 2 * rows > len(lines)
    return Dialect(dialect.delimiter, dialect.quotes, is_spaced, dialect.skip)

"""Is the first row of a table a header or data? A header must not become data, nor data the header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, median

from worthit.datasets.errors import DataError, counted
from worthit.datasets.formats.reading import COLUMNS, Reading

Row = list[str]

_LONGEST_NAME = 100
_MANY_WORDS, _SOME_WORDS = 6, 3
_FEW_CHARACTERS = 8  # names of columns in scripts without spaces are shorter
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_COMMA = re.compile(r"(?<=\d),(?=\d+$)")
#: begins each cell of the third row of an export of Qualtrics
_QUALTRICS = '{"ImportId":'
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
#: names that columns often have, without case, spaces and signs
_USUAL = set(
    "text texts comment comments commenttext content message messages body sentence sentences tweet "
    "tweets post posts review reviews reviewtext document utterance question query title headline "
    "summary description subject label labels class classes target category categories sentiment "
    "intent topic rating stars score polarity emotion annotation toxic toxicity istoxic isspam id ids "
    "idx index key rowid uid guid date time timestamp created createdat author user username userid "
    "name url link lang language country source split set fold partition verdict answer "
    "texto comentario comentarios etiqueta clase categoria titulo sentimiento opinion "
    "texte commentaire avis etiquette classe categorie titre "
    "kommentar kommentare klasse kategorie bewertung titel testo commento etichetta "
    "tekst wynik tresc opinia текст комментарий отзыв класс метка категория оценка "
    "文本 内容 评论 标签 类别 标题 评分 テキスト 本文 ラベル 텍스트 라벨 레이블 댓글".split()
)


@dataclass(frozen=True)
class Header:
    """The columns of a table, in order.

    Attributes:
        names: empty for a column without a name.
        is_first_row: False: the first row is data.
        described_in: rows below the header that describe the columns, and are no data.
        notes: a line on each decision.
    """

    names: tuple[str, ...]
    is_first_row: bool
    notes: tuple[str, ...] = ()
    described_in: int = 0


def settle(first: Sequence[str], sample: Sequence[Row], reading: Reading, name: str) -> Header:
    """The header of a table.

    Args:
        first: the first row.
        sample: some of the rows after it.
        reading: has the names of columns that the user gave.
        name: of the file, for messages.

    Raises:
        DataError: the first row is not a header, or they do not fit.
    """
    cells = tuple(cell.strip().strip("\ufeff") for cell in first)
    if len(cells) > 1 and cells[0].startswith("#"):  # some tools mark the header so
        cells = (cells[0].lstrip("# "), *cells[1:])
    rows = [[cell.strip().strip("\ufeff") for cell in row] for row in sample]
    if len(rows) > 1 and any(cell.startswith(_QUALTRICS) for cell in rows[1]):
        found = settle(first, sample[2:], reading, name)
        note = f"the 2 rows below the header of {name}, with questions and numbers of Qualtrics, are skipped"
        return replace(found, described_in=2, notes=(*found.notes, note))
    _require_no_title(cells, rows, name)
    verdict = judge(cells, [row for row in rows if tuple(row) != cells])
    if reading.columns is not None and not (reading.is_borrowed and verdict is not False):
        return _named(cells, rows, reading.columns, verdict, name)
    if verdict is False:
        suggested = _suggestion([cells, *rows])
        raise DataError(
            f"{name} has no header: its first line holds values, not column names; give "
            f"{COLUMNS} {suggested} (or the names in the first line, if it is a header)"
        )
    if verdict is None:
        note = f"the first line of {name} is read as the header ({COLUMNS} if it is data)"
        return Header(cells, True, (note,))
    return Header(cells, True)


def _require_no_title(cells: Sequence[str], rows: Sequence[Row], name: str) -> None:
    """Spreadsheets often have a title above the header."""
    named = sum(map(bool, cells))
    usual = median(sum(map(bool, row)) for row in rows) if rows else 0
    if named and usual > 1 and 2 * named <= usual:
        raise DataError(
            f"the first line of {name} has {counted(named, 'column')}, but most others have {usual:g}; delete the "
            "lines above the header"
        )


def _named(
    cells: tuple[str, ...],
    rows: Sequence[Row],
    given: Sequence[str],
    verdict: bool | None,
    name: str,
) -> Header:
    """The names that the user gave, for a table without a header."""
    used = [i for i in range(len(cells)) if any(i < len(r) and r[i] for r in (cells, *rows))]
    width = max(used, default=-1) + 1
    if len(given) not in (width, len(cells)):
        raise DataError(
            f"{COLUMNS} names {counted(len(given), 'column')}, but the rows of {name} have {width}; "
            "give one name for each"
        )
    names = (*given, *[""] * (len(cells) - len(given)))
    if [_bare(cell) for cell in cells[: len(given)]] == [_bare(column) for column in given]:
        return Header(names, True)
    if verdict is True:
        raise DataError(
            f"{name} has a header, which {COLUMNS} would turn into data; omit {COLUMNS}, or delete the "
            "first line"
        )
    return Header(names, False, (f"the first line of {name} is data, {COLUMNS} names its columns",))


def judge(cells: Sequence[str], rows: Sequence[Row]) -> bool | None:
    """True for a header, False for data, None if nothing speaks for either."""
    named = [cell for cell in cells if cell]
    if _is_numbering(named):
        return True
    if not named or any(len(cell) > _LONGEST_NAME or is_number(cell) for cell in named):
        return False
    columns = [[row[i] for row in rows if i < len(row)] for i in range(len(cells))]
    recurs = [
        bool(cell) and cell.casefold() in {value.casefold() for value in values}
        for cell, values in zip(cells, columns, strict=True)
    ]
    if any(_bare(c) in _USUAL and not again for c, again in zip(cells, recurs, strict=True)):
        return True
    if any(_only_numbers(cell, values) for cell, values in zip(cells, columns, strict=True)):
        return True
    if any(recurs) or any(map(_is_text, cells, columns)):
        return False
    return None


def is_usual_name(cell: str) -> bool:
    return _bare(cell) in _USUAL


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _is_numbering(named: Sequence[str]) -> bool:
    """pandas names columns without a name 0, 1, 2, …"""
    return len(named) > 1 and list(named) == [str(i) for i in range(len(named))]


def _only_numbers(cell: str, values: Sequence[str]) -> bool:
    """True if a name stands above numbers."""
    present = [value for value in values if value.casefold() not in _MISSING]
    return cell.casefold() not in _MISSING and len(present) > 1 and all(map(is_number, present))


def _is_text(cell: str, values: Sequence[str]) -> bool:
    """True if a cell is as long as the texts below it."""
    present = [value for value in values if value]
    if _UNSPACED.search(cell):
        usual = median(map(len, present)) if present else 0
        return len(cell) >= max(_FEW_CHARACTERS, usual / 2)
    words = len(cell.split())
    usual = median(len(value.split()) for value in present) if present else 0
    return words >= _MANY_WORDS or words >= max(_SOME_WORDS, usual / 2)


def is_number(text: str) -> bool:
    """True for a number, also with a decimal comma."""
    try:
        float(_COMMA.sub(".", text))
    except ValueError:
        return False
    return True


def _suggestion(rows: Sequence[Sequence[str]]) -> str:
    """Names for the columns: the longest of those that seldom repeat, then the one with the fewest values."""
    width = max(map(len, rows))
    columns = [[row[i] for row in rows if i < len(row)] for i in range(width)]
    while columns and not any(columns[-1]):
        columns.pop()
    names = [f"column{i}" for i in range(1, len(columns) + 1)]
    different = [len({*values}) for values in columns]
    lengths = [
        mean(map(len, values)) if 2 * number > max(different) else 0.0
        for values, number in zip(columns, different, strict=True)
    ]
    text = lengths.index(max(lengths))
    names[text] = "text"
    others = [i for i in range(len(columns)) if i != text and len({*filter(None, columns[i])}) > 1]
    if others:
        names[min(others, key=lambda i: (len({*columns[i]}), -i))] = "label"
    return ",".join(names) if len(names) <= 8 else "NAME,NAME,…"

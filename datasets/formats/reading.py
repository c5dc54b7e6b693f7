"""What a user says about how a file is written: its encoding, delimiter, columns, sheet."""

import codecs
from dataclasses import dataclass

from worthit.datasets.errors import OptionError

ENCODING, DELIMITER, COLUMNS, SHEET = "--encoding", "--delimiter", "--columns", "--sheet"
_TAB = ("tab", "\\t")


@dataclass(frozen=True)
class Reading:
    """How a file is read; None is found in the file."""

    encoding: str | None = None  # of a file that is not UTF-8
    delimiter: str | None = None  # one character
    columns: tuple[str, ...] | None = None  # of a file without a header
    sheet: str | None = None  # of an Excel file
    is_borrowed: bool = False  # made for another file: columns are named only where a header lacks


#: everything is found in the file
AS_FOUND = Reading()


def encoding(given: str | None) -> str | None:
    """The name of an encoding of text that Python knows.

    Raises:
        OptionError: there is none of that name.
    """
    if given is None:
        return None
    try:
        "".encode(given)  # some codecs are not of text
        return codecs.lookup(given).name
    except (LookupError, ValueError):
        raise OptionError(
            f"{ENCODING} is {given!r}, which is not a known encoding; usual ones: cp1252, latin-1, "
            "cp1251, gb18030, shift_jis, utf-16"
        ) from None


def delimiter(given: str | None) -> str | None:
    """One character between columns; `tab` stands for a tab.

    Raises:
        OptionError: it is not one, or occurs in words.
    """
    if given is None:
        return None
    character = "\t" if given.lower() in _TAB else given
    if len(character) != 1 or character.isalnum() or character in '"\r\n\0':
        raise OptionError(
            f"{DELIMITER} is {given!r}; it takes one character such as ';' or '|', or tab"
        )
    return character


def columns(given: str | None) -> tuple[str, ...] | None:
    """Names of columns, separated by commas.

    Raises:
        OptionError: a name is empty or given twice.
    """
    if given is None:
        return None
    names = tuple(name.strip() for name in given.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise OptionError(
            f"{COLUMNS} is {given!r}; it takes a different name for each column, such as text,label"
        )
    return names

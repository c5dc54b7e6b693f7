"""Which format a table is in, by its first bytes and the suffix of its file."""

import re
from collections.abc import Sequence
from pathlib import Path

from worthit.datasets.errors import DataError
from worthit.datasets.formats import dialect, encodings, label_lines
from worthit.datasets.formats.reading import ENCODING

#: suffix → format; most formats are also recognized by their content
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".ndjson": "jsonl",
    ".tab": "tsv",
    ".txt": "csv",
    ".pq": "parquet",
    ".xlsm": "xlsx",
    ".ft": "fasttext",
}
#: formats that scores are written in, and that a pipe may have
STREAMED = ("jsonl", "csv", "tsv", "parquet")
DELIMITERS = {"csv": ",", "tsv": "\t"}
_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx"}
#: first bytes of files that hold no table that is read → what they are, what to do
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file (.xls); open it and save the sheet as .xlsx or CSV",
    b"ARROW1": "an Arrow (Feather) file; write it as Parquet",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; write the table as Parquet or CSV",
    b"%PDF": "a PDF; give the table as CSV",
    b"Obj\x01": "an Avro file; write it as Parquet",
    b"ORC": "an ORC file; write it as Parquet",
    b"{\\rtf": "a text document (RTF); save it as plain text",
}
#: suffixes of files that are not read → what they are, what to do
_OTHER_SUFFIXES = {
    ".dta": "a Stata file; write the table as CSV (`export delimited`)",
    ".sav": "an SPSS file; save the table as CSV",
    ".sas7bdat": "a SAS file; export the table as CSV",
    ".rds": "an R file; write the table with `write.csv`",
    ".rdata": "an R file; write the table with `write.csv`",
    ".rda": "an R file; write the table with `write.csv`",
    ".pkl": "a pickle, which could run code; write the table as Parquet (`DataFrame.to_parquet`)",
    ".pickle": "a pickle, which could run code; write the table as Parquet (`DataFrame.to_parquet`)",
    ".joblib": "a pickle, which could run code; write the table as Parquet (`DataFrame.to_parquet`)",
    ".npy": "a NumPy array; write texts and labels as CSV",
    ".npz": "a file of NumPy arrays; write texts and labels as CSV",
    ".mat": "a MATLAB file; write texts and labels as CSV",
    ".arrow": "an Arrow file; write it as Parquet",
    ".arff": "a file of Weka; save it as CSV there",
    ".sql": "SQL; export the table as CSV",
    ".db": "a database; export the table as CSV",
    ".yaml": "YAML; write texts and labels as CSV or JSON lines",
    ".yml": "YAML; write texts and labels as CSV or JSON lines",
    ".md": "Markdown; write the table as CSV",
    ".html": "a web page; write the table as CSV",
    ".htm": "a web page; write the table as CSV",
    ".conll": "a file of words; write texts and labels as CSV",
    ".conllu": "a file of words; write texts and labels as CSV",
    ".ods": "an OpenDocument sheet; save it as .xlsx or CSV",
}
_TAR_PLACE = 257
#: a label and a text, not the first cell of `__label__x,text`
_FASTTEXT = re.compile(rb"(\xef\xbb\xbf)?\s*__label__[^\s,;|]+[ \t]")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PLAINLY = 0.95  # of the rows are as wide as the first


def format_of(name: str) -> str | None:
    """The format that a file's suffix stands for."""
    return SUFFIXES.get(Path(name).suffix.lower())


def by_magic(name: str, head: bytes) -> str | None:
    """The format that the first bytes stand for.

    Raises:
        DataError: they are those of another kind of file.
    """
    for magic, form in _MAGIC.items():
        if head.startswith(magic):
            return form
    for magic, kind in _OTHERS.items():
        is_text = magic == b"ORC" and not is_binary(head)  # of a column ORCID
        if head.startswith(magic) and not is_text:
            raise DataError(f"{name} is {kind}")
    if head[_TAR_PLACE : _TAR_PLACE + 5] == b"ustar":
        raise DataError(f"{name} is a tar archive; unpack it and give the file itself")
    if _FASTTEXT.match(head):
        return "fasttext"
    return None


def require_known(name: str) -> None:
    """Raises DataError if the suffix is that of a format that is not read."""
    if kind := _OTHER_SUFFIXES.get(Path(name).suffix.lower()):
        raise DataError(f"{name} is {kind}")


def require_text(name: str, head: bytes, encoding: str | None) -> None:
    """Raises DataError if the first bytes are not of a table in text.

    Args:
        encoding: as found or named; None for UTF-8.
    """
    if encoding is None and head.count(0) > len(head) // 10:
        raise DataError(_with_nuls(name, head))
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{name} is a web page, not a table; download the file itself, after signing in if needed"
        )
    if start.startswith(b"<?xml"):
        raise DataError(
            f"{name} is XML, which cannot be read; write the table as CSV or JSON lines"
        )
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{name} is a Git LFS pointer, not a table; run `git lfs pull` to fetch it")


def _with_nuls(name: str, head: bytes) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 10 < max(even, odd):
        order = "utf-16-le" if odd > even else "utf-16-be"
        return (
            f"{name} is not UTF-8 but looks like UTF-16 without a byte-order mark; give {ENCODING} "
            f"{order}, or save it as UTF-8"
        )
    return (
        f"{name} is not text but binary, or in an unusual encoding; save it as UTF-8 and run again"
    )


def is_binary(head: bytes) -> bool:
    return encodings.marked(head) is None and _BINARY.search(head) is not None


def by_content(lines: Sequence[str], *, is_all: bool) -> str | None:
    """The format of text whose suffix says little; None if it is not plain.

    Args:
        lines: the first ones.
    """
    start = "".join(lines[:3]).lstrip("\ufeff \t\r\n")
    if start.startswith(("{", "[{", "[\n", "[\r")):
        return "json"
    if (form := label_lines.form_of(lines)) == label_lines.FASTTEXT:
        return form
    for delimited, delimiter in (("tsv", "\t"), ("csv", ","), ("csv", ";"), ("csv", "|")):
        fit = dialect.fit(lines, delimiter, is_all=is_all)
        if len(lines) > 1 and fit.width > 1 and fit.share >= _PLAINLY:
            return delimited
    if dialect.has_long_delimiter(lines, is_all=is_all):
        return "csv"
    return form


def unknown(name: str, option: str, *, is_text: bool) -> DataError:
    """For a file whose format is not plain.

    Args:
        option: the user's option for the format.
        is_text: its lines could be read.
    """
    if is_text:
        return DataError(
            f"{name} is not in a known format: its suffix is not one of {', '.join(SUFFIXES)}, and its lines "
            "are not separated by commas, tabs, semicolons or bars; write it as a CSV with the columns "
            f"text and label, and rename it to {Path(name).stem}.csv"
        )
    hint = f"; or give {option}" if option else ""
    return DataError(
        f"{name} is not in a known format; known: {', '.join(SUFFIXES)}, also packed as .gz, .zst, "
        f".bz2, .xz or .zip{hint}"
    )

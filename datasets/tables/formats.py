"""Which format a table is in, by the suffix of its file."""

from pathlib import Path

#: suffix → format; Parquet is also recognized by its first bytes
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".ndjson": "jsonl",
    ".tab": "tsv",
    ".txt": "csv",
    ".pq": "parquet",
}
#: formats that scores are written in, and that a pipe may have
STREAMED = ("jsonl", "csv", "tsv", "parquet")
DELIMITERS = {"csv": ",", "tsv": "\t"}


def format_of(name: str) -> str | None:
    """The format that a file's suffix stands for."""
    return SUFFIXES.get(Path(name).suffix.lower())

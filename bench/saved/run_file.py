"""Saves and loads a run: one JSON file, every field checked when it is read."""

import re
from pathlib import Path
from typing import Any

import msgspec

from worthit.bench.saved import consistency
from worthit.bench.saved.record import SCHEMA_VERSION, Run
from worthit.datasets.cache import write_whole
from worthit.datasets.errors import RunError

# JSON has no line break within a string, so each one found is the formatter's.
_PLAIN_LIST = re.compile(rb"\[\n[^\[\]{}]*\]")
_LINE_BREAK = re.compile(rb"\n *")


def save(run: Any, file: Path) -> None:
    """Write a run whole; a reader sees the old file or the new one, never half of either."""
    lines = msgspec.json.format(msgspec.json.encode(run), indent=1)
    # A list of numbers on one line: with a line each, thousands of comments hide all else.
    write_whole(file, _PLAIN_LIST.sub(lambda found: _LINE_BREAK.sub(b"", found[0]), lines))


def load(file: Path) -> Run:
    """Read a saved run; check every field, and that they fit together (`consistency`).

    Raises:
        RunError: not there, not JSON, of another schema version, or not valid.
    """
    try:
        raw = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise RunError(f"there is no readable run {file}; `worthit runs` lists them") from error
    except msgspec.DecodeError as error:
        raise RunError(f"{file} is not JSON ({error}); it may have been cut off") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise RunError(
            f"{file} has schema version {version!r}, this worthit reads {SCHEMA_VERSION}; "
            "measure again"
        )
    try:
        run = msgspec.convert(raw, Run)
        consistency.check(run)
    except (msgspec.ValidationError, ValueError) as error:
        raise RunError(f"{file} is not a valid run: {error}") from error
    return run

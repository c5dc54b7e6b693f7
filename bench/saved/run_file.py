"""Save and load a run: one JSON file, checked when it is read."""

import dataclasses
import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from worthit.bench.saved import consistency
from worthit.bench.saved.record import SCHEMA_VERSION, Run
from worthit.datasets.cache import write_whole
from worthit.datasets.errors import OutputError, RunError

# JSON strings contain no line breaks, so each one comes from the formatter.
_PLAIN_LIST = re.compile(rb"\[\n[^\[\]{}]*\]")
_LINE_BREAK = re.compile(rb"\n *")


def save(run: Any, file: Path) -> None:
    """Write a run atomically: a reader sees the old file or the new one, never a part."""
    lines = msgspec.json.format(msgspec.json.encode(run), indent=1)
    # One line per list of numbers: thousands of comments would hide everything else.
    write_whole(file, _PLAIN_LIST.sub(lambda match: _LINE_BREAK.sub(b"", match[0]), lines))


def create(run: Run, folder: Path) -> tuple[Run, Path]:
    """Save a run under a new name, since two runs may start in the same second; with its file.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in itertools.chain([""], (f"-{number}" for number in itertools.count(2))):
        named = dataclasses.replace(run, run_id=run.run_id + suffix)
        file = folder / f"{named.run_id}.json"
        with suppress(FileExistsError):
            file.touch(exist_ok=False)
            break
    try:
        save(named, file)
    except BaseException:  # Ctrl-C, too
        file.unlink(missing_ok=True)
        raise
    return named, file


def save_elsewhere(run: Run, file: Path, reason: str) -> NoReturn:
    """Save a run in a temporary folder, so that hours of measurements are not lost.

    Args:
        reason: why it cannot be saved in its file.

    Raises:
        OutputError: always; the message says where the run is.
    """
    here = f"the run cannot be saved in {file.parent} ({reason})"
    try:
        other = Path(tempfile.mkdtemp(prefix="worthit-")) / file.name
        save(run, other)
    except OSError as error:
        place = f"{tempfile.gettempdir()} ({error.strerror})"
        raise OutputError(f"{here}, nor in {place}; its last results are lost") from error
    raise OutputError(f"{here}; it is in {other}: move it to {file}, then: worthit report {file}")


def readable(files: Iterable[Path]) -> Iterator[tuple[str, Run]]:
    """The name and the content of each saved run that can be read; `worthit runs` lists the others."""
    for file in files:
        with suppress(RunError):
            yield file.stem, load(file)


def load(file: Path) -> Run:
    """Read a saved run. Check every field, and that they fit together (`consistency`).

    Raises:
        RunError: the file does not exist, is not JSON, has another schema version, or is not valid.
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

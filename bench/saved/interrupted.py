"""Finds the run that `--resume` continues, and keeps two processes from measuring one run."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import filelock
import msgspec

from worthit.bench.cell import CellKey
from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run
from worthit.datasets.cache import cache_folder, room_in_cache, short_hash
from worthit.datasets.errors import OptionError, RunError
from worthit.models import registry

_AT_A_SERVER = ("training", "latency", "throughput", "quality")
_OF_FIRST_SEED = (*_AT_A_SERVER, "energy", "memory")
_OF_LATER_SEED = ("training", "quality")


def find(new: Run, folder: Path) -> tuple[Run, Path]:
    """The latest run of the same command that was interrupted or has failed cells, with its file.

    Args:
        new: what the command would begin, without cells.

    Raises:
        OptionError: there is none, or its data, machine or commit differ from those of now.
    """
    runs = dict(run_file.readable(folder.glob("*.json")))
    same = [
        (run.started_at, name)
        for name, run in runs.items()
        if _has_more(run) and (run.preset, run.options) == (new.preset, new.options)
    ]
    if not same:
        raise OptionError(
            f"{folder} has no run of this command that was interrupted or has failed cells; omit --resume to start "
            "one, or give the options with which it was started"
        )
    name = max(same)[1]
    run = runs[name]
    if differences := [*_differences(run, new)]:
        raise OptionError(
            f"{name} cannot be continued, since it was measured with another {', '.join(differences)}; omit --resume"
        )
    return run, folder / f"{name}.json"


def _has_more(run: Run) -> bool:
    """True if there is more to measure."""
    return not run.complete or any(cell.failures for cell in run.cells)


def _differences(run: Run, new: Run) -> Iterable[str]:
    if msgspec.to_builtins(run.data) != msgspec.to_builtins(new.data):
        yield "data"
    before, now = (msgspec.to_builtins(one.machine) for one in (run, new))
    for key in before.keys() | now.keys():
        if before.get(key) != now.get(key) and key != "fingerprint":  # it follows from others
            yield key.replace("_", " ")


class Earlier:
    """The cells of a run before it was interrupted.

    Args:
        models: of the run: name of the row → location, see `Cell.location`.
    """

    def __init__(self, cells: Iterable[CellRecord], models: Mapping[str, str]) -> None:
        self.cells: dict[CellKey, CellRecord] = {_key(cell): cell for cell in cells}
        #: those of which nothing is missing
        self.whole = {
            key: cell for key, cell in self.cells.items() if _is_whole(cell, models[cell.model])
        }

    def with_its_training(self, cell: CellRecord) -> CellRecord:
        """A cell with its training as this run measured it, although its model now comes from the cache."""
        earlier = self.cells.get(_key(cell))
        now, before = cell.training, earlier.training if earlier else None
        if now is None or before is None or now.artifact != before.artifact or not now.cached:
            return cell
        return replace(cell, training=before)


def _key(cell: CellRecord) -> CellKey:
    return cell.model, cell.device, cell.seed


def _is_whole(cell: CellRecord, location: str) -> bool:
    """True if a cell has all that is measured of it, without a failure."""
    if cell.failures or cell.skipped:
        return False
    parts: Collection[str] = _OF_LATER_SEED
    if cell.seed == 0:
        parts = _AT_A_SERVER if registry.is_endpoint(location) else _OF_FIRST_SEED
    return all(getattr(cell, part) is not None for part in parts)


def hold(file: Path) -> filelock.BaseFileLock:
    """Lock the file of a run until this process ends or releases it.

    Raises:
        RunError: another process measures this run.
        CacheError: the cache cannot be written.
    """
    place = cache_folder("locks", f"{file.stem}-{short_hash(str(file.resolve()))}")
    lock = filelock.FileLock(place)
    try:
        with room_in_cache():
            place.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise RunError(
            f"another process measures {file.stem}; wait until it has ended, or omit --resume"
        ) from error
    return lock

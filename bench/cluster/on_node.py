"""What a node does for one cell: fetch its data, train and measure it, return record and model."""

import functools
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worthit.bench.cell import Cell
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress
from worthit.bench.instruments.machine_noise import measure_noise
from worthit.bench.saved.record import CellRecord, Figure
from worthit.datasets.cache import cache_folder, new_folder, room_in_cache
from worthit.datasets.errors import CellError, DeviceError, WorthitError, described
from worthit.datasets.splits import manifest

_NOISE_S = 1.0
_LOG_BYTES = 1_000_000  # of the end of a log

#: the content of a folder: path within it → content
Files = dict[str, bytes]


@dataclass(frozen=True)
class Order:
    """What a node is asked to do."""

    cell: Cell
    steps: tuple[str, ...]  # methods of `CellRun`
    limit_s: float


@dataclass(frozen=True)
class Begun:
    """The first report: the cell has its node."""

    node_id: str


@dataclass(frozen=True)
class Done:
    """The second report, of a finished cell."""

    record: CellRecord
    seconds: Mapping[str, float]  # of each step, timed in the cell's process
    lines: str  # of progress
    log: bytes
    noise: Figure | None = None  # of the node; None: it was lost, or is this machine


def measure(order: Order, splits: Mapping[str, Any]) -> Iterator[Begun | Done | Files]:
    """Train and measure a cell; the last report is the trained model, if there is one.

    Args:
        splits: key of prepared comments → a reference to the files of their folder.
    """
    import ray

    yield Begun(ray.get_runtime_context().get_node_id())  # at once: a loss belongs to this node
    noise = _noise()
    done = run_cell(order, splits)
    yield replace(done, noise=noise)
    if done.record.training is not None:
        yield files(cache_folder("artifacts", done.record.training.artifact))


def files(folder: Path) -> Files:
    """The content of a folder, for another machine; a user's own model may save sub-folders."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def write_files(content: Files, folder: Path, *, replace: bool = False) -> None:
    """Make a folder of the cache.

    Raises:
        CacheError: the cache is full or not writable.
    """
    with new_folder(folder, replace=replace) as scratch:
        for name, part in content.items():
            file = scratch / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(part)


@functools.cache
def _noise() -> Figure:
    """The noise of this node, measured once by each process of Ray."""
    return measure_noise(_NOISE_S)


def run_cell(order: Order, splits: Mapping[str, Any]) -> Done:
    """Train and measure a cell on this machine, as `measure` does for Ray."""
    cell, stream, seconds = order.cell, io.StringIO(), dict[str, float]()
    record, log = CellRecord(cell.model, cell.device, cell.seed), b""
    try:
        with room_in_cache(), tempfile.TemporaryDirectory() as folder:
            _fetch(splits)
            file = Path(folder, "cell.log")
            run = CellRun(cell, file, order.limit_s, Progress(stream), lambda record: None)
            try:
                _take(order.steps, run, seconds)
            finally:
                run.close()
                record = run.record
                log = file.read_bytes()[-_LOG_BYTES:] if file.is_file() else b""
    except (WorthitError, OSError) as error:  # of the node's disk, or the user's code is missing
        reason = str(error) if isinstance(error, WorthitError) else described(error)
        record = replace(record, failures=(*record.failures, f"training: {reason}"))
    return Done(record, seconds, stream.getvalue(), log)


def _fetch(splits: Mapping[str, Any]) -> None:
    """Get the prepared comments that this node does not have."""
    import ray

    for key, reference in splits.items():
        folder = cache_folder("splits", key)
        if not (folder / manifest.FILE).is_file():
            write_files(ray.get(reference), folder, replace=folder.is_dir())


def _take(steps: Sequence[str], run: CellRun, seconds: dict[str, float]) -> None:
    for step in steps:
        try:
            trains = run.train().train_s.value is not None
            if step != "learning_curve" or trains:
                getattr(run, step)()
                seconds[step] = run.seconds
        except (CellError, DeviceError):  # the record says why
            continue

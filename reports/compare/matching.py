"""Which cell of a later run is compared with which cell of the first run, the base.

A cell is compared with the base's cell of the same model, device and seed. If the base lacks that
device, the first cell of the same model and seed takes its place: a run on CUDA can be compared with
one on the CPU, and a run on both devices has a row for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worthit.bench.saved.record import CellRecord, Run
from worthit.datasets.errors import RunError


@dataclass(frozen=True)
class ComparedRun:
    letter: str  # A is the base
    name: str
    run: Run

    @property
    def noise_percent(self) -> float | None:
        """The noise of its machine; None if it was not measured."""
        return self.run.noise.value


@dataclass(frozen=True)
class Counterparts:
    """A cell of a later run and the cell of the base that it is compared with."""

    base_run: ComparedRun
    base: CellRecord
    later_run: ComparedRun
    later: CellRecord

    @property
    def on_one_device(self) -> bool:
        return self.base.device == self.later.device


def match(runs: Sequence[ComparedRun]) -> list[Counterparts]:
    """All cells of later runs that have a counterpart, in the order of the base's cells.

    Args:
        runs: the base first.

    Raises:
        RunError: no cell has a counterpart.
    """
    base, *later_runs = runs
    pairs = [
        Counterparts(base, counterpart, later, cell)
        for later in later_runs
        for cell in later.run.cells
        if (counterpart := _counterpart(base.run, cell)) is not None
    ]
    if not pairs:
        cells = "; ".join(
            f"{one.name} has {', '.join(cell.name for cell in one.run.cells) or 'none'}"
            for one in runs
        )
        raise RunError(f"these runs have no model and seed in common: {cells}")
    order = [cell.name for cell in base.run.cells]
    return sorted(pairs, key=lambda pair: order.index(pair.base.name))


def unmatched(runs: Sequence[ComparedRun], pairs: Sequence[Counterparts]) -> Iterator[str]:
    """One line for the cells of each run that have no counterpart in the other."""
    base, *later_runs = runs
    for later in later_runs:
        of_run = [pair for pair in pairs if pair.later_run == later]
        matched = {pair.base.name for pair in of_run}, {pair.later.name for pair in of_run}
        for run, names, other in ((base, matched[0], later), (later, matched[1], base)):
            missing = [cell.name for cell in run.run.cells if cell.name not in names]
            if missing:
                yield f"{', '.join(missing)}: in {run.letter}, not in {other.letter}"


def _counterpart(base: Run, cell: CellRecord) -> CellRecord | None:
    same = [other for other in base.cells if (other.model, other.seed) == (cell.model, cell.seed)]
    on_its_device = [other for other in same if other.device == cell.device]
    return next(iter(on_its_device or same), None)

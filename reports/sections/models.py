"""The sections on the models: weights and settings, and what failed."""

from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import missing, name
from worthit.reports.text.format import Footnotes, percent, shared_by, written
from worthit.reports.text.tables import folded, listed, tabulated


def section(analysis: Analysis) -> list[str]:
    """Weights, parameters, settings and threads; then what failed or was skipped."""
    run, notes = analysis.run, Footnotes()
    trained = [
        [
            name(run, cell),
            cell.setup.checkpoint or cell.setup.code or "trained from scratch",
            cell.setup.dtype or "",
            _count(cell.training.parameters),
            _count(cell.training.trained_parameters),
            written(cell.training.disk_mb, notes),
            notes.marked(
                written(cell.training.memory.peak_mb, notes), shared_by(cell.training.processes)
            ),
            cell.training.trained_at[:16].replace("T", " "),
            percent(cell.quality.truncated_share) if cell.quality else "",
            _count(cell.training.tried or None),
            written(cell.training.choosing_s, notes) if cell.training.tried else "",
        ]
        for cell in run.cells
        if cell.setup is not None and cell.training is not None
    ]
    headings = [
        "model", "weights", "dtype", "parameters", "of them trained", "artifact, MB",
        "peak memory in training, MB", "trained at, UTC", "test comments truncated",
        "prompts tried on validation comments", "time of trying prompts, s",
    ]  # fmt: skip
    settings = [
        [
            name(run, cell),
            ", ".join(f"{setting} {value}" for setting, value in cell.training.settings.items()),
            ", ".join(f"{pool} {threads}" for pool, threads in cell.setup.thread_pools.items()),
        ]
        for cell in run.cells
        if cell.setup is not None and cell.training is not None
    ]
    return [
        "## Models",
        *_failures(run.cells),
        *folded(
            "Weights, parameters and settings",
            tabulated(headings, trained, left=3),
            *listed(notes.lines()),
            tabulated(["model", "settings", "threads of each pool"], settings, left=3),
        ),
    ]


def _failures(cells: tuple[CellRecord, ...]) -> list[str]:
    lines = [f"{cell.name}: {reason}" for cell in cells for reason in cell.failures]
    lines += [missing(cell, "") for cell in cells if cell.skipped]
    return ["Failed and skipped:", *listed(lines)] if lines else []


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"

"""One sentence on the measurements that other work on the machine disturbed."""

from collections.abc import Mapping

from worthit.bench.saved.record import CellRecord

_PARTS = ("training", "latency", "throughput", "energy")


def sentence(cells: Mapping[str, CellRecord]) -> str:
    """Which measurements of which cells were disturbed, and by what; empty if none was.

    Args:
        cells: by the names that the text uses.
    """
    texts = [text for name, cell in cells.items() if (text := _of_cell(name, cell))]
    if not texts:
        return ""
    return (
        "Other work on the machine disturbed these measurements, which are neither ranked nor checked "
        f"for regressions: {'; '.join(texts)}."
    )


def _of_cell(name: str, cell: CellRecord) -> str:
    """The disturbed measurements of a cell, those with the same reasons together."""
    parts: dict[tuple[str, ...], list[str]] = {}
    for part in _PARTS:
        measured = getattr(cell, part)
        seen = measured.disturbance if measured is not None else None
        if seen is not None and seen.reasons:
            parts.setdefault(seen.reasons, []).append(part)
    curve = [one.disturbance for one in cell.learning_curve if one.disturbance is not None]
    if reasons := next((seen.reasons for seen in curve if seen.reasons), ()):
        parts.setdefault(reasons, []).append("learning curve")
    texts = [f"{', '.join(names)} ({'; '.join(reasons)})" for reasons, names in parts.items()]
    return f"{name} {' and '.join(texts)}" if texts else ""

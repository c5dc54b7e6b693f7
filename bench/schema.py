"""Versions of the saved run: how one of an older worthit becomes one of today's.

The version is raised whenever older runs would be misread, and gets a line in `_UPGRADES`. New
optional fields, and fields that nobody reads any more, come and go without.
"""

from collections.abc import Callable
from typing import Any

VERSION = 2


def upgraded(raw: Any) -> dict[str, Any]:
    """A run as decoded from JSON, brought to `VERSION` step by step.

    Raises:
        ValueError: it has no version, or one that this worthit does not know.
    """
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"has schema version {version!r}, this worthit reads 1 to {VERSION}")
    for step in range(version, VERSION):
        try:
            raw = _UPGRADES[step](raw) | {"schema_version": step + 1}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"is no valid run of schema version {step}") from error
    return dict(raw)


def _to_2(raw: dict[str, Any]) -> dict[str, Any]:
    """Whether a throughput sweep stopped rising became what ended it."""
    cells = []
    for cell in raw["cells"]:
        sweep = cell.get("throughput")
        if sweep is not None:
            ended_by = "no gain" if sweep["stopped_rising"] else "largest size"
            cell = cell | {"throughput": sweep | {"ended_by": ended_by}}
        cells.append(cell)
    return raw | {"cells": cells}


#: version → how a run of it becomes one of the next
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2}

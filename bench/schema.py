"""Versions of the saved run: how one of an older worthit becomes one of today's.

The version is raised whenever older runs would be misread, and gets a line in `_UPGRADES`. New
optional fields, and fields that nobody reads any more, come and go without.
"""

from collections.abc import Callable
from typing import Any

from worthit.bench import quantiles

VERSION = 3
#: distinct comments that latency was of at most, by preset, while runs did not keep their number
_LATENCY_COMMENTS = {"quick": 300, "standard": 1_000, "reference": 1_000}


def upgraded(raw: Any) -> dict[str, Any]:
    """A run as decoded from JSON, brought to `VERSION` step by step.

    Raises:
        ValueError: it has no version, one that this worthit does not know, or is none of its own.
    """
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"has schema version {version!r}, this worthit reads 1 to {VERSION}")
    for step in range(version, VERSION):
        try:
            raw = _UPGRADES[step](raw) | {"schema_version": step + 1}
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"is not a valid run of schema version {step} ({error!r})") from error
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


def _to_3(raw: dict[str, Any]) -> dict[str, Any]:
    """Latencies of the same comments no longer counted as of as many comments as samples."""
    cells = []
    for cell in raw["cells"]:
        timed = cell.get("latency")
        if timed is not None:
            most = _LATENCY_COMMENTS[raw["preset"]]
            comments = min(most, len(raw["data"]["test"]["ids"]), len(timed["samples_ms"]))
            cell = cell | {"latency": _over_comments(timed, comments)}
        cells.append(cell)
    return raw | {"cells": cells}


def _over_comments(timed: dict[str, Any], comments: int) -> dict[str, Any]:
    interval = quantiles.bounds(timed["samples_ms"], comments, 50, 0.975)
    low, high = interval or (None, None)
    timed = timed | {"comments": comments, "p50_low_ms": low, "p50_high_ms": high}
    if timed.get("ended_by") == "precision":
        timed["ended_by"] = "precision of passes"  # which today's interval need not have
    for percent, needed in quantiles.COMMENTS_NEEDED.items():
        if comments < needed and timed[f"p{percent}_ms"]["value"] is not None:
            timed[f"p{percent}_ms"] = {
                "value": None, "unit": "ms", "origin": "unavailable", "instrument": "", "samples": 0,
                "reason": f"p{percent} needs {needed} comments, there are {comments}",
            }  # fmt: skip
    return timed


#: version → how a run of it becomes one of the next
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2, 2: _to_3}

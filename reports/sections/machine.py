"""The section on the machine, its noise, and the options of the run."""

from collections.abc import Iterable
from typing import Any

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.record import Run, significant
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.text.tables import folded, tabulated


def section(analysis: Analysis) -> list[str]:
    """Hardware, software, noise and options, folded."""
    run = analysis.run
    return [
        "## Machine and options",
        *folded("Machine", _pairs([*_flat(run.machine), ("noise", _noise(run))])),
        *folded("Options", _pairs(run.options.items())),
    ]


def noise_warning(run: Run) -> str:
    """A line if the machine was noisy, else an empty one."""
    if run.noise.value is None or run.noise.value < NOISY_PERCENT:
        return ""
    return (
        f"**Warning: this machine was noisy, {_noise(run)}. From {significant(NOISY_PERCENT)} % on, "
        "small differences in time mean nothing. Measure on an idle machine.**"
    )


def _noise(run: Run) -> str:
    if run.noise.value is None:
        return "not measured"
    return f"{significant(run.noise.value)} % ({run.noise.instrument})"


def _flat(values: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield key, ", ".join(f"{inner} {entry}" for inner, entry in value.items())
        elif isinstance(value, list):
            yield key, ", ".join(map(str, value)) or "none"
        else:
            yield key, "unknown" if value is None else str(value)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return tabulated(
        ["what", "value"], [[key.replace("_", " "), value] for key, value in pairs], left=2
    )

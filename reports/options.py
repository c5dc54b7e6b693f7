"""The options that reports read: pytest saves them with a run, `worthit report` takes them again.

Both commands take them from here, so what is allowed, and what is said of what is not, is the same.
They are saved as they were written.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worthit.bench.saved.record import DEFAULT_P99_LIMIT_MS, DEFAULT_RECALL, Run
from worthit.datasets.errors import OptionError

DEFAULT_VOLUME = 1_000_000.0

#: key of `--budget` → what it limits
LIMITS = {
    "latency_ms": "p99 of one comment, ms, at most",
    "latency_p50_ms": "median of one comment, ms, at most",
    "throughput_per_s": "comments/s at the best batch size, at least",
    "memory_mb": "peak memory, MB, at most",
    "energy_j": "energy of CPU and GPU, J/comment, at most",
    "train_s": "training, s, at most",
    "disk_mb": "trained model on disk, MB, at most",
    "accuracy": "test accuracy, from 0 to 1, at least",
}
AT_LEAST = frozenset({"throughput_per_s", "accuracy"})


@dataclass(frozen=True)
class ReportOption:
    flag: str
    metavar: str
    about: str
    least: float = 0.0
    most: float = math.inf
    unit: str = ""
    default: str | None = None  # of a new run

    @property
    def destination(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")


BUDGET = ReportOption(
    "--budget",
    "LIMIT=N,…",
    f"the report then says who keeps within it: {'; '.join(f'{k} ({v})' for k, v in LIMITS.items())}",
)
P99_LIMIT = ReportOption(
    "--p99-limit-ms",
    "MS",
    f"serving: how slow 1 answer in 100 may be ({DEFAULT_P99_LIMIT_MS:g})",
    least=1,
    default=f"{DEFAULT_P99_LIMIT_MS:g}",
)
ELECTRICITY = ReportOption(
    "--electricity-price",
    "PRICE",
    "of a kWh, in any currency: the report then says what scoring costs",
    unit=", per kWh",
)
MACHINE = ReportOption(
    "--machine-price",
    "PRICE",
    "of an hour of this machine, likewise",
    unit=", per hour",
)
API = ReportOption(
    "--api-price",
    "PRICE",
    "of a million comments scored by a hosted API: the report then says from what volume on a "
    "model of one's own costs less",
    unit=", per million comments",
)
VOLUME = ReportOption(
    "--volume",
    "COMMENTS",
    f"over how many the cost of training is spread ({DEFAULT_VOLUME:,.0f})",
    least=1,
)
CARBON = ReportOption(
    "--carbon-intensity",
    "GRAMS",
    "of CO2e for each kWh: the report then says what scoring emits",
    unit=", per kWh",
)
RECALL = ReportOption(
    "--recall",
    "SHARE",
    "of positive comments to find at natural prevalence: the report says with what precision "
    f"({DEFAULT_RECALL:g})",
    least=0.01,
    most=1.0,
    default=f"{DEFAULT_RECALL:g}",
)
OPTIONS = (RECALL, P99_LIMIT, BUDGET, ELECTRICITY, MACHINE, API, VOLUME, CARBON)


def add(add_option: Callable[..., Any], *, new_run: bool) -> None:
    """Declare them to pytest's or argparse's parser; only new runs need defaults."""
    for option in OPTIONS:
        default = option.default if new_run else None
        add_option(option.flag, metavar=option.metavar, help=option.about, default=default)


def checked(get: Callable[[str], str | None]) -> dict[str, str]:
    """Flag → value as written, of those that were given.

    Args:
        get: an option's value by its name in the parser's namespace.

    Raises:
        OptionError: a value makes no sense; says what does.
    """
    given = {}
    for option in OPTIONS:
        value = get(option.destination)
        if value is not None:
            if option is BUDGET:
                budget(value)
            else:
                _number(option, value)
            given[option.flag] = value
    return given


def number(run: Run, option: ReportOption) -> float | None:
    """An option's value in this run; None if it was not given."""
    written = run.options.get(option.flag)
    return None if written is None else float(written)


def budget(given: str) -> dict[str, float]:
    """Limits by their keys: `latency_ms=20,accuracy=0.9`.

    Raises:
        OptionError: an unknown key, one that comes twice, or a limit that is no positive number.
    """
    limits: dict[str, float] = {}
    for part in given.split(","):
        key, _, limit = (piece.strip() for piece in part.partition("="))
        if key not in LIMITS:
            raise OptionError(f"--budget cannot limit {key!r}; it can: {', '.join(LIMITS)}")
        if key in limits:
            raise OptionError(f"--budget limits {key} twice; give each limit once")
        limits[key] = _positive(key, limit)
    return limits


def _positive(key: str, given: str) -> float:
    most = 1.0 if key == "accuracy" else math.inf
    limit = _parsed(given)
    if not (0 < limit < math.inf and limit <= most):
        allowed = "a number above 0" + (" and up to 1" if key == "accuracy" else "")
        raise OptionError(
            f"--budget gives {key} the limit {given!r}; it takes {allowed}: {LIMITS[key]}"
        )
    return limit


def _number(option: ReportOption, given: str) -> None:
    number = _parsed(given)
    if not (option.least <= number <= option.most and number < math.inf):
        most = "" if math.isinf(option.most) else f" to {option.most:g}"
        raise OptionError(
            f"{option.flag} is {given}; it takes a number from {option.least:g} up{most}{option.unit}"
        )


def _parsed(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        return math.nan

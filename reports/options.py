"""The options of reports: `pytest bench/` saves them with a run, `worthit report` takes them again.

Both commands declare and check them here. A run saves them as they were written.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worthit.bench.saved.record import DEFAULT_P99_LIMIT_MS, DEFAULT_RECALL
from worthit.datasets.errors import OptionError
from worthit.models.contract import DEVICES
from worthit.reports.analysis import figures, objective
from worthit.reports.analysis.objective import ErrorCosts

DEFAULT_VOLUME = 1_000_000.0
#: the parts of a machine that `--machine-price` prices, and what an hour is of
PRICED_PARTS = {
    "core": "one CPU core",
    **{device: f"the {device} accelerator" for device in DEVICES if device != "cpu"},
}
DEFAULT_WORTHWHILE_POINTS = 1.0


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


RECALL = ReportOption(
    "--recall",
    "SHARE",
    "share of the positive comments to find; the report gives the precision at natural prevalence "
    f"({DEFAULT_RECALL:g})",
    least=0.01,
    most=1.0,
    default=f"{DEFAULT_RECALL:g}",
)
OBJECTIVE = ReportOption(
    objective.OBJECTIVE,
    "NAME",
    f"what answers are chosen for on validation comments: {', '.join(objective.NAMES)} (cost if the costs of "
    "errors are given, else accuracy, or balanced-accuracy where a constant answer would do well; macro-f1 of "
    "several labels)",
)
COST_MISS = ReportOption(
    objective.COST_MISS, "PRICE", "cost of a positive comment that is not found, in any currency"
)
COST_FALSE_ALARM = ReportOption(
    objective.COST_FALSE_ALARM, "PRICE", "cost of another comment that is predicted positive"
)
P99_LIMIT = ReportOption(
    "--p99-limit-ms",
    "MS",
    f"serving: latency that 99 of 100 requests must stay within ({DEFAULT_P99_LIMIT_MS:g})",
    least=1,
    default=f"{DEFAULT_P99_LIMIT_MS:g}",
)
WORTHWHILE = ReportOption(
    "--worthwhile",
    "POINTS",
    "the smallest lead of the LLM that is worth its cost, in percentage points of accuracy, or of what "
    f"the verdict is decided by ({DEFAULT_WORTHWHILE_POINTS:g})",
    least=0.1,
    most=50.0,
    default=f"{DEFAULT_WORTHWHILE_POINTS:g}",
)
BUDGET = ReportOption("--budget", "LIMIT=N,…", "which models stay within these limits")
ELECTRICITY = ReportOption(
    "--electricity-price",
    "PRICE",
    "price of a kWh, in any currency; the report prices the energy of CPU and GPU",
    unit=", per kWh",
)
MACHINE = ReportOption(
    "--machine-price",
    "PRICE|DEVICE=PRICE,…",
    f"price of an hour of this machine, or of its parts: {', '.join(PRICED_PARTS)}",
    unit=", per hour",
)
API = ReportOption(
    "--api-price",
    "PRICE",
    "price of a million comments scored by a hosted API, or by an endpoint without --price-in and "
    "--price-out; the report gives the break-even volume",
    unit=", per million comments",
)
PRICE_IN = ReportOption(
    "--price-in",
    "PRICE",
    "price of a million prompt tokens of an endpoint",
    unit=", per million tokens",
)
PRICE_OUT = ReportOption(
    "--price-out",
    "PRICE",
    "price of a million completion tokens of an endpoint",
    unit=", per million tokens",
)
VOLUME = ReportOption(
    "--volume",
    "COMMENTS",
    f"number of comments that share the cost of one training ({DEFAULT_VOLUME:,.0f})",
    least=1,
)
CARBON = ReportOption(
    "--carbon-intensity",
    "GRAMS",
    "grams of CO2e per kWh; the report gives the emissions of CPU and GPU while scoring",
    unit=", per kWh",
)
LABEL = ReportOption(
    "--label-price",
    "PRICE",
    "price of one label; with --learning-curve, the report says what more labels buy",
    unit=", per label",
)
#: what answers are chosen for
CHOICES = (OBJECTIVE, RECALL, COST_MISS, COST_FALSE_ALARM)
OPTIONS = (
    *CHOICES, P99_LIMIT, WORTHWHILE, BUDGET, ELECTRICITY, MACHINE, API, PRICE_IN, PRICE_OUT, VOLUME, CARBON,
    LABEL,
)  # fmt: skip


@dataclass(frozen=True)
class ReportOptions:
    """The values of the options; None where one was not given."""

    recall: float
    p99_limit_ms: float
    worthwhile: float  # as a share: 0.01 is one point
    limits: Mapping[str, float]  # key of `--budget` → limit
    electricity_per_kwh: float | None
    machine_per_hour: float | None  # of the whole machine
    part_per_hour: Mapping[str, float]  # of PRICED_PARTS; empty unless --machine-price names them
    api_per_million: float | None
    price_in_per_million: float | None  # prompt tokens
    price_out_per_million: float | None  # completion tokens
    volume: float
    carbon_g_per_kwh: float | None
    label_price: float | None
    error_costs: ErrorCosts | None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "ReportOptions":
        """The values of options as a run saves them: flag → text.

        Raises:
            OptionError: a value makes no sense.
        """
        checked({option.destination: given.get(option.flag) for option in OPTIONS}.get)

        def number(option: ReportOption) -> float | None:
            return float(given[option.flag]) if option.flag in given else None

        by_part = "=" in given.get(MACHINE.flag, "")
        return cls(
            recall=number(RECALL) or DEFAULT_RECALL,
            p99_limit_ms=number(P99_LIMIT) or DEFAULT_P99_LIMIT_MS,
            worthwhile=(number(WORTHWHILE) or DEFAULT_WORTHWHILE_POINTS) / 100,
            limits=budget(given[BUDGET.flag]) if given.get(BUDGET.flag) else {},
            electricity_per_kwh=number(ELECTRICITY),
            machine_per_hour=None if by_part else number(MACHINE),
            part_per_hour=part_prices(given[MACHINE.flag]) if by_part else {},
            api_per_million=number(API),
            price_in_per_million=number(PRICE_IN),
            price_out_per_million=number(PRICE_OUT),
            volume=number(VOLUME) or DEFAULT_VOLUME,
            carbon_g_per_kwh=number(CARBON),
            label_price=number(LABEL),
            error_costs=objective.error_costs(given),
        )

    @property
    def has_price(self) -> bool:
        """True if running a model on this machine has a price."""
        return self.electricity_per_kwh is not None or self.prices_compute

    @property
    def prices_tokens(self) -> bool:
        """True if tokens of an endpoint have a price, of one kind at least."""
        return self.price_in_per_million is not None or self.price_out_per_million is not None

    @property
    def prices_compute(self) -> bool:
        """True if the machine or parts of it have a price."""
        return self.machine_per_hour is not None or bool(self.part_per_hour)


def add(
    add_option: Callable[..., Any], *, new_run: bool, only: Sequence[ReportOption] = OPTIONS
) -> None:
    """Declare the options to the parser of pytest or argparse; only new runs need defaults."""
    for option in only:
        about = option.about
        if option is BUDGET:
            about += f": {'; '.join(f'{key} ({_limit_about(key)})' for key in figures.by_limit())}"
        default = option.default if new_run else None
        add_option(option.flag, metavar=option.metavar, help=about, default=default)


def checked(
    get: Callable[[str], str | None], saved: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Flag → text of the options that were given.

    Args:
        get: returns an option's text by its name in the parser's namespace.
        saved: flag → text of a run's options, which those given replace.

    Raises:
        OptionError: a value makes no sense; says what is allowed.
    """
    given = {}
    for option in OPTIONS:
        value = get(option.destination)
        if value is not None:
            if option is BUDGET:
                budget(value)
            elif option is MACHINE and "=" in value:
                part_prices(value)
            elif option is OBJECTIVE:
                _check_objective(value)
            else:
                _check_number(option, value)
            given[option.flag] = value
    _check_costs({**(saved or {}), **given})
    return given


def _check_objective(given: str) -> None:
    if given not in objective.NAMES:
        raise OptionError(f"{OBJECTIVE.flag} is {given}; it takes {', '.join(objective.NAMES)}")


def _check_costs(given: Mapping[str, str]) -> None:
    """Both costs of errors or none, above 0, and both for the objective `cost`."""
    costs = [given.get(option.flag) for option in (COST_MISS, COST_FALSE_ALARM)]
    both = f"{COST_MISS.flag} and {COST_FALSE_ALARM.flag}"
    if (costs[0] is None) != (costs[1] is None):
        raise OptionError(f"give {both} together: a threshold depends on their ratio")
    if given.get(OBJECTIVE.flag) == "cost" and None in costs:
        raise OptionError(f"{OBJECTIVE.flag} cost needs {both}")
    if any(cost is not None and float(cost) == 0 for cost in costs):
        raise OptionError(f"{both} must be above 0: an error that costs nothing decides nothing")


def budget(given: str) -> dict[str, float]:
    """Limits by their keys: `latency_ms=20,accuracy=0.9`.

    Raises:
        OptionError: an unknown key, a repeated key, or a limit that is not a positive number.
    """
    limits: dict[str, float] = {}
    for part in given.split(","):
        key, _, limit = (piece.strip() for piece in part.partition("="))
        if key not in figures.by_limit():
            allowed = ", ".join(figures.by_limit())
            raise OptionError(f"--budget cannot limit {key!r}; it can limit: {allowed}")
        if key in limits:
            raise OptionError(f"--budget limits {key} twice; give each limit once")
        limits[key] = _positive(key, limit)
    return limits


def part_prices(given: str) -> dict[str, float]:
    """Prices of an hour by part of the machine: `core=0.05,cuda=2.5`.

    Raises:
        OptionError: an unknown part, a repeated part, or a price that is not a number from 0 up.
    """
    prices: dict[str, float] = {}
    for entry in given.split(","):
        part, _, price = (piece.strip() for piece in entry.partition("="))
        if part not in PRICED_PARTS:
            allowed = ", ".join(f"{name} ({about})" for name, about in PRICED_PARTS.items())
            raise OptionError(f"--machine-price cannot price {part!r}; it can price: {allowed}")
        if part in prices:
            raise OptionError(f"--machine-price prices {part} twice; give each price once")
        prices[part] = _parsed(price)
        if not 0 <= prices[part] < math.inf:
            raise OptionError(
                f"--machine-price gives {part} the price {price!r}; it takes a number from 0 up, per hour"
            )
    return prices


def _limit_about(key: str) -> str:
    spec = figures.by_limit()[key]
    assert spec.limit is not None
    return f"{spec.limit.about}, at {'least' if spec.better == 'higher' else 'most'}"


def _positive(key: str, given: str) -> float:
    spec = figures.by_limit()[key]
    assert spec.limit is not None
    limit = _parsed(given)
    if not (0 < limit < math.inf and limit <= spec.limit.most):
        most = "" if math.isinf(spec.limit.most) else f" and up to {spec.limit.most:g}"
        raise OptionError(
            f"--budget gives {key} the limit {given!r}; it takes a number above 0{most}: "
            f"{_limit_about(key)}"
        )
    return limit


def _check_number(option: ReportOption, given: str) -> None:
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

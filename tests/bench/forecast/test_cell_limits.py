"""bench/forecast/cell_limits.py: more work than the preset's has a longer limit."""

import pytest

from tests.command_line import options
from worthit.bench.forecast import cell_limits
from worthit.bench.forecast.cost import Rates
from worthit.bench.forecast.forecast import Forecast, ModelForecast

RATES = Rates("llm", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FORECAST = Forecast(
    (
        ModelForecast(
            "llama", "cpu", RATES, "", {("llama", "cpu", 0): 90.0, ("llama", "cpu", 1): 70.0}, 120.0
        ),
        ModelForecast("mine", "cpu", None, "it is your code", {}, 0.0),
    ),
    {},
)


@pytest.mark.parametrize(
    ("given", "comments", "forecast_s", "limit_s"),
    [
        ("", 1_000, 100.0, 900.0),
        ("", 400, 0.0, 900.0),
        ("", 5_000, 0.0, 4_500.0),
        ("", 1_000, 1_000.0, 4_000.0),
        ("--cell-limit 60", 5_000, 1_000.0, 60.0),
        ("--preset standard", 20_000, 0.0, 12 * 3600),
    ],
)
def test_the_limit_grows_with_the_work_unless_it_is_given(
    given: str, comments: int, forecast_s: float, limit_s: float
) -> None:
    assert cell_limits.limit_s(options(*given.split()), comments, forecast_s) == limit_s


def test_the_forecast_is_that_of_the_first_seed() -> None:
    assert FORECAST.cell_s("llama", "cpu") == 90.0
    assert FORECAST.cell_s("mine", "cpu") == 0.0


def test_a_limit_below_the_forecast_is_named() -> None:
    lines = [*cell_limits.too_low(options("--cell-limit", "50"), FORECAST)]
    assert lines == ["  --cell-limit 50 may end llama-cpu: its training is forecast to take 60 s"]
    for enough in (("--cell-limit", "60"), ()):
        assert not [*cell_limits.too_low(options(*enough), FORECAST)]

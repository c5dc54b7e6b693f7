"""How long one training or one measurement may take before it is ended as stuck."""

from collections.abc import Iterator

from worthit.bench.cells.progress import minutes
from worthit.bench.forecast.forecast import Forecast
from worthit.bench.options import BenchmarkOptions
from worthit.datasets.splits.draws import AtMost

#: times the forecast, which is within a factor of 2 on a quiet machine; other work may double that
_AT_MOST = 4.0


def limit_s(options: BenchmarkOptions, train_comments: int, forecast_s: float) -> float:
    """The limit in s that the user gave; else the preset's, longer for more work than the preset has.

    Args:
        train_comments: of this run.
        forecast_s: of the whole cell; 0 without a forecast.
    """
    if options.cell_limit is not None:
        return options.cell_limit
    preset = options.preset
    usual = preset.train_size.comments if isinstance(preset.train_size, AtMost) else train_comments
    by_size_s = preset.cell_limit_s * max(1.0, train_comments / usual)
    return max(by_size_s, _AT_MOST * forecast_s)


def too_low(options: BenchmarkOptions, forecast: Forecast) -> Iterator[str]:
    """Yield a line on each model whose forecast training is longer than the user's limit."""
    if options.cell_limit is None:
        return
    for model in forecast.models:
        if model.rates and model.training_s / len(model.cells) > options.cell_limit:
            yield (
                f"  --cell-limit {options.cell_limit:g} may end {model.model}-{model.device}: its training is "
                f"forecast to take {minutes(model.training_s / len(model.cells))}"
            )

"""How often to read the training comments: more often when there are few.

Fine-tuning needs a number of steps rather than of passes (Mosbach et al. 2021, "On the Stability of
Fine-tuning BERT"; Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning"). How many was measured
with `worthit.bench.scripts.recipes`; bench/README.md has the results.
"""

from dataclasses import replace
from typing import Any

_MOST = 8


def settle(settings: Any, comments: int, reads: int) -> Any:
    """The settings with their number of epochs; a number that was given stays.

    Args:
        settings: a dataclass with a field `epochs`; None leaves it to the number of comments.
        comments: to train on.
        reads: comments to train on in total, those of later epochs included, if there are fewer.
    """
    if settings.epochs is not None:
        return settings
    return replace(settings, epochs=min(max(round(reads / comments), 1), _MOST))

"""How often to read the training comments: more often when there are few, or many classes.

Fine-tuning needs a number of steps rather than of passes (Mosbach et al. 2021, "On the Stability of
Fine-tuning BERT"; Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning"), and each class needs its
own. The rule fits what was compared, `bert` on two data sets and `llama` on one, with 250 and 1,000
comments. Larger sizes and other models follow it untested; models/README.md has the results.
"""

import math
from dataclasses import replace
from typing import Any

_PER_CLASS = 2_000
_MOST = 16


def settle(settings: Any, comments: int, classes: int) -> Any:
    """The settings with their number of epochs; a number that was given stays.

    Args:
        settings: a dataclass with a field `epochs`; None leaves it to the other arguments.
        comments: to train on.
        classes: of several labels at once, each is like a class, untested.
    """
    if settings.epochs is not None:
        return settings
    return replace(settings, epochs=passes(comments, classes))


def passes(comments: int, classes: int) -> int:
    """The number of epochs by the rule above."""
    steps: int = round(math.sqrt(_PER_CLASS * classes / comments))
    return min(max(steps, 1), _MOST)

"""Our own models with linear layers rounded to 8 bits."""

from dataclasses import replace

from worthit.bench.speed.implementations import Ours, Task
from worthit.models.registry import require_able
from worthit.models.transformer.layers import int8_linear


class Int8(Ours):
    """The 8-bit form of our model, converted from the same trained weights. It only scores."""

    folder = "int8"

    def __init__(self, task: Task) -> None:
        name = int8_name(task.model)
        require_able(name, task.device)
        int8_linear.require(name)
        super().__init__(replace(task, model=name))


def int8_name(model: str) -> str:
    """The name of a model's 8-bit form."""
    return f"{model}-int8"

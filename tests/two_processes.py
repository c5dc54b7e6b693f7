"""Two processes that share trainings: the test is the first, and this module as a program the second.

Trainings are named, so that both processes, and a third one alone, make the same.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from worthit.models.transformer.place import Place

TEXTS = [
    f"{'you stupid idiot' if number % 3 == 0 else 'thanks for the nice article'} {'old river ' * (number % 5)}"
    for number in range(21)  # the last batch of 8 has 5 comments
]
LABELS = np.array([int(number % 3 == 0) for number in range(21)])
#: model → settings, weighted, and whether it pads as on accelerators. Of 17 comments, the last batch of 8
#: has one.
TRAININGS: dict[str, tuple[str, dict[str, Any], bool, bool, int]] = {
    "bert": ("bert", {"learning_rate": 1e-3}, False, False, 21),
    "weighted bert, one comment in the last batch": ("bert", {"learning_rate": 1e-3}, True, False, 17),
    "padded bert, two rows at once": (
        "bert", {"learning_rate": 1e-3, "micro_batch_size": 2}, False, True, 17,
    ),
    "llama with LoRA": ("llama", {"adapted_share": 1.0, "learning_rate": 1e-3}, False, False, 21),
    "padded llama": ("llama", {"adapted_share": 1.0, "learning_rate": 1e-3}, False, True, 17),
    "llama in bf16": ("llama", {"precision": "bf16", "learning_rate": 1e-3}, False, False, 21),
}  # fmt: skip


def train(
    name: str, checkpoints: dict[str, str], place: Place | None
) -> tuple[list[float], dict[str, Any]]:
    """The losses of a training (this process's parts), and the trained parameters."""
    import torch

    from worthit.models import registry

    kind, settings, weighted, pads, comments = TRAININGS[name]
    torch.set_num_threads(1)
    model: Any = registry.model_class(kind)()
    dropout = {"dropout": 0.0}  # else each process draws its own
    common = {"checkpoint": checkpoints[kind], "batch_size": 8, "epochs": 2, "precision": "fp32"}
    model.set_params(**common | dropout | settings)
    losses: list[float] = []
    model.on_loss = lambda loss: losses.append(float(loss))
    model.weighs_classes, model.pads, model.place = weighted, pads or None, place
    model.fit(TEXTS[:comments], LABELS[:comments])
    return losses, {
        key: value.detach().float().numpy() for key, value in model._model.named_parameters()
    }


def train_all(checkpoints: dict[str, str], folder: Path, rank: int) -> None:
    """All trainings in turn; the results are files in the folder."""
    for number, name in enumerate(TRAININGS):
        losses, parameters = train(name, checkpoints, Place(rank, 2, folder / f"meeting{number}"))
        np.savez(folder / f"{number}-{rank}.npz", losses=losses, **parameters)


@contextmanager
def second_process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """This module as a program, ended at the end of the block."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "tests.two_processes", *arguments]
    process = subprocess.Popen(command, cwd=root, env=os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    train_all(json.loads(sys.argv[1]), Path(sys.argv[2]), 1)

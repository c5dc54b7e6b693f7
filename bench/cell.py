"""A cell: model × device × seed on prepared data. A plain value that any machine can be handed."""

from dataclasses import dataclass, field
from typing import Any


def cell_name(model: str, device: str, seed: int) -> str:
    """How tests, logs and reports call a cell: `bert-cpu`, and `bert-cpu-seed1` beyond seed 0."""
    return f"{model}-{device}" + (f"-seed{seed}" if seed else "")


def file_name(name: str) -> str:
    """A model's or cell's name as files are called: not all file systems take a colon."""
    return name.replace(":", "-")


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure."""

    latency_samples: int = 300
    latency_limit_s: float = 60.0  # then the samples there are must do
    throughput_s: float = 1.0  # for each batch size
    largest_batch: int = 512
    memory_comments: int = 128
    energy_window_s: float = 5.0
    idle_window_s: float = 5.0  # before, and again after


@dataclass(frozen=True)
class Cell:
    """What to train and measure. Data and artifacts are named by their keys in the cache."""

    model: str
    device: str
    seed: int
    split: str
    settings: dict[str, Any] = field(default_factory=dict)  # where they differ from the model's own
    effort: Effort = field(default_factory=Effort)
    retrain: bool = False
    also: tuple[tuple[str, str], ...] = ()  # test sets of other origin: name, key
    location: str = ""  # of a model that is not registered: module:Class, or hf:CHECKPOINT

    @property
    def name(self) -> str:
        return cell_name(self.model, self.device, self.seed)

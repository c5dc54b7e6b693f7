"""A cell: model × device × seed on prepared data. A plain value that another process can receive."""

from dataclasses import dataclass, field
from typing import Any

#: model, device, seed
CellKey = tuple[str, str, int]


def cell_name(model: str, device: str, seed: int) -> str:
    """A cell's name in tests, logs and reports: `bert-cpu`, or `bert-cpu-seed1` beyond seed 0."""
    return f"{model}-{device}" + (f"-seed{seed}" if seed else "")


def file_name(name: str) -> str:
    """A model's or cell's name as a file name: not all file systems allow a colon."""
    return name.replace(":", "-")


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure."""

    latency_samples: int = 300
    latency_limit_s: float = 60.0  # then the samples so far suffice
    throughput_s: float = 1.0  # for each batch size
    largest_batch: int = 512
    memory_comments: int = 128
    energy_window_s: float = 5.0
    idle_window_s: float = 5.0  # of each of two, before and after
    attempts: int = 2  # measurements at most, while other work disturbs them


@dataclass(frozen=True)
class Cell:
    """What to train and measure. Data has a key in the cache."""

    model: str
    device: str
    seed: int
    split: str
    settings: dict[str, Any] = field(default_factory=dict)  # that differ from the model's defaults
    effort: Effort = field(default_factory=Effort)
    retrain: bool = False
    also: tuple[tuple[str, str], ...] = ()  # out-of-domain test sets: name, key
    location: str = ""  # of an unregistered model: module:Class or hf:CHECKPOINT
    cpu_watts: float | None = None  # of all processors at full load, if the user gives them
    may_send_comments: bool = False  # to a server elsewhere
    tune_s: float | None = None  # budget of a search for better settings
    processes: int = 1  # that share a training, if the model can
    rank: int = 0  # of this process among them

    @property
    def name(self) -> str:
        return cell_name(self.model, self.device, self.seed)

"""The record of a speed run: immutable values, checked when they are created, in one JSON file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import msgspec

from worthit.bench.saved import run_file
from worthit.datasets.errors import RunError

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Machine(TypedDict):
    """What reports read of `machine.describe`. The file has all of it."""

    cpu: str
    cores_allowed: int
    accelerators: list[str]
    libraries: dict[str, str]


@dataclass(frozen=True)
class Workload:
    """What a comparison computes; the same for all its entries."""

    checkpoint: str
    precision: Literal["fp32", "bf16"]
    max_length: int | None  # tokens of a comment
    tokens_per_comment: Positive  # mean over the timed comments; prompt included, no padding
    flops_per_comment: Positive  # useful operations, see `workload.useful_flops`


@dataclass(frozen=True)
class EntryResult:
    """What one entry achieved, or the reason why it has no result."""

    label: str
    comments: tuple[Count, ...] = ()  # per slice
    seconds: tuple[Positive, ...] = ()  # per slice
    accuracy: Share | None = None
    scored_comments: int = 0  # that the accuracy is computed on
    peak_mb: Positive | None = None  # of the process on a CPU, of the tensors on an accelerator
    reason: str = ""
    disturbances: tuple[str, ...] = ()  # per slice: what disturbed it, or an empty text

    def __post_init__(self) -> None:
        if len(self.comments) != len(self.seconds) or bool(self.comments) == bool(self.reason):
            raise ValueError("an entry has comments and seconds for each slice, or a reason")

    @property
    def comments_per_s(self) -> float:
        return sum(self.comments) / sum(self.seconds)

    @property
    def slice_rates(self) -> list[float]:
        """Comments per second in each slice."""
        return [count / s for count, s in zip(self.comments, self.seconds, strict=True)]


@dataclass(frozen=True)
class ComparisonResult:
    """One comparison. The last entry is worthit's."""

    name: str
    device: str
    workload: Workload
    gemm_flops_per_s: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]  # between turns
    entries: tuple[EntryResult, ...]

    def __post_init__(self) -> None:
        if not self.entries or self.entries[-1].reason:
            raise ValueError("the last entry of a comparison is worthit's and has a result")
        if len({len(entry.seconds) for entry in self.entries if not entry.reason}) > 1:
            raise ValueError("all entries of a comparison have the same number of slices")

    @property
    def best_gemm_flops_per_s(self) -> float:
        return max(self.gemm_flops_per_s)

    def utilisation(self, entry: EntryResult) -> float:
        """Useful operations per second, as a share of the rate of plain matrix products."""
        useful_flops_per_s = entry.comments_per_s * self.workload.flops_per_comment
        return useful_flops_per_s / self.best_gemm_flops_per_s

    def speedups(self, entry: EntryResult, baseline: EntryResult) -> list[float]:
        """How many times as fast as the baseline an entry was, slice by slice."""
        rates = zip(entry.slice_rates, baseline.slice_rates, strict=True)
        return [rate / baseline_rate for rate, baseline_rate in rates]


@dataclass(frozen=True)
class SpeedRun:
    """Everything that one call of `python -m worthit.bench.speed` measured."""

    measured_at: str  # ISO 8601, UTC
    dataset: str
    machine: Machine
    comparisons: Annotated[tuple[ComparisonResult, ...], msgspec.Meta(min_length=1)]
    schema_version: Literal[1] = 1


def path(root: Path, name: str) -> Path:
    """The file of a speed run, in a folder of its own beside the runs of the benchmark."""
    return root / "reports" / "runs" / "speed" / f"{name}.json"


def save(run: SpeedRun, file: Path) -> None:
    """Write a speed run. A reader sees the old file or the new one, never a part."""
    run_file.save(run, file)


def load(file: Path) -> SpeedRun:
    """Read a speed run and check every field.

    Raises:
        RunError: the file is missing, is not JSON, has another schema version or is not valid.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=SpeedRun)
    except OSError as error:
        raise RunError(
            f"there is no readable speed run {file}; measure one: python -m worthit.bench.speed"
        ) from error
    except msgspec.DecodeError as error:
        raise RunError(f"{file} is not a valid speed run: {error}") from error

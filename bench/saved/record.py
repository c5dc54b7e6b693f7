"""What a run is, saved: immutable values, checked at birth, one JSON file.

Every number is a `Figure` that says how it was obtained. A new metric is one field here and one
row of the table of figures that reports read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from worthit.bench.cell import cell_name
from worthit.datasets.audit.audit import Side

#: raised whenever saved runs of an older version would be misread
SCHEMA_VERSION = 3

#: within which 99 % of requests are to be answered, unless the run says otherwise
DEFAULT_P99_LIMIT_MS = 100.0
#: why a model that is used as it comes has no training time
NOT_TUNED = "not tuned"

#: share of toxic comments to find at natural prevalence, unless the run says otherwise
DEFAULT_RECALL = 0.8

Origin = Literal["measured", "estimated", "cached", "unavailable"]


@dataclass(frozen=True)
class Figure:
    """A quantity with its provenance. Missing is None with a reason, never 0."""

    value: float | None
    unit: str
    origin: Origin
    instrument: str
    samples: int = 1
    reason: str = ""  # why there is no value, or how an estimate could be a measurement
    was: Origin | None = None  # of a cached figure: its origin when it was new

    def __post_init__(self) -> None:
        if (self.value is None) != (self.origin == "unavailable"):
            raise ValueError(
                f"a figure has a value unless it is unavailable, got {self.value} as {self.origin}"
            )
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a figure is finite, got {self.value} {self.unit}")
        if self.value is None and not self.reason:
            raise ValueError("an unavailable figure says why")


def measured(value: float, unit: str, instrument: str, samples: int = 1) -> Figure:
    return Figure(value, unit, "measured", instrument, samples)


def unavailable(unit: str, reason: str) -> Figure:
    return Figure(None, unit, "unavailable", "", 0, reason)


def significant(value: float) -> str:
    """Three significant digits, and no exponent: 12,345 · 123 · 1.23 · 0.0123."""
    if abs(value) >= 1e3:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


@dataclass(frozen=True)
class Converted:
    """A variant's own artifact."""

    artifact: str
    disk_mb: Figure


@dataclass(frozen=True)
class Training:
    """One fit: from the model's settings to an artifact in the cache."""

    train_s: Figure
    memory: "Memory"
    trained_at: str  # ISO 8601, UTC
    settings: dict[str, Any]  # in effect, those that went by the checkpoint's size decided
    artifact: str  # its folder's name in the cache
    disk_mb: Figure
    parameters: int | None
    trained_parameters: int | None
    comments: int
    truncated_share: float
    cached: bool = False  # found trained, by an earlier run
    cpu_j: Figure | None = None  # gross; None if it was trained before energy was metered
    ram_j: Figure | None = None
    gpu_j: Figure | None = None


@dataclass(frozen=True)
class Memory:
    """Peak memory of one process over one pass, in MB of 10^6 bytes."""

    peak_mb: Figure
    baseline_mb: Figure  # interpreter and libraries, before the model
    accelerator_peak_mb: Figure  # of tensors
    anonymous_mb: Figure | None = None  # resident when the pass is over, of its own making
    file_backed_mb: Figure | None = None  # and mapped from files, as far as touched
    accelerator_reserved_mb: Figure | None = None  # peak of what torch holds, tensors or not
    accelerator_used_mb: Figure | None = None  # of the whole device, by whomever
    processes: int | None = None  # that the peak is of: this one and the living ones it started


@dataclass(frozen=True)
class Latency:
    """Single comments, from text to probability in host memory."""

    samples_ms: tuple[float, ...]
    characters: tuple[int, ...]  # of the comment behind each sample
    p50_ms: Figure
    p90_ms: Figure
    p99_ms: Figure
    load_s: Figure
    first_call_ms: Figure
    p50_low_ms: float | None = None  # 95 % interval of the median, over comments
    p50_high_ms: float | None = None
    ended_by: str = ""  # "precision" (once "… of passes"), "no gain", "time limit", "sample limit"
    cold_start_s: Figure | None = None  # from the start of the process to the first answer
    comments: int | None = None  # in turn: sample i is of comment i % comments; None: one of each


@dataclass(frozen=True)
class BatchRate:
    """How fast comments are scored when so many are computed together."""

    batch_size: int
    comments_per_s: Figure


@dataclass(frozen=True)
class Throughput:
    batches: tuple[BatchRate, ...]
    ended_by: str  # "no gain", "largest size", or "memory" when a larger batch did not fit

    @property
    def best(self) -> BatchRate:
        return max(self.batches, key=lambda rate: rate.comments_per_s.value or 0.0)


@dataclass(frozen=True)
class Energy:
    """Energy of scoring, gross and net of idle power, by component, each with its provenance.

    Net and idle figures are None in runs from before there were any.
    """

    cpu_j_per_comment: Figure
    ram_j_per_comment: Figure
    gpu_j_per_comment: Figure
    window_s: float
    comments: int
    cpu_net_j_per_comment: Figure | None = None
    ram_net_j_per_comment: Figure | None = None
    gpu_net_j_per_comment: Figure | None = None
    idle_before_w: Figure | None = None  # of all that is measured; of the CPU, if nothing is
    idle_after_w: Figure | None = None
    idle_disagreement: str = ""  # in words, when the two idle windows differ too much


def probabilities_per_comment(classes: Sequence[str]) -> int:
    """How many numbers of each comment `Quality` and `CurvePoint` keep.

    Of two classes one, the probability of the second (toxic); of k > 2 all k, in the order of the
    classes, so that the tuple is a matrix of shape (comments, k), row after row.
    """
    return 1 if len(classes) == 2 else len(classes)


@dataclass(frozen=True)
class OtherScores:
    """Probabilities of the comments of one test set of other origin, in its order in the data record.

    Of toxic where there are two classes; else of each class, comment by comment.
    """

    name: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Quality:
    """Probabilities, comment by comment, in the order of the run's data record.

    Rounded to 6 digits; see `probabilities_per_comment` for how many there are.
    """

    train: tuple[float, ...]
    test: tuple[float, ...]
    natural: tuple[float, ...]
    scoring_s: float
    truncated_share: float
    validation: tuple[float, ...] = ()  # none in runs from before there was such a part
    also: tuple[OtherScores, ...] = ()  # on test sets of other origin, in the data record's order


@dataclass(frozen=True)
class CurvePoint:
    """One training on a smaller part of the training set, the same for all models."""

    comments: int
    train_s: Figure
    test: tuple[float, ...]  # probabilities as in `Quality`, in the order of the run's test part


@dataclass(frozen=True)
class Setup:
    """What the cell ran with, as found where it ran."""

    settings: dict[str, Any]
    checkpoint: str | None  # for people: where pretrained weights come from
    checkpoint_identity: str | None
    device_name: str
    dtype: str | None
    threads: int
    python: str
    versions: dict[str, str]
    thread_pools: dict[str, int] | None = None  # threads of torch and each library's own pool
    kind: str | None = None  # classical, encoder or llm; None in runs from before it was kept
    code: str | None = None  # module:Class of the user's own model


@dataclass(frozen=True)
class CellRecord:
    """All that is known of one cell. A part that is None was not asked for, or failed."""

    model: str
    device: str
    seed: int
    setup: Setup | None = None
    training: Training | None = None
    latency: Latency | None = None
    throughput: Throughput | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    quality: Quality | None = None
    learning_curve: tuple[CurvePoint, ...] = ()  # smallest first, without the whole training set
    failures: tuple[str, ...] = ()  # "training: out of memory"
    skipped: str = ""  # why the whole cell was
    wall_s: float = 0.0  # the cell's share of the run, processes starting included
    measured_s: float = 0.0  # of it training and measuring, as counted where that ran

    @property
    def name(self) -> str:
        return cell_name(self.model, self.device, self.seed)


@dataclass(frozen=True)
class StepRecord:
    name: str
    comments: int
    toxic: int  # of the positive class, where there are two
    counts: tuple[int, ...] = ()  # of each class; none in runs from before there were any but two


@dataclass(frozen=True)
class Part:
    """The comments of one part of the split, without their text."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    toxic_share: tuple[float | None, ...]
    raters: tuple[int | None, ...]
    characters: tuple[int, ...] = ()  # none in runs from before they were kept


@dataclass(frozen=True)
class OtherSet:
    """Comments of other origin that models are tested on, chosen as the test set at home."""

    name: str  # as the user named it, without a path
    title: str
    citation: str
    fingerprint: str
    split: str
    classes: tuple[str, ...]  # its own
    taken_for: tuple[str | None, ...]  # the class at home of each; None: left out
    same_label: bool  # its classes are called as those at home
    warning: str  # what its labels may mean instead, or what is left out; empty if there is nothing
    steps: tuple[StepRecord, ...]
    notes: tuple[str, ...]
    part: Part  # labels are those at home


@dataclass(frozen=True)
class Trust:
    """What is known against the data."""

    train: Side  # with its validation comments
    test: Side
    twins: Figure  # comments of both test sets that nearly repeat one of the training side
    twin_ids: tuple[str, ...]
    twins_other_label: int  # of them those whose label is another
    wrong_train_labels: Figure
    wrong_test_labels: Figure
    judge_accuracy: float | None  # of the model behind that estimate, cross-validated
    suspect_ids: tuple[str, ...]  # test comments whose labels look wrong, the likeliest first
    length_auc: float | None  # of length alone, on the training side; None if classes are not two


@dataclass(frozen=True)
class Data:
    dataset: str
    title: str
    citation: str
    fingerprint: str
    split: str
    seed: int
    prevalence: float
    steps: tuple[StepRecord, ...]
    train: Part  # the head of the training side on which training accuracy is measured
    test: Part
    natural: Part
    validation: Part = Part((), (), (), ())  # of the training side, never trained on
    classes: tuple[str, ...] = ("not toxic", "toxic")  # by index; of two 1 is the positive one
    notes: tuple[str, ...] = ()  # what was guessed, repaired or decided of a user's own table
    balanced: bool = True  # all parts but the natural one; else they have the classes' own shares
    language: str = "en"  # "any": no comment was left out for its language
    also: tuple[OtherSet, ...] = ()  # tested on too
    trust: Trust | None = None  # None in runs from before it was looked into

    def step(self, name: str) -> StepRecord:
        """The count after the step whose name begins so."""
        return next(step for step in self.steps if step.name.startswith(name))

    @property
    def test_set(self) -> str:
        """What to call the test part."""
        return "balanced test set" if self.balanced else "test set"

    @property
    def usable(self) -> int:
        """Comments of both sides together, had none been left out for the run's size."""
        used = "balanced" if self.balanced else "without duplicates"
        return self.step(used).comments


@dataclass(frozen=True)
class Run:
    run_id: str
    started_at: str
    finished_at: str
    wall_s: float
    preset: str
    options: dict[str, str]
    machine: dict[str, Any]
    data: Data
    cells: tuple[CellRecord, ...]
    complete: bool  # False after Ctrl-C, or while the run goes on
    noise: Figure | None = None  # of the machine, just before the first cell
    schema_version: int = SCHEMA_VERSION

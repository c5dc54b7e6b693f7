"""A run as it is saved: immutable values in one JSON file.

Every measurement is a `Figure` that says how it was obtained. A new metric is one field here and one row
in the table of figures that reports read. Ranges of single values are in their types, relations between
values in `consistency`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from worthit.bench.cell import cell_name
from worthit.bench.saved.data import Data
from worthit.datasets.splits.manifest import Count, Share

#: a file with another version is refused
SCHEMA_VERSION = 8

#: default limit within which 99 % of requests must be answered
DEFAULT_P99_LIMIT_MS = 100.0
#: why a model without training has no training time
NOT_TUNED = "not tuned"

#: why a model has no time of choosing settings
NOTHING_CHOSEN = "chooses no settings"

#: why a model on a server has no compute, memory, energy and size here
ON_SERVER = "it runs on a server"
#: default share of toxic comments to find in the natural test set
DEFAULT_RECALL = 0.8

_Positive = Annotated[int, msgspec.Meta(ge=1)]

Origin = Literal["measured", "estimated", "cached", "unavailable"]


@dataclass(frozen=True)
class Figure:
    """A quantity with its provenance. A missing value is None with a reason, never 0."""

    value: float | None
    unit: str
    origin: Origin
    instrument: str
    samples: int = 1
    reason: str = ""  # why there is no value, or how to measure what is estimated
    was: Origin | None = None  # origin of a cached figure when it was new
    disturbed: str = ""  # by what, if other work on the machine disturbed the measurement

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
    """Three significant digits without an exponent: 12,345 · 123 · 1.23 · 0.0123."""
    if abs(value) >= 1e3:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


@dataclass(frozen=True)
class Disturbance:
    """What else the machine did during one measurement; see `worthit.bench.instruments.disturbance`.

    A signal that this machine does not have is an unavailable figure.
    """

    window_s: float
    cores: int | None  # that the process may use; None: the window is too short to tell
    others: Figure  # CPU time of other processes, in % of the cores that the process may use
    steal: Figure  # CPU time that the hypervisor took, in % of the same cores
    waiting: Figure  # longest time of a thread without a core because of others, in % of the window
    pressure: Figure  # time in which any task of the machine had no core, in % of the window
    switches: Figure  # involuntary context switches of the process per second
    throttled: Figure  # periods in which a CPU quota stopped the process, in %
    thermal: Figure  # time in which a core was slowed down by its temperature, in % of the window
    gpu_processes: Figure  # other processes that computed on the cell's GPU
    reasons: tuple[str, ...]  # why the measurement counts as disturbed; empty: it does not
    attempts: _Positive = 1  # measurements of which this is the least disturbed one


@dataclass(frozen=True)
class Converted:
    """The artifact of a variant, converted from that of another model."""

    artifact: str
    disk_mb: Figure


@dataclass(frozen=True)
class Training:
    """One fit: from a model's settings to an artifact in the cache."""

    train_s: Figure
    memory: "Memory"
    trained_at: str  # ISO 8601, UTC
    settings: dict[str, Any]  # in effect, after those that depend on the checkpoint's size
    artifact: str  # name of its folder in the cache
    disk_mb: Figure
    parameters: Count | None
    trained_parameters: Count | None
    comments: Count
    truncated_share: Share
    cpu_s: Figure  # CPU time of all threads and child processes
    cpu_j: Figure  # gross, as the next two
    ram_j: Figure
    gpu_j: Figure  # of the cards that the cell uses
    choosing_s: Figure  # time to choose settings on validation comments, without training
    tried: Count  # alternatives that it chose from; 0: the settings are as given
    weighted: bool  # each class counted the same, so scores hold for equally common classes
    processes: _Positive  # that shared it; the costs are those of all of them
    disturbance: Disturbance
    cached: bool = False  # trained by an earlier run


@dataclass(frozen=True)
class Tuning:
    """A search for settings on validation comments, before the training that is measured."""

    budget_s: float
    search_s: Figure  # that it took
    measure: str  # what settings were compared by
    trials: Count  # finished trainings
    tried: Count  # different settings among them, the given ones included
    comments: Count  # that the trainings which decided had; 0: none did
    chosen: dict[str, Any]  # settings that differ from the given ones; empty: those stay
    given: dict[str, Any]  # the same settings, as they were given
    given_score: float | None  # on the validation comments; None if nothing was compared
    chosen_score: float | None
    reason: str  # why the given settings stay; empty if they do not
    disturbance: Disturbance


@dataclass(frozen=True)
class Memory:
    """Peak memory of one process over one pass, in MB of 10^6 bytes."""

    peak_mb: Figure
    baseline_mb: Figure  # interpreter and libraries, before the model
    accelerator_peak_mb: Figure  # tensors
    anonymous_mb: Figure  # resident after the pass, not backed by files
    file_backed_mb: Figure  # resident after the pass, mapped from files
    accelerator_reserved_mb: Figure  # peak that torch reserves, tensors or not
    accelerator_used_mb: Figure  # whole device, all processes
    processes: _Positive  # in the peak: this one and its living descendants


#: figures of `Latency` that were measured before its disturbance was watched
BEFORE_FIRST_ANSWER = ("load_s", "first_call_ms", "cold_start_s")


@dataclass(frozen=True)
class Requests:
    """What a chat-completions server did with the comments of one measurement."""

    comments: _Positive  # each asked about once
    cached: Count  # answered by an earlier request, not sent again
    retries: Count  # requests that were sent again
    rate_limited: Count  # of these, after the server limited the rate
    no_answer: dict[str, Count]  # why → comments
    by_log_probabilities: (
        Count  # comments; the text of other answers gives probabilities of 0 and 1
    )
    prompt_tokens: Figure  # per comment, as the server counts
    completion_tokens: Figure


@dataclass(frozen=True)
class BatchTime:
    """How long a call takes that answers several requests, of comments of any length."""

    requests: _Positive
    call_ms: Figure


_NOT_PREPARED = unavailable("ms", "the device prepares nothing for a shape")


@dataclass(frozen=True)
class Latency:
    """Single comments, from text to score in host memory."""

    samples_ms: Annotated[
        tuple[Annotated[float, msgspec.Meta(gt=0)], ...], msgspec.Meta(min_length=1)
    ]
    characters: tuple[Count, ...]  # of the comment of each sample
    p50_ms: Figure
    p90_ms: Figure
    p99_ms: Figure
    load_s: Figure
    first_call_ms: Figure
    p50_low_ms: float | None  # 95 % interval of the median; None: too few comments
    p50_high_ms: float | None
    ended_by: str  # "precision", "no gain", "time limit", "sample limit" or "one pass"
    cold_start_s: Figure  # from the start of the process to the first answer
    comments: _Positive  # timed in turn: sample i is of comment i % comments
    # slowest first call of a shape, apart from the process's first call
    first_shape_ms: Figure = _NOT_PREPARED
    batches: tuple[BatchTime, ...] = ()  # of growing size, until one takes too long
    disturbance: Disturbance | None = None  # after the first answer; None: on a server
    requests: Requests | None = None  # of an endpoint, as everywhere


@dataclass(frozen=True)
class BatchRate:
    """Scoring speed at one batch size."""

    batch_size: _Positive  # of an endpoint: requests at once
    comments_per_s: Figure
    core_ms: Figure  # CPU time per comment, of all threads and child processes


@dataclass(frozen=True)
class MachineRate:
    """Scoring speed of the whole machine: of one process per core, if a process leaves cores idle."""

    processes: _Positive
    comments_per_s: Figure  # of all processes
    core_ms: Figure  # CPU time per comment


@dataclass(frozen=True)
class Throughput:
    batches: Annotated[tuple[BatchRate, ...], msgspec.Meta(min_length=1)]  # of one process
    ended_by: (
        str  # "no gain", "largest size", "memory" if a batch did not fit, "rate limit", "no answer"
    )
    machine: MachineRate  # of an endpoint: as this machine sees the server
    disturbance: Disturbance | None = None
    requests: Requests | None = None

    @property
    def best(self) -> BatchRate:
        return max(self.batches, key=lambda rate: rate.comments_per_s.value or 0.0)


@dataclass(frozen=True)
class Energy:
    """Energy of scoring by component, gross and net of idle power, and CPU time of the same window."""

    cpu_s_per_comment: Figure  # CPU time of all threads and child processes
    cpu_j_per_comment: Figure
    ram_j_per_comment: Figure
    gpu_j_per_comment: Figure  # of the card that the cell uses
    window_s: float
    comments: Count
    cpu_net_j_per_comment: Figure
    ram_net_j_per_comment: Figure
    gpu_net_j_per_comment: Figure
    idle_before_w: Figure  # all measured components
    idle_after_w: Figure
    idle_gpu_w: Figure  # all cards while the cell computes on the CPU; not part of its energy
    idle_disagreement: str = ""  # in words, if the two idle windows differ too much
    disturbance: Disturbance | None = None


def probabilities_per_comment(classes: Sequence[str], multilabel: bool) -> int:
    """How many numbers per comment `Quality` and `CurvePoint` hold.

    With two classes it is one, the probability of the second (toxic). With k > 2 classes it is k, in the
    order of the classes: the tuple is a matrix of shape (comments, k), row by row. Of multi-label data it is
    one for each label, even of two; these are independent, so rows do not add to 1.
    """
    return 1 if len(classes) == 2 and not multilabel else len(classes)


@dataclass(frozen=True)
class OutOfDomainScores:
    """Probabilities for the comments of one out-of-domain test set, as in `Quality`."""

    name: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Vocabulary:
    """How well the vocabulary of pretrained weights fits the test comments."""

    tokens_per_character: Annotated[float, msgspec.Meta(ge=0)]
    in_english: Annotated[float, msgspec.Meta(ge=0)]  # the same vocabulary, of an English text
    unknown_share: Share  # of the tokens


@dataclass(frozen=True)
class Quality:
    """Probabilities for the comments of each part of the data, in the same order.

    They are a model's own: right at best for the training comments' shares of the classes.
    Rounded to 6 digits; `probabilities_per_comment` says how many numbers belong to a comment.
    """

    train: tuple[float, ...]
    test: tuple[float, ...]
    natural: tuple[float, ...]
    scoring_s: float
    truncated_share: Share
    validation: tuple[float, ...] = ()
    out_of_domain: tuple[OutOfDomainScores, ...] = ()
    requests: Requests | None = None
    vocabulary: Vocabulary | None = None  # None: the model has none of pretrained weights
    test_no_answer: Count = 0  # test comments without an answer: all classes are equally probable


@dataclass(frozen=True)
class CurvePoint:
    """One training on a smaller part of the training set, the same for all models."""

    comments: _Positive
    train_s: Figure
    test: tuple[float, ...]  # as in `Quality`
    disturbance: Disturbance | None = None


@dataclass(frozen=True)
class Setup:
    """Settings, hardware and software of a cell, as found where it ran."""

    settings: dict[str, Any]
    checkpoint: str | None  # for people: where pretrained weights come from
    checkpoint_identity: str | None
    device_name: str
    dtype: str | None
    threads: int
    python: str
    versions: dict[str, str]
    thread_pools: dict[str, int]  # threads of torch and of each library's own pool
    kind: str | None  # classical, encoder, llm or endpoint, or what the user's class says
    seeded: bool  # False: another seed would give the same model
    code: str | None = None  # module:Class of the user's model
    languages: tuple[str, ...] = ()  # of the pretrained weights, ISO 639; empty: none, or not known


@dataclass(frozen=True)
class CellRecord:
    """The results of one cell. A part that is None was not requested, or failed."""

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
    skipped: str = ""  # why the whole cell was skipped
    wall_s: float = 0.0  # the cell's share of the run, including process starts
    measured_s: float = 0.0  # training and measuring within it, timed in the worker
    tuning: Tuning | None = None  # None: not requested, or the first seed's settings are used

    @property
    def name(self) -> str:
        return cell_name(self.model, self.device, self.seed)

    @property
    def is_endpoint(self) -> bool:
        return self.setup is not None and self.setup.kind == "endpoint"


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
    noise: Figure  # of the machine, just before the first cell
    schema_version: int = SCHEMA_VERSION

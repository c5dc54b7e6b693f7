"""Compare our transformers with other implementations of the same task, on this machine.

One follows the method of the reference experiment, in our code (the LLM reads one comment per step and computes
logits for every position; BERT reads batches of 32, padded to the limit). The others follow the documentation of
transformers, peft, ONNX Runtime, OpenVINO and llama.cpp with their best settings: batches sorted by
length and padded to the longest comment, the LLM's question read once, all cores. All use the same
comments, checkpoint, dtype and length limit. Each entry runs in a process of its own and warms up on one slice of the
comments. Then the entries take turns, slice by slice, so that interference from other programs
affects all of them. Between the turns, plain matrix products show what the machine can do.
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from worthit.bench.cells import engine
from worthit.bench.speed.entry import Outcome
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.record import ComparisonResult, EntryResult, Workload
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, DataError, OptionError, WorthitError
from worthit.datasets.splits.protocol import Protocol
from worthit.models.contract import Progress, silent

T = TypeVar("T")

OURS = "worthit"


@dataclass(frozen=True)
class Plan:
    """One comparison. The sizes of all four together take 14 minutes on two cores."""

    model: str
    trains: bool
    entries: dict[str, str]  # implementation → label, in the order of the table; ours is the last
    comments: int  # in all timed slices; enough that a slice has a few batches of 64
    largest_batch: int = 1  # comments per training step, the largest of all entries
    weights_comments: int = 0  # to train the weights that all entries score with
    #: slow entries, and the part of each slice that they work on
    parts: dict[str, float] = field(default_factory=dict)


COMPARISONS = {
    "llm-train": Plan(
        "llama",
        trains=True,
        entries={"llm-reference": "reference", "llm-huggingface": "Trainer", OURS: OURS},
        comments=96,
        largest_batch=8,  # ours and Trainer's
    ),
    "llm-score": Plan(
        "llama",
        trains=False,
        entries={
            "llm-reference": "reference",
            "llm-huggingface": "generate",
            "llamacpp": "llama.cpp",
            "llamacpp-q8": "llama.cpp Q8_0",
            "llm-int8": "llama-int8",
            OURS: OURS,
        },
        comments=1_024,
        weights_comments=200,
        parts={"llm-reference": 0.25, "llamacpp": 0.375, "llamacpp-q8": 0.375},
    ),
    "bert-train": Plan(
        "bert",
        trains=True,
        entries={"bert-reference": "reference", "bert-huggingface": "Trainer", OURS: OURS},
        comments=512,
        largest_batch=32,  # the reference's
    ),
    "bert-score": Plan(
        "bert",
        trains=False,
        entries={
            "bert-reference": "reference",
            "bert-huggingface": "pipeline",
            "onnx-fp32": "ONNX fp32",
            "onnx-int8": "ONNX int8",
            "openvino": "OpenVINO",
            "openvino-int8": "OpenVINO int8",
            "bert-int8": "bert-int8",
            OURS: OURS,
        },
        comments=1_024,
        weights_comments=1_000,
    ),
}

_LIMIT = engine.Limit(  # of one slice; a slice that takes longer is stuck, not slow
    3 * 3600.0, "give smaller --comments-train and --comments-score, or more --slices"
)
_ACCURACY_COMMENTS = 1_000  # at least, for each entry that scores them in the time below
_ACCURACY_SECONDS = 35.0


@dataclass(frozen=True)
class SpeedOptions:
    """The options of the command line. None: the default of each plan."""

    dataset: str
    device: str
    precision: str
    slices: int
    comments_train: int | None
    comments_score: int | None
    checkpoints: dict[str, str]  # model → hub id or folder
    labels: tuple[str, ...] = ()  # of the entries to compare; empty: all

    def entries(self, plan: Plan) -> dict[str, str]:
        """Implementation → label of the entries to compare; ours is always one."""
        return {
            implementation: label
            for implementation, label in plan.entries.items()
            if implementation == OURS or not self.labels or label in self.labels
        }


def compare(name: str, options: SpeedOptions) -> ComparisonResult:
    """Run one comparison.

    Raises:
        WorthitError: our entry fails. Another entry that fails has a reason instead of a result.
    """
    plan, task = COMPARISONS[name], make_task(name, options)
    with ExitStack() as stack, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        meter = _start_worker(stack, "workload", task)
        workload = meter.start(Workload, _LIMIT)
        task = replace(
            task,
            precision=workload.precision,
            checkpoint=workload.checkpoint,
            weights_folder=scratch,
        )
        if not plan.trains:
            _train_weights(task)
        labels, entries = options.entries(plan), {}
        # Ours starts first, because the others use its settings.
        for implementation in sorted(labels, key=lambda each: each != OURS):
            part = plan.parts.get(implementation, 1.0)
            entry_task = replace(task, implementation=implementation, part=part)
            worker = _start_worker(stack, "entry", entry_task)
            entry = RunningEntry(labels[implementation], entry_task, worker)
            settings = entry.start()
            if implementation == OURS:
                task = replace(task, settings=settings)
            entries[implementation] = entry
        gemm = _take_turns(name, task.slices, meter, list(entries.values()))
        results = tuple(entries[implementation].finish() for implementation in labels)
    if results[-1].reason:
        raise CellError(f"{name}: {results[-1].reason}")
    workload = replace(workload, checkpoint=Path(workload.checkpoint).name)
    return ComparisonResult(name, task.device, workload, gemm, results)


def make_task(name: str, options: SpeedOptions) -> Task:
    """The task that all entries of a comparison share.

    Raises:
        OptionError: a slice is smaller than a training step.
        DataError: the dataset has too few comments.
    """
    plan = COMPARISONS[name]
    comments = (options.comments_train if plan.trains else options.comments_score) or plan.comments
    slice_comments = -(-comments // options.slices)
    if slice_comments < plan.largest_batch:
        raise OptionError(
            f"{name} trains on {plan.largest_batch} comments per step, but a slice has "
            f"{slice_comments}; give --comments-train {plan.largest_batch * options.slices} or more, "
            "or fewer --slices"
        )
    split = prepare.prepare(options.dataset, Protocol()).key
    train, test = (len(prepare.comments(split, part)) for part in ("train", "test"))
    task = Task(
        model=plan.model,
        trains=plan.trains,
        device=options.device,
        precision=options.precision,
        checkpoint=options.checkpoints.get(plan.model, ""),
        split=split,
        slices=options.slices,
        slice_comments=slice_comments,
        accuracy_comments=_ACCURACY_COMMENTS,
        accuracy_seconds=_ACCURACY_SECONDS,
        weights_comments=plan.weights_comments,
    )
    needed_train, needed_test = (
        (task.comments, 1) if plan.trains else (task.weights_comments, task.comments)
    )
    if train < needed_train or test < needed_test:
        raise DataError(
            f"{name} needs {needed_train:,} training and {needed_test:,} test comments (warm-up "
            f"included), but {options.dataset} has {train:,} and {test:,}; "
            "give smaller --comments-train and --comments-score, or another --dataset"
        )
    return task


def _start_worker(
    stack: ExitStack, module: str, task: Task, progress: Progress = silent
) -> engine.Worker:
    log = cache_folder("logs", f"speed-{task.model}-{task.implementation or module}.log")
    worker = engine.Worker(task, log, progress, module=f"worthit.bench.speed.{module}")
    stack.callback(worker.close)
    return worker


def _train_weights(task: Task) -> None:
    """Train the weights that all entries score with, in a process that then ends."""
    with (
        ExitStack() as stack,
        tqdm(
            desc="training", total=task.weights_comments, unit=" comments", ncols=78, leave=False
        ) as bar,
    ):

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)

        _start_worker(stack, "trained_weights", task, show).start(type(None), _LIMIT)


@dataclass
class RunningEntry:
    """An entry and its process. If one request fails, no further requests are made."""

    label: str
    task: Task
    worker: engine.Worker
    comments: list[int] = field(default_factory=list)  # per slice
    seconds: list[float] = field(default_factory=list)
    disturbances: list[str] = field(default_factory=list)  # per slice
    reason: str = ""

    def start(self) -> dict[str, Any]:
        """Load and warm up. Returns the settings of our model, or nothing for other entries."""
        return self._attempt(lambda: self.worker.start(dict[str, Any], _LIMIT)) or {}

    def run_slice(self, number: int) -> None:
        self._attempt(lambda: self.worker.ask("watch", type(None), _LIMIT))
        count = self._attempt(lambda: self.worker.ask("slice", int, _LIMIT, number=number))
        seconds = self.worker.seconds
        reasons = self._attempt(lambda: self.worker.ask("disturbed_by", tuple[str, ...], _LIMIT))
        if count is not None and reasons is not None:
            self.comments.append(count)
            self.seconds.append(seconds)
            self.disturbances.append("; ".join(reasons))

    def finish(self) -> EntryResult:
        outcome = self._attempt(lambda: self.worker.ask("finish", Outcome, _LIMIT))
        if outcome is None:
            return EntryResult(self.label, reason=self.reason)
        task, memory, scores = self.task, outcome.memory, np.array(outcome.scores)
        labels = prepare.comments(task.split, "test").labels[list(outcome.numbers)]
        peak = memory.peak_mb if task.device == "cpu" else memory.accelerator_peak_mb
        return EntryResult(
            self.label,
            tuple(self.comments),
            tuple(self.seconds),
            float(np.mean((scores >= 0.5) == labels)),
            len(scores),
            peak.value,
            disturbances=tuple(self.disturbances),
        )

    def _attempt(self, request: Callable[[], T]) -> T | None:
        if self.reason:
            return None
        try:
            return request()
        except WorthitError as error:
            self.reason = str(error)
            return None


def _take_turns(
    name: str, slices: int, meter: engine.Worker, entries: Sequence[RunningEntry]
) -> tuple[float, ...]:
    """Run all slices. Returns the rates of matrix products before, between and after the turns."""
    gemm = []
    for number in tqdm(range(1, slices + 1), desc=name, unit=" turn", ncols=78, leave=False):
        gemm.append(meter.ask("slice", float, _LIMIT, number=number))
        # Reverse the order each time, so that no entry always follows the same one.
        for entry in entries[:: 1 if number % 2 else -1]:
            entry.run_slice(number)
    return (*gemm, meter.ask("slice", float, _LIMIT, number=0))

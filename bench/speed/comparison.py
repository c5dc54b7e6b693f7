"""Measure our transformers against other ways to do the same, on this machine.

    python -m worthit.bench.speed.comparison [--contests llm-score,…] [--readme]

Compared are the reference experiment's way (one comment a step and logits for every position for
the LLM; batches of 32 padded to the limit for BERT), what the documentation of transformers, peft
and ONNX Runtime shows, and ours: on the same comments, checkpoint, dtype and length limit. Each
contestant has a process of its own, warms up on a slice of the comments, and then they take turns,
slice by slice, so that what else the machine does meets all of them. Between their turns plain
matrix products tell what the machine can do. Nothing is asserted: the tables say what was found.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from worthit.bench.cells import engine
from worthit.bench.speed import table
from worthit.bench.speed.entry import Outcome
from worthit.bench.speed.flops import Reading, useful_flops
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.table import Entry, Result
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import (
    CellError,
    DataError,
    OptionError,
    UnknownNameError,
    WorthitError,
)
from worthit.datasets.splits.protocol import Protocol
from worthit.models.contract import Progress, silent

OURS = "worthit"


@dataclass(frozen=True)
class Contest:
    """What is compared, in the order in which a table shows it; ours is among it.

    The sizes take ten minutes in all on two slow cores.
    """

    model: str
    trains: bool
    ways: dict[str, str]  # way → what a table calls it
    comments: int  # in all timed slices
    largest_step: int = 1  # comments that one of the ways trains on at once
    tuned_on: int = 0  # comments, for the weights to score with


CONTESTS = {
    "llm-train": Contest(
        "llama",
        trains=True,
        ways={"llm-reference": "reference", "llm-huggingface": "Trainer", OURS: OURS},
        comments=96,
        largest_step=8,  # ours and Trainer's
    ),
    "llm-score": Contest(
        "llama",
        trains=False,
        ways={
            "llm-reference": "reference",
            "llm-huggingface": "generate",
            "llm-int8": "llama-int8",
            OURS: OURS,
        },
        comments=128,
        tuned_on=200,
    ),
    "bert-train": Contest(
        "bert",
        trains=True,
        ways={"bert-reference": "reference", "bert-huggingface": "Trainer", OURS: OURS},
        comments=768,
        largest_step=32,  # the reference's
    ),
    "bert-score": Contest(
        "bert",
        trains=False,
        ways={
            "bert-reference": "reference",
            "bert-huggingface": "pipeline",
            "onnx-fp32": "ONNX fp32",
            "onnx-int8": "ONNX int8",
            "bert-int8": "bert-int8",
            OURS: OURS,
        },
        comments=1_024,
        tuned_on=1_000,
    ),
}

_MODULE = "worthit.bench.speed.entry"
_LIMIT = engine.Limit(  # of one slice; slower than that is not slow but stuck
    3 * 3600.0, "give smaller --comments-train and --comments-score, or more --slices"
)
_TESTED_SHARE = 0.5  # after a training, of as many comments as it was timed on


@dataclass(frozen=True)
class Options:
    dataset: str
    device: str
    precision: str
    slices: int
    comments_train: int | None
    comments_score: int | None
    checkpoints: dict[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        names = _contests(parsed.contests)
        options = _options(parsed)
        readme = parsed.root / "README.md"
        if parsed.readme:
            table.block(readme)  # now, not when all is measured
        results = []
        for name in names:
            result = held(name, options)
            # Decided once: another measurement might decide otherwise.
            options = replace(options, precision=result.precision)
            results.append(result)
            print(table.table(result), end="\n\n", flush=True)
        print(table.legend(results))
        if parsed.readme:
            table.fill(readme, results)
            print("\nREADME.md filled")
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worthit.bench.speed.comparison",
        description="Compare our transformers with other ways to train and to score.",
    )
    parser.add_argument(
        "--contests", default=",".join(CONTESTS), metavar="NAME,…", help="which (%(default)s)"
    )
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (%(default)s)")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16 (%(default)s)")
    parser.add_argument(
        "--slices", type=int, default=4, metavar="K", help="turns of each contestant (%(default)s)"
    )
    sizes = {
        what: ", ".join(f"{c.comments:,} {n}" for n, c in CONTESTS.items() if c.trains == trains)
        for what, trains in (("train", True), ("score", False))
    }
    for what, about in (("train", "trained on"), ("score", "scored")):
        parser.add_argument(
            f"--comments-{what}",
            type=int,
            metavar="N",
            help=f"{about} in the timed slices ({sizes[what]})",
        )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=ID_OR_PATH",
        help="other weights for bert or llama: a hub id or a folder; may be repeated",
    )
    parser.add_argument(
        "--readme", action="store_true", help="put a short table into the README's section Speed"
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="FOLDER", help="the project's folder (here)"
    )
    return parser


def _contests(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in CONTESTS:
            raise UnknownNameError("contest", name, CONTESTS)
    return names


def _options(parsed: argparse.Namespace) -> Options:
    for name in ("slices", "comments_train", "comments_score"):
        value = getattr(parsed, name)
        if value is not None and value < 1:
            raise OptionError(f"--{name.replace('_', '-')} is {value}; it takes a number from 1 up")
    checkpoints = {}
    for pair in parsed.checkpoint:
        model, _, given = pair.partition("=")
        if model not in ("bert", "llama") or not given:
            raise OptionError(f"--checkpoint {pair!r} is not bert=ID_OR_PATH or llama=ID_OR_PATH")
        checkpoints[model] = given
    return Options(
        parsed.dataset,
        parsed.device,
        parsed.precision,
        parsed.slices,
        parsed.comments_train,
        parsed.comments_score,
        checkpoints,
    )


def held(name: str, options: Options) -> Result:
    """Hold one contest.

    Raises:
        WorthitError: ours cannot compete; another that cannot is an entry that says why.
    """
    contest, task = CONTESTS[name], _task(name, options)
    with ExitStack() as stack, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # First, since it decides the dtype; then ours, whose settings the others follow.
        gauge = _started(stack, replace(task, way="gauge"))
        reading = gauge.start(Reading, _LIMIT)
        task = replace(
            task, precision=reading.precision, checkpoint=reading.checkpoint, fitted=scratch
        )
        if not contest.trains:
            _tune(task)
        entrants = {}
        for way in sorted(contest.ways, key=lambda way: way != OURS):
            entrants[way] = _Entrant(
                contest.ways[way], task, _started(stack, replace(task, way=way))
            )
            settings = entrants[way].start()
            if way == OURS:
                task = replace(task, settings=settings)
        gemm = _take_turns(name, task.slices, gauge, list(entrants.values()))
        entries = tuple(entrants[way].finish() for way in contest.ways)
    if entries[-1].reason:
        raise CellError(f"{name}: {entries[-1].reason}")
    flops = useful_flops(
        reading.matmul_parameters,
        reading.tokens_per_comment,
        trains=contest.trains,
        all_weights=contest.model == "bert",
    )
    return Result(
        contest=name,
        checkpoint=Path(task.checkpoint).name,
        precision=reading.precision,
        device=task.device,
        max_length=reading.max_length,
        entries=entries,
        tokens_per_comment=reading.tokens_per_comment,
        flops_per_comment=flops,
        gemm_flops_per_s=max(gemm),
    )


def _task(name: str, options: Options) -> Task:
    """What all contestants of a contest share.

    Raises:
        OptionError: a slice would be done before it is begun, with the steps of the one before.
        DataError: the data set has too few comments.
    """
    contest = CONTESTS[name]
    given = options.comments_train if contest.trains else options.comments_score
    each = -(-(given or contest.comments) // options.slices)
    if each < contest.largest_step:
        raise OptionError(
            f"{name} trains on {contest.largest_step} comments at once, and a slice holds {each}; "
            f"give --comments-train {contest.largest_step * options.slices} or more, or fewer --slices"
        )
    task = Task(
        model=contest.model,
        way="",
        trains=contest.trains,
        device=options.device,
        precision=options.precision,
        checkpoint=options.checkpoints.get(contest.model, ""),
        split=prepare.prepare(options.dataset, Protocol()).key,
        slices=options.slices,
        slice_comments=each,
        test_comments=max(1, round(each * options.slices * _TESTED_SHARE)),
        tuned_on=contest.tuned_on,
    )
    train, test = (len(prepare.comments(task.split, part)) for part in ("train", "test"))
    needs = (
        (task.comments, task.test_comments) if contest.trains else (task.tuned_on, task.comments)
    )
    if train < needs[0] or test < needs[1]:
        raise DataError(
            f"{name} needs {needs[0]:,} comments to train on and {needs[1]:,} to score, warm-up "
            f"included, but {options.dataset} has {train:,} and {test:,}; "
            "give smaller --comments-train and --comments-score, or another --dataset"
        )
    return task


def _started(stack: ExitStack, task: Task, progress: Progress = silent) -> engine.Worker:
    log = cache_folder("logs", f"yardstick-{task.model}-{task.way}.log")
    worker = engine.Worker(task, log, progress, module=_MODULE)
    stack.callback(worker.close)
    return worker


def _tune(task: Task) -> None:
    """Have the weights made that all score with."""
    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(total=task.tuned_on, desc="tuning", unit=" comments", ncols=78, leave=False)
        )

        def told(done: int, total: int) -> None:
            bar.update(done - bar.n)

        tuner = _started(stack, replace(task, way="tuner"), told)
        tuner.start(type(None), _LIMIT)


@dataclass
class _Entrant:
    """A contestant as the parent sees it; one that fails is out, and the others go on."""

    label: str
    task: Task
    worker: engine.Worker
    comments: list[int] = field(default_factory=list)  # of each slice
    seconds: list[float] = field(default_factory=list)
    reason: str = ""

    def start(self) -> dict[str, Any]:
        """Have it load and warm up; the settings it tells."""
        settings: dict[str, Any] = {}
        try:
            settings = self.worker.start(dict[str, Any], _LIMIT)
        except WorthitError as error:
            self.reason = str(error)
        return settings

    def slice(self, number: int) -> None:
        if not self.reason:
            try:
                done = self.worker.ask("slice", int, _LIMIT, number=number)
                self.comments.append(done)
                self.seconds.append(self.worker.seconds)
            except WorthitError as error:
                self.reason = str(error)

    def finish(self) -> Entry:
        if not self.reason:
            try:
                return self._entry(self.worker.ask("finish", Outcome, _LIMIT))
            except WorthitError as error:
                self.reason = str(error)
        return Entry(self.label, reason=self.reason)

    def _entry(self, outcome: Outcome) -> Entry:
        task, scores = self.task, np.array(outcome.scores)
        first = 0 if task.trains else task.slice_comments
        truth = prepare.comments(task.split, "test").labels[first : first + len(scores)]
        memory = outcome.memory
        peak = memory.peak_mb if task.device == "cpu" else memory.accelerator_peak_mb
        return Entry(
            self.label,
            tuple(self.comments),
            tuple(self.seconds),
            float(np.mean((scores >= 0.5) == truth)),
            len(scores),
            peak.value,
        )


def _take_turns(
    name: str, slices: int, gauge: engine.Worker, entrants: Sequence[_Entrant]
) -> list[float]:
    """Have all slices done; the rates of matrix products before, between and after."""
    gemm = []
    for number in tqdm(range(1, slices + 1), desc=name, unit=" turn", ncols=78, leave=False):
        gemm.append(gauge.ask("slice", float, _LIMIT, number=number))
        # Back and forth, so that nobody always follows the same one.
        for entrant in entrants[:: 1 if number % 2 else -1]:
            entrant.slice(number)
    return [*gemm, gauge.ask("slice", float, _LIMIT, number=0)]


if __name__ == "__main__":
    sys.exit(main())

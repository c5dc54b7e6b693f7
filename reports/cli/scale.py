"""Measures the memory and time that `worthit score` takes for up to a million comments.

    python -m worthit.reports.cli.scale [--dataset wikipedia] [--extrapolate bert,llama]

Scores 10,000, 100,000 and 1,000,000 comments of the corpus, shuffled and repeated, each number in a
new process. Models that the cache does not have are trained first. Slow models score a few hundred
comments, and the hours for a million are extrapolated from their rate.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.cell import Cell, file_name
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.cells.progress import Progress
from worthit.bench.instruments import memory
from worthit.bench.saved.record import Setup, Training, significant
from worthit.datasets import corpus, prepare, registry
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, OptionError, WorthitError
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.models import registry as models
from worthit.models.hardware import processor
from worthit.reports.cli import main as worthit_command

_MILLION = 1_000_000
_LIMIT = Limit(12 * 3600.0, "give a smaller --train-size")
_RATE = re.compile(r"([\d,.]+) rows/s")


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(
        description="Measure `worthit score` on up to a million comments."
    )
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument(
        "--model", default="tfidf", help="scores all numbers of comments (%(default)s)"
    )
    parser.add_argument(
        "--rows",
        default="10000,100000,1000000",
        metavar="N,…",
        help="numbers of comments (%(default)s)",
    )
    parser.add_argument(
        "--extrapolate", default="", metavar="MODEL,…", help="slow models to extrapolate"
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=512,
        metavar="N",
        help="comments for slow models (%(default)s)",
    )
    parser.add_argument(
        "--train-size",
        type=int,
        default=1_000,
        metavar="N",
        help="comments to train models on that the cache lacks (%(default)s)",
    )
    try:
        _scale(parser.parse_args(arguments))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _scale(parsed: argparse.Namespace) -> None:
    row_numbers = numbers(parsed.rows, "--rows")
    slow = [name for name in parsed.extrapolate.split(",") if name]
    for name in (parsed.model, *slow):
        models.entry(name)
    if parsed.sample < 1:
        raise OptionError(f"--sample is {parsed.sample}; it takes a number of comments from 1 up")
    sizes = Protocol(train_size=parsed.train_size, test_size=AtMost(100), natural_size=AtMost(100))
    split = prepare.prepare(parsed.dataset, sizes).key
    print(f"{parsed.dataset}, {processor.cpu_name()}, {processor.allowed_cores()} cores\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "comments.jsonl"
        artifact, rows = trained(parsed.model, split), []
        for number in row_numbers:
            write(parsed.dataset, number, file)
            rows.append(_row(number, *scored(artifact, file)))
        headings = ["comments", "peak memory, MB", "whole process, s", "comments/s"]
        print(tabulate(rows, [parsed.model, *headings[1:]], disable_numparse=True), flush=True)
        if slow:
            write(parsed.dataset, parsed.sample, file)
            print(f"\nfrom {parsed.sample:,} comments each, hours are extrapolated")
            hours = [_hours(name, *scored(trained(name, split), file)) for name in slow]
            headings = ["model", "peak memory, MB", "comments/s", "hours for a million"]
            print(tabulate(hours, headings, disable_numparse=True))


def numbers(given: str, option: str) -> list[int]:
    """Raises OptionError unless the value of an option is a list of numbers from 1 up."""
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise OptionError(f"{option} is {given!r}; it takes numbers from 1 up, such as 1,2")
    return [int(part) for part in parts]


def _row(number: int, peak_mb: float, seconds: float, rate: float) -> list[str]:
    return [f"{number:,}", significant(peak_mb), significant(seconds), significant(rate)]


def _hours(name: str, peak_mb: float, seconds: float, rate: float) -> list[str]:
    hours = significant(_MILLION / rate / 3600)
    return [name, significant(peak_mb), significant(rate), f"≈{hours}"]


def trained(model: str, split: str) -> Path:
    """The folder of the model; it is trained in a new process unless the cache has it."""
    row = models.row_name(model)
    log = cache_folder("logs", f"scale-{file_name(row)}.log")
    cell = Cell(row, "cpu", 0, split, models.settings(model), location=model)
    worker = Worker(cell, log, Progress(sys.stderr).advance)
    try:
        worker.start(Setup, _LIMIT)
        training = worker.ask("train", Training, _LIMIT)
    finally:
        worker.close()
    return cache_folder("artifacts", training.artifact)


def write(dataset: str, number: int, file: Path) -> None:
    """Write `number` comments in random order, and repeat the corpus if it has fewer."""
    texts = corpus.load(registry.source(dataset))["text"].to_pylist()
    rng = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as opened:
        left = number
        while left:
            for place in rng.permutation(len(texts))[:left]:
                opened.write(json.dumps({"text": texts[place]}) + "\n")
            left -= min(left, len(texts))


def scored(model: Path, file: Path) -> tuple[float, float, float]:
    """Peak memory in MB, seconds of the whole process, and rows per second that the command reports.

    Raises:
        CellError: the command failed.
    """
    output = file.with_name("scores.csv")
    arguments = ["score", "--model", str(model), str(file), "--output", str(output)]
    start = time.perf_counter()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as new_process:
        try:
            peak_mb, printed = new_process.submit(run_score, arguments).result()
        except BrokenProcessPool:
            raise CellError("worthit score failed (its process died); score fewer rows") from None
    seconds = time.perf_counter() - start
    rate = _RATE.search(printed)
    if rate is None:
        last = (printed.strip().splitlines() or ["no reason given"])[-1]
        raise CellError(f"worthit score failed ({last.removeprefix('worthit: ')})")
    output.unlink()
    return peak_mb, seconds, float(rate[1].replace(",", ""))


def run_score(arguments: Sequence[str]) -> tuple[float, str]:
    """Run `worthit score` in this process; its peak memory in MB and its messages."""
    messages = io.StringIO()
    with (
        memory.peak_memory("cpu", memory.resident_bytes()) as window,
        contextlib.redirect_stderr(messages),
    ):
        worthit_command.main(arguments)
    assert window.memory is not None
    assert window.memory.peak_mb.value is not None
    return window.memory.peak_mb.value, messages.getvalue()


if __name__ == "__main__":
    sys.exit(main())

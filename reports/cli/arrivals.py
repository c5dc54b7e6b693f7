"""Measures real arrivals of requests and compares them with the simulation of a saved run.

    python -m worthit.reports.cli.arrivals RUN.json [--models tfidf,bert] [--loads 0.5,0.8] [--seconds 10]

Each worker is a process that has loaded the model of the run from the cache. This process sends test
comments at random times (Poisson) to the workers in turn, through pipes. A request's time lasts from
its planned arrival, so a late sender shortens nothing, to the moment the worker has its probabilities.
Loads are shares of the highest rate that the simulation allows. Leave the machine alone meanwhile.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.cells.engine import thread_settings
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.saved import run_file, trained_models
from worthit.bench.saved.record import DEFAULT_P99_LIMIT_MS, CellRecord, Run, significant
from worthit.datasets import prepare
from worthit.datasets.errors import OptionError, WorthitError
from worthit.models import registry
from worthit.models.card import read_card
from worthit.models.hardware import processor
from worthit.reports.analysis.serving import Server, highest_rate_per_s, server, simulated_ms

_WARM_UPS = 20
_HEAD_START_S = 0.1


@dataclass(frozen=True)
class Replay:
    """What real requests took."""

    answered_ms: npt.NDArray[np.float64]  # from planned arrival to answer, shape (requests,)
    call_ms: float  # mean time of a call
    late_ms: float  # 99th percentile of how late the sender was


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(
        description="Measure real arrivals of requests, and compare them with the simulation."
    )
    parser.add_argument("run", type=Path, help="JSON file of a run whose models are in the cache")
    parser.add_argument(
        "--models", default="", metavar="MODEL,…", help="models to measure (all of the run)"
    )
    parser.add_argument(
        "--loads",
        default="0.5,0.8",
        metavar="SHARE,…",
        help="shares of the highest simulated rate (%(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="duration of each load (%(default)g)"
    )
    parser.add_argument(
        "--p99-limit-ms",
        type=float,
        default=DEFAULT_P99_LIMIT_MS,
        help="latency that 99 of 100 requests must stay within (%(default)g)",
    )
    try:
        _compare(parser.parse_args(arguments))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    except (EOFError, ConnectionError):
        print("worthit: a worker ended early; its own message is above", file=sys.stderr)
        return 2
    return 0


def _compare(parsed: argparse.Namespace) -> None:
    loads = _loads(parsed.loads)
    run = run_file.load(parsed.run)
    cells = _cells(run, [name for name in parsed.models.split(",") if name])
    texts = prepare.comments(run.data.key, "test").texts
    print(f"{processor.cpu_name()}, {processor.allowed_cores()} cores; measured (simulated)\n")
    body = []
    for cell in cells:
        folder = trained_models.find(f"{parsed.run}:{cell.name}", parsed.run.parent).folder
        assert cell.latency is not None
        sample = sample_by_length(texts, cell.latency.comments)
        workers = server(cell)
        assert workers is not None
        for in_batches in (False, True) if workers.largest_batch > 1 else (False,):
            highest = highest_rate_per_s(workers, parsed.p99_limit_ms, in_batches=in_batches)
            with started(folder, workers, in_batches=in_batches) as pipes:
                for load in loads if highest else ():
                    rate = load * (highest or 0.0)
                    found = replay(pipes, sample, rate, parsed.seconds)
                    expected = simulated_ms(workers, rate, in_batches=in_batches)
                    mode = f"{workers.workers} × {workers.largest_batch if in_batches else 1}"
                    body.append([cell.model, mode, significant(rate), f"{load:.0%}",
                                 *_beside(found, expected)])  # fmt: skip
    headings = ["model", "workers × batch", "requests/s", "of highest", "p50, ms", "p99, ms",
                "mean call, ms", "sender late, p99, ms"]  # fmt: skip
    print(tabulate(body, headings, disable_numparse=True))


def _loads(given: str) -> list[float]:
    try:
        loads = [float(part) for part in given.split(",")]
    except ValueError:
        loads = []
    if not loads or not all(0 < load <= 1 for load in loads):
        raise OptionError(f"--loads is {given!r}; it takes shares above 0 up to 1, such as 0.5,0.8")
    return loads


def _cells(run: Run, models: Sequence[str]) -> list[CellRecord]:
    able = [
        cell
        for cell in run.cells
        if cell.latency is not None and cell.device == "cpu" and not cell.is_endpoint
    ]
    cells = [cell for cell in able if not models or cell.model in models]
    unknown = {*models} - {cell.model for cell in cells}
    if unknown or not cells:
        raise OptionError(
            f"the run has no latency on the CPU of {', '.join(sorted(unknown)) or 'any model'}; it "
            f"has that of {', '.join(cell.model for cell in able) or 'none'}"
        )
    return cells


def _beside(found: Replay, expected_ms: npt.NDArray[np.float64]) -> list[str]:
    quantiles = [
        f"{significant(float(np.percentile(found.answered_ms, percent)))} "
        f"({significant(float(np.percentile(expected_ms, percent)))})"
        for percent in (50, 99)
    ]
    return [*quantiles, significant(found.call_ms), significant(found.late_ms)]


@contextmanager
def started(folder: Path, workers: Server, *, in_batches: bool) -> Iterator[list[Connection]]:
    """Workers that have loaded a model and answered some requests; they end with the block."""
    threads = 1 if workers.workers > 1 else processor.allowed_cores()
    largest = workers.largest_batch if in_batches else 1
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(workers.workers)]
    processes = [
        context.Process(target=_work, args=(folder, theirs, largest, threads), daemon=True)
        for _, theirs in pairs
    ]
    before = dict(os.environ)
    os.environ.update(thread_settings(threads))  # read when a library is imported
    try:
        for process in processes:
            process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        for _, theirs in pairs:
            theirs.close()  # so that a worker that dies ends the pipe
        for ours, _ in pairs:
            ours.recv()
        yield [ours for ours, _ in pairs]
    finally:
        for ours, _ in pairs:
            ours.close()
        for process in processes:
            process.join()


def replay(
    pipes: Sequence[Connection], texts: Sequence[str], rate_per_s: float, seconds: float
) -> Replay:
    """Send requests at random times to the workers in turn, and collect when they were answered."""
    rng = np.random.default_rng(1)
    number = max(int(rate_per_s * seconds), 1)
    drawn = rng.integers(len(texts), size=number).tolist()
    due = time.monotonic() + _HEAD_START_S + np.cumsum(rng.exponential(1 / rate_per_s, number))
    late_s = np.zeros(number)
    for request, (at, row) in enumerate(zip(due.tolist(), drawn, strict=True)):
        if (wait_s := at - time.monotonic()) > 0:
            time.sleep(wait_s)
        late_s[request] = time.monotonic() - at
        pipes[request % len(pipes)].send((request, texts[row]))
    answered_ms, calls_s = np.zeros(number), []
    for pipe in pipes:
        pipe.send(None)
        for requests, started, ended in pipe.recv():
            calls_s.append(ended - started)
            for request in requests:
                answered_ms[request] = (ended - due[request]) * 1e3
    late_ms = float(np.percentile(late_s, 99)) * 1e3
    return Replay(answered_ms, float(np.mean(calls_s)) * 1e3, late_ms)


def _work(folder: Path, pipe: Connection, largest_batch: int, threads: int) -> None:
    """The process of a worker."""
    libraries = registry.model_class(read_card(folder).model).libraries
    if "torch" in libraries:
        import torch

        torch.set_num_threads(threads)
    model = registry.load(folder)
    for _ in range(_WARM_UPS):
        model.predict_proba(["a comment of some words"])
    pipe.send("ready")
    serve(model, pipe, largest_batch)


def serve(model: Any, pipe: Connection, largest_batch: int) -> None:
    """Answer requests (number, text) until the pipe ends; None asks for the times of the calls so far."""
    answered: list[tuple[list[int], float, float]] = []
    while True:
        try:
            requests = [pipe.recv()]
            while requests[-1] is not None and len(requests) < largest_batch and pipe.poll():
                requests.append(pipe.recv())
        except EOFError:
            return
        batch = [request for request in requests if request is not None]
        if batch:
            started = time.monotonic()
            model.predict_proba([text for _, text in batch])
            answered.append(([number for number, _ in batch], started, time.monotonic()))
        if requests[-1] is None:
            pipe.send(answered)
            answered = []


if __name__ == "__main__":
    sys.exit(main())

"""Measures what workers of a Ray cluster add to one process of `worthit score`.

    ray start --head --num-cpus=2
    python -m worthit.reports.cli.cluster_scale [--cluster auto] [--workers 1,2]

Scores the same comments in one process, and on each number of workers. The rate of workers is that after
the first parts: starting takes seconds, whatever the number of comments. The last line is the command
that estimates a billion comments from these numbers. Workers on one machine share its memory and caches,
so its ratios are not those of several machines.
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.saved.record import significant
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, OptionError, WorthitError
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.stream import open_table
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.datasets.tables.comments import CommentReader
from worthit.models.hardware import processor
from worthit.models.scoring import chunks
from worthit.reports.cli import scale

_SAID = re.compile(r"rows in ([\d,.]+) s.*the first part after ([\d,.]+) s")
_PARTS_OF_A_WORKER = 25  # at least, so that all are busy to the end
_LEAST_S = 5.0  # after the first part: the command tells tenths of a second
_LARGER = 4  # how many times as large the parts of the last run are


@dataclass(frozen=True)
class _Scored:
    """One run on a cluster."""

    seconds: float  # from the start of the workers to the last part
    first_s: float  # to the first part
    parts: int
    output_bytes: int
    driver_cpu_s: float
    driver_peak_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(description="Measure `worthit score --cluster`.")
    parser.add_argument("--cluster", default="auto", metavar="ADDRESS", help="(%(default)s)")
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--model", default="tfidf", help="(%(default)s)")
    parser.add_argument("--rows", type=int, default=400_000, metavar="N", help="(%(default)s)")
    parser.add_argument("--workers", default="1,2", metavar="N,…", help="(%(default)s)")
    part = f"(%(default)s); each worker scores at least {_PARTS_OF_A_WORKER} parts"
    parser.add_argument("--part-rows", type=int, default=4_096, metavar="N", help=part)
    parser.add_argument("--train-size", type=int, default=1_000, metavar="N", help="(%(default)s)")
    try:
        _scale(parser.parse_args(arguments))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _scale(parsed: argparse.Namespace) -> None:
    workers = scale.numbers(parsed.workers, "--workers")
    rows, part_rows = parsed.rows, _part_rows(parsed, max(workers))
    sizes = Protocol(train_size=parsed.train_size, test_size=AtMost(100), natural_size=AtMost(100))
    split = prepare.prepare(parsed.dataset, sizes).key
    model = scale.trained(parsed.model, split)
    print(f"{parsed.model}, {parsed.dataset}, {processor.cpu_name()}, {rows:,} comments\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "comments.jsonl"
        scale.write(parsed.dataset, rows, file)
        _, seconds, one_rate = scale.scored(model, file)
        table = [["one process", significant(one_rate), "1", "", significant(seconds)]]
        rates = {}
        for number in workers:
            run = _on_cluster(parsed.cluster, model, file, number, part_rows)
            rates[number] = _rate(run, rows - number * part_rows)
            ratio = significant(rates[number] / one_rate)
            start, whole = significant(run.first_s), significant(run.seconds)
            table.append([_workers(number), significant(rates[number]), ratio, start, whole])
        coarse = _on_cluster(parsed.cluster, model, file, number, part_rows * _LARGER)
        headings = ["", "comments/s", "ratio", "first part after, s", "in all, s"]
        print(tabulate(table, headings, disable_numparse=True))
        read_rate = rows / _seconds_of_reading(file)
        input_bytes = file.stat().st_size / rows
    more_parts = run.parts - coarse.parts
    cpu_ms = 1e3 * (run.driver_cpu_s - coarse.driver_cpu_s) / more_parts
    memory_kb = 1e3 * (run.driver_peak_mb - coarse.driver_peak_mb) / more_parts
    values = {
        "worker-rate": rates[number] / number,
        "start-s": run.first_s,
        "read-rate": read_rate,
        "driver-ms": max(cpu_ms, 0),
        "driver-kb": max(memory_kb, 0),
        "input-bytes": input_bytes,
        "output-bytes": run.output_bytes / rows,
    }
    options = " ".join(f"--{name} {value:.4g}" for name, value in values.items())
    print(
        f"\nto estimate a billion comments:\n"
        f"python -m worthit.reports.cli.cluster_estimate {options}"
    )


def _part_rows(parsed: argparse.Namespace, workers: int) -> int:
    """The rows of a part, in whole chunks, as the command makes them.

    Raises:
        OptionError: there are too few rows for these workers.
    """
    if parsed.part_rows < 1:
        raise OptionError(f"--part-rows is {parsed.part_rows}; it takes a number from 1 up")
    chunk = chunks.chunk_size(parsed.model, None)
    part_rows: int = -(-parsed.part_rows // chunk) * chunk
    least = _PARTS_OF_A_WORKER * part_rows * workers
    if parsed.rows < least:
        raise OptionError(
            f"--rows is {parsed.rows:,}; {_PARTS_OF_A_WORKER} parts of {part_rows:,} rows for each worker need "
            f"{least:,}: give as many, or smaller --part-rows"
        )
    return part_rows


def _rate(run: _Scored, rows: int) -> float:
    """Comments/s after the first parts.

    Args:
        rows: that come after them.

    Raises:
        CellError: that took too short to tell.
    """
    seconds = run.seconds - run.first_s
    if seconds < _LEAST_S:
        raise CellError(
            f"the parts after the first took {seconds:.1f} s, too short for a rate; give more --rows"
        )
    return rows / seconds


def _workers(number: int) -> str:
    return f"{number:,} worker{'s' * (number > 1)}"


def _on_cluster(cluster: str, model: Path, file: Path, workers: int, part_rows: int) -> _Scored:
    """Score once on a cluster, in a new process.

    Raises:
        CellError: the command failed.
    """
    output = file.with_name(f"parts-{workers}-{part_rows}")
    arguments = ["score", "--model", str(model), str(file), "--output", str(output)]
    arguments += ["--cluster", cluster, "--workers", str(workers), "--part-rows", str(part_rows)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as new_process:
        try:
            printed, cpu_s, peak_mb = new_process.submit(_score, arguments).result()
        except BrokenProcessPool:
            raise CellError("worthit score failed (its process died); score fewer rows") from None
    said = _SAID.search(printed)
    if said is None:
        last = (printed.strip().splitlines() or ["no reason given"])[-1]
        raise CellError(f"worthit score failed ({last.removeprefix('worthit: ')})")
    seconds, first_s = (float(number.replace(",", "")) for number in said.groups())
    sizes = [part.stat().st_size for part in output.glob("part-*")]
    return _Scored(seconds, first_s, len(sizes), sum(sizes), cpu_s, peak_mb)


def _score(arguments: Sequence[str]) -> tuple[str, float, float]:
    """Run the command in this process: its messages, CPU seconds and peak memory in MB."""
    peak_mb, said = scale.run_score(arguments)
    return said, time.process_time(), peak_mb


def _seconds_of_reading(file: Path) -> float:
    start = time.perf_counter()
    with Input(file) as source:
        for _ in CommentReader(open_table(source), "text", []).chunks(1_024):
            pass
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())

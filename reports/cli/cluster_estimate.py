"""Estimates on paper what a billion comments take on a cluster: time, price, and what breaks first.

    python -m worthit.reports.cli.cluster_estimate --worker-rate R --start-s S --read-rate R …

The numbers come from `python -m worthit.reports.cli.cluster_scale`, measured with a few hundred thousand
comments and two workers. Everything beyond is multiplied, not measured:

- all workers together score `workers × worker rate`, until something else is the limit;
- one reader reads a file of text from the beginning; Parquet is read in as many places as needed;
- one process writes all parts: it spends `--driver-ms` of CPU on each, and all of them come through its
  network;
- texts of a file that one node sees leave through that node's network.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.saved.record import significant
from worthit.datasets.errors import OptionError, WorthitError
from worthit.reports.cli import scale

_HOUR_S = 3600
_PARTS_OF_A_WORKER = 3  # one is scored, two wait
_NEEDED = {
    "worker-rate": "comments/s of one worker, of two",
    "start-s": "seconds until the first part",
    "read-rate": "comments/s of one reader of text",
    "driver-ms": "CPU time of the writing process for a part",
    "driver-kb": "its memory for a part",
    "input-bytes": "of a comment",
    "output-bytes": "of a row",
}


@dataclass(frozen=True)
class Limit:
    """Something that does not become faster with more workers."""

    name: str
    rows_per_s: float
    of_one_file: bool  # True: only if one node reads a file of text


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(description="Estimate `worthit score --cluster` on paper.")
    for name, about in _NEEDED.items():
        parser.add_argument(f"--{name}", type=float, required=True, metavar="X", help=about)
    more = {
        "rows": (1e9, "comments"),
        "part-rows": (32_768, "rows of a part"),
        "network-gbit": (10, "per second, of each machine"),
        "core-price": (0.04, "of an hour of one core"),
        "cores": (1, "of a worker"),
    }
    for name, (usual, about) in more.items():
        parser.add_argument(
            f"--{name}", type=float, default=usual, metavar="X", help=f"{about} (%(default)g)"
        )
    parser.add_argument("--workers", default="1,10,100,1000", metavar="N,…", help="(%(default)s)")
    try:
        parsed = parser.parse_args(arguments)
        _require_positive(parsed)
        print(estimate(parsed))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _require_positive(parsed: argparse.Namespace) -> None:
    for name, value in vars(parsed).items():
        may_be_0 = name in ("driver_ms", "driver_kb", "start_s", "core_price")
        if isinstance(value, float) and not (0 < value < math.inf or (may_be_0 and value == 0)):
            raise OptionError(
                f"--{name.replace('_', '-')} is {value:g}; it takes a positive number"
            )


def limits(parsed: argparse.Namespace) -> list[Limit]:
    """What limits the rate of the whole cluster, the lowest first."""
    network_bytes_per_s = parsed.network_gbit * 1e9 / 8
    found = [
        Limit("one reader of a file of text", parsed.read_rate, True),
        Limit("network of the node that reads", network_bytes_per_s / parsed.input_bytes, True),
        Limit("network of the node that writes", network_bytes_per_s / parsed.output_bytes, False),
    ]
    if parsed.driver_ms:
        rate = parsed.part_rows / parsed.driver_ms * 1e3
        found.append(Limit("the process that writes", rate, False))
    return sorted(found, key=lambda limit: limit.rows_per_s)


def estimate(parsed: argparse.Namespace) -> str:
    """The tables as text."""
    found = limits(parsed)
    highest = {
        of_one_file: min(
            limit.rows_per_s for limit in found if of_one_file or not limit.of_one_file
        )
        for of_one_file in (True, False)
    }
    rows = []
    for workers in scale.numbers(parsed.workers, "--workers"):
        wanted = workers * parsed.worker_rate
        of_text, of_parquet = (
            (parsed.start_s + parsed.rows / min(wanted, highest[one])) / _HOUR_S
            for one in (True, False)
        )
        price = of_parquet * workers * parsed.cores * parsed.core_price
        rows.append([f"{workers:,}", *map(_number, (of_text, of_parquet, price))])
    headings = ["workers", "hours, one text file", "hours, Parquet", "price, Parquet"]
    breaks = [
        [limit.name, _number(limit.rows_per_s), f"{limit.rows_per_s / parsed.worker_rate:,.0f}"]
        for limit in found
    ]
    parts = parsed.rows / parsed.part_rows
    waiting_mb = _PARTS_OF_A_WORKER * parsed.part_rows * parsed.input_bytes / 1e6
    return "\n".join(
        [
            f"{parsed.rows:,.0f} comments, estimated from the rates of a few workers",
            "",
            tabulate(rows, headings, disable_numparse=True),
            "",
            "What breaks first:",
            tabulate(breaks, ["limit", "comments/s", "from workers"], disable_numparse=True),
            "",
            f"{parts:,.0f} parts of {parsed.part_rows * parsed.output_bytes / 1e6:,.2f} MB, "
            f"{parsed.rows * parsed.output_bytes / 1e9:,.1f} GB of output",
            f"{parts * parsed.driver_kb / 1e3:,.0f} MB of memory for the parts in the writing process",
            f"{waiting_mb:,.0f} MB of texts per worker in the object stores; more spills to disk",
        ]
    )


def _number(value: float) -> str:
    return f"≈{significant(float(f'{value:.2g}'))}"


if __name__ == "__main__":
    sys.exit(main())

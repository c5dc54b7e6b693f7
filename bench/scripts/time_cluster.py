"""Times what Ray adds to a cell: from handing it over to its record, minus the same work without Ray.

    python -m worthit.bench.scripts.time_cluster --cluster ADDRESS

All cells run one after the other on one node of the cluster. The machine of this process does the same
work without Ray, so the difference means something only if that is the node, or an equal one.
"""

import argparse
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from statistics import median

from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.cell import Cell
from worthit.bench.cluster import kinds, on_node
from worthit.bench.cluster.dispatch import CellKey, Dispatch
from worthit.bench.cluster.on_node import Done, Order
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, OptionError, WorthitError
from worthit.datasets.splits.protocol import Protocol
from worthit.models.cluster import connection

_LIMIT_S = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(description="Time what Ray adds to a cell.")
    parser.add_argument("--cluster", required=True, metavar="ADDRESS", help="as of worthit run")
    parser.add_argument("--repeats", type=int, default=9, help="cells of each sort (%(default)s)")
    parsed = parser.parse_args(arguments)
    try:
        if parsed.repeats < 1:
            raise OptionError(f"--repeats is {parsed.repeats}; it takes a number from 1 up")
        with connection.connected(parsed.cluster) as nodes:
            (kind,) = kinds.find(nodes[:1], ())
            print(_report(kind, parsed.repeats))
    except WorthitError as error:
        print(f"time_cluster: {error}", file=sys.stderr)
        return 2
    return 0


def _report(kind: kinds.Kind, repeats: int) -> str:
    key = prepare.prepare("synthetic:600", Protocol(train_size=60, test_size=20)).key
    dispatch = Dispatch([kind], {key: on_node.files(cache_folder("splits", key))})

    def with_ray(order: Order) -> None:
        name = CellKey(kind.label, order.cell.model, order.cell.device, order.cell.seed)
        dispatch.submit(name, order.cell, order.steps, order.limit_s)
        _require_done(dispatch.next_outcome()[1].done)

    def without_ray(order: Order) -> None:
        _require_done(on_node.run_cell(order, {}))

    cell = Cell("majority", "cpu", 0, key, retrain=True)
    empty = Order(cell, (), _LIMIT_S)
    first_s = _seconds(with_ray, empty)
    rows = []
    for name, order in (
        ("empty cell", empty),
        ("training of majority", Order(cell, ("train",), _LIMIT_S)),
    ):
        without, through = [], []
        for _ in range(repeats):  # in turn, so that both see the same machine
            without.append(_seconds(without_ray, order))
            through.append(_seconds(with_ray, order))
        alone_s, ray_s = median(without), median(through)
        rows.append([name, alone_s, ray_s, ray_s - alone_s, f"{ray_s / alone_s:.2f}"])
    headings = ["cell", "without Ray, s", "with Ray, s", "added, s", "ratio"]
    table = tabulate(rows, headings, floatfmt=("", ".4f", ".4f", ".4f", ""))
    machine = (
        f"{kind.machine['cpu']}, {kind.machine['cores_allowed']} cores, node {kind.nodes[0].name}"
    )
    first = (
        f"The first cell of a node took {first_s:.2f} s: Ray starts a process, which measures the noise of the "
        "node for 1 s."
    )
    return f"{machine}; medians of {repeats:,}\n\n{table}\n\n{textwrap.fill(first, 80)}"


def _require_done(done: Done) -> None:
    """Raises CellError if a cell failed: its time would be of something else."""
    if done.record.failures:
        raise CellError(f"a cell failed, so nothing is timed ({done.record.failures[0]})")


def _seconds(run: Callable[[Order], object], order: Order) -> float:
    start = time.perf_counter()
    run(order)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())

"""Times what Ray adds to a cell: from handing it over to its record, minus the same work without Ray.

    python -m worthit.bench.scripts.time_cluster --cluster ADDRESS

All cells run one after the other on one node of the cluster. The machine of this process does the same
work without Ray, so the difference means something only if that is the node, or an equal one.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.cell import Cell
from worthit.bench.cluster import kinds, on_node
from worthit.bench.cluster.dispatch import CellKey, Dispatch
from worthit.bench.cluster.on_node import Order
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import WorthitError
from worthit.datasets.splits.protocol import Protocol
from worthit.models.cluster import connection

_LIMIT_S = 600.0


def main() -> int:
    terminal.print_anything()
    parser = argparse.ArgumentParser(description="Time what Ray adds to a cell.")
    parser.add_argument("--cluster", required=True, metavar="ADDRESS", help="as of worthit run")
    parser.add_argument("--repeats", type=int, default=9, help="cells of each sort (%(default)s)")
    parsed = parser.parse_args()
    try:
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
        dispatch.next_outcome()

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
            without.append(_seconds(lambda order: on_node.run_cell(order, {}), order))
            through.append(_seconds(with_ray, order))
        alone_s, ray_s = median(without), median(through)
        rows.append([name, alone_s, ray_s, ray_s - alone_s, f"{ray_s / alone_s:.2f}"])
    headings = ["cell", "without Ray, s", "with Ray, s", "added, s", "ratio"]
    table = tabulate(rows, headings, floatfmt=("", ".4f", ".4f", ".4f", ""))
    machine = (
        f"{kind.machine['cpu']}, {kind.machine['cores_allowed']} cores, node {kind.nodes[0].name}"
    )
    return (
        f"{machine}; medians of {repeats:,}\n\n{table}\n\nThe first cell of a node took {first_s:.2f} s: Ray "
        "starts a process, which measures the noise of the node for 1 s."
    )


def _seconds(run: Callable[[Order], object], order: Order) -> float:
    start = time.perf_counter()
    run(order)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())

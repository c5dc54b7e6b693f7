"""Run the benchmark twice and tell how well it repeats: the ratio of each figure between the runs.

    python -m worthit.bench.repeat [options of pytest bench/]

Both runs train anew. The same seed must give the same test predictions, which is checked. With
--runs-folder the two runs are kept there, reports included.
"""

import argparse
import operator
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from worthit.bench import record
from worthit.bench.record import CellRecord, Run

_FIGURES = {
    "train": "training.train_s",
    "p50": "latency.p50_ms",
    "p99": "latency.p99_ms",
    "rate": "throughput.best.comments_per_s",
    "memory": "memory.peak_mb",
    "CPU J": "energy.cpu_j_per_comment",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run twice, print a table of ratios; exit code 1 when predictions differ."""
    parser = argparse.ArgumentParser(description="Run the benchmark twice and compare figures.")
    parser.add_argument("--runs-folder", type=Path, help="where to keep the two runs (nowhere)")
    parsed, given = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        kept = parsed.runs_folder or Path(folder)
        first, second = (_run(kept, Path(folder), given) for _ in range(2))
    rows, same = compared(first, second)
    print(tabulate(rows, ["second / first", *_FIGURES, "scores"], disable_numparse=True))
    return 0 if same else 1


def compared(first: Run, second: Run) -> tuple[list[list[str]], bool]:
    """Rows of ratios, one a cell that both runs finished, and whether all predictions agree."""
    others = {cell.name: cell for cell in second.cells}
    pairs = [(cell, others[cell.name]) for cell in first.cells if cell.name in others]
    agreements = [_agreement(*pair) for pair in pairs]
    rows = [
        [pair[0].name, *(_ratio(*pair, path) for path in _FIGURES.values()), agreement]
        for pair, agreement in zip(pairs, agreements, strict=True)
    ]
    return rows, all(agreement in ("same", "n/a") for agreement in agreements)


def _ratio(first: CellRecord, second: CellRecord, path: str) -> str:
    part = path.partition(".")[0]
    if getattr(first, part) is None or getattr(second, part) is None:
        return "n/a"
    before, after = (operator.attrgetter(path)(cell).value for cell in (first, second))
    return f"{after / before:.2f}" if before and after else "n/a"


def _agreement(first: CellRecord, second: CellRecord) -> str:
    if first.quality is None or second.quality is None:
        return "n/a"
    difference = np.abs(np.subtract(first.quality.test, second.quality.test)).max()
    return "same" if difference == 0 else f"differ by up to {difference:.2g}"


def _run(kept: Path, scratch: Path, given: Sequence[str]) -> Run:
    """One run, saved in `kept`.

    Raises:
        SystemExit: the benchmark saved none.
    """
    before = set(kept.glob("*.json"))
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--retrain", "-q"]
    options = ["--runs-folder", str(kept.resolve()), "--benchmark-storage", f"file://{scratch}"]
    done = subprocess.run(
        [*command, *options, *given], cwd=root, stdout=subprocess.DEVNULL, check=False
    )
    made = set(kept.glob("*.json")) - before
    if not made:
        raise SystemExit(
            f"the benchmark left no run (exit code {done.returncode}); try it by itself"
        )
    return record.load(made.pop())


if __name__ == "__main__":
    sys.exit(main())

"""Run the benchmark twice and tell how well it repeats: the ratio of each figure between the runs.

    python -m worthit.reports.compare.repeat [options of pytest bench/]

Both runs train anew. The same seed must give the same test predictions, which is checked of every
cell. With --runs-folder the two runs are kept there, reports included.
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

from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run

_SAME, _NOT_SCORED = "same", "n/a"

_FIGURES = {
    "train": "training.train_s",
    "p50": "latency.p50_ms",
    "p99": "latency.p99_ms",
    "rate": "throughput.best.comments_per_s",
    "memory": "memory.peak_mb",
    "CPU J": "energy.cpu_j_per_comment",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run twice, print a table of ratios.

    Exit code 1 when predictions differ, when none were made, when a run lacks cells or scores that
    the other has, and when the benchmark itself failed.
    """
    parser = argparse.ArgumentParser(description="Run the benchmark twice and compare figures.")
    parser.add_argument("--runs-folder", type=Path, help="where to keep the two runs (nowhere)")
    parsed, given = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        kept = parsed.runs_folder or Path(folder)
        (first, code), (second, again) = (_run(kept, Path(folder), given) for _ in range(2))
    rows, agreements = compared(first, second)
    print(tabulate(rows, ["second / first", *_FIGURES, "scores"], disable_numparse=True))
    problems = [*_failed((code, again)), *_unlike(agreements)]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return int(bool(problems))


def compared(first: Run, second: Run) -> tuple[list[list[str]], list[str]]:
    """A row of ratios for each cell of either run, and how well its predictions agree."""
    ones, others = ({cell.name: cell for cell in run.cells} for run in (first, second))
    rows, agreements = [], []
    for name in {**ones, **others}:
        if name in ones and name in others:
            pair = ones[name], others[name]
            ratios, agreement = (
                [_ratio(*pair, path) for path in _FIGURES.values()],
                _agreement(*pair),
            )
        else:
            ratios = ["n/a"] * len(_FIGURES)
            agreement = f"only in the {'first' if name in ones else 'second'} run"
        rows.append([name, *ratios, agreement])
        agreements.append(agreement)
    return rows, agreements


def _failed(codes: Sequence[int]) -> list[str]:
    return [
        f"the {which} run ended with exit code {code}; try it by itself"
        for which, code in zip(("first", "second"), codes, strict=True)
        if code
    ]


def _unlike(agreements: Sequence[str]) -> list[str]:
    """Why predictions are not shown to repeat, in a line; nothing if they are."""
    if not {*agreements} <= {_SAME, _NOT_SCORED}:
        return ["the runs do not repeat: see the scores above"]
    return [] if _SAME in agreements else ["no cell was scored, so nothing shows that runs repeat"]


def _ratio(first: CellRecord, second: CellRecord, path: str) -> str:
    part = path.partition(".")[0]
    if getattr(first, part) is None or getattr(second, part) is None:
        return "n/a"
    before, after = (operator.attrgetter(path)(cell).value for cell in (first, second))
    return f"{after / before:.2f}" if before and after else "n/a"


def _agreement(first: CellRecord, second: CellRecord) -> str:
    if first.quality is None and second.quality is None:
        return _NOT_SCORED
    if first.quality is None or second.quality is None:
        return f"only in the {'first' if first.quality else 'second'} run"
    difference = np.abs(np.subtract(first.quality.test, second.quality.test)).max()
    return _SAME if difference == 0 else f"differ by up to {difference:.2g}"


def _run(kept: Path, scratch: Path, given: Sequence[str]) -> tuple[Run, int]:
    """One run, saved in `kept`, and the exit code of the benchmark.

    Raises:
        SystemExit: the benchmark saved none.
    """
    before = set(kept.glob("*.json"))
    root = Path(__file__).resolve().parents[2]
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
    return run_file.load(made.pop()), done.returncode


if __name__ == "__main__":
    sys.exit(main())

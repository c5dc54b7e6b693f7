"""Run the benchmark twice and print the ratio of each figure between the two runs.

    python -m worthit.reports.compare.repeat [options of pytest bench/]

Both runs train anew. The same seed must give the same test predictions; this is checked for every
cell. `--runs-folder` saves the two runs and their reports there.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import figures
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.text import disturbed

_SAME, _NOT_SCORED = "same", "n/a"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run twice and print a table of ratios.

    Returns:
        Exit code: 1 if predictions differ, no cell has predictions, a run lacks cells or scores of
        the other, or the benchmark failed.
    """
    terminal.print_anything()
    parser = argparse.ArgumentParser(
        description="Run the benchmark twice and compare the figures.",
        epilog="All other options are passed to pytest bench/.",
    )
    parser.add_argument(
        "--runs-folder", type=Path, help="folder that saves the two runs (default: not saved)"
    )
    parsed, options = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = parsed.runs_folder or Path(scratch)
        (first, code), (second, second_code) = (
            run_benchmark(folder, Path(scratch), options) for _ in range(2)
        )
    specs = _specs()
    rows, agreements = ratios(first, second)
    headings = ["second / first", *(spec.repeat for spec in specs), "scores"]
    print(tabulate(rows, headings, disable_numparse=True))
    for which, run in (("first", first), ("second", second)):
        if doubts := disturbed.sentence({cell.name: cell for cell in run.cells}):
            print(f"d, in the {which} run: {doubts}")
    problems = [*_failures((code, second_code)), *_disagreement(agreements)]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return int(bool(problems))


def ratios(first: Run, second: Run) -> tuple[list[list[str]], list[str]]:
    """A row of ratios for each cell of either run, and whether its predictions are the same."""
    ones, others = ({cell.name: cell for cell in run.cells} for run in (first, second))
    specs = _specs()
    rows, agreements = [], []
    for name in {**ones, **others}:
        if name in ones and name in others:
            one, other = ones[name], others[name]
            entries = [_ratio(spec, (first, one), (second, other)) for spec in specs]
            agreement = _agreement(one, other)
        else:
            entries = ["n/a"] * len(specs)
            agreement = f"only in the {'first' if name in ones else 'second'} run"
        rows.append([name, *entries, agreement])
        agreements.append(agreement)
    return rows, agreements


def _specs() -> list[FigureSpec]:
    return [spec for spec in figures.FIGURES if spec.repeat]


def _ratio(spec: FigureSpec, first: tuple[Run, CellRecord], second: tuple[Run, CellRecord]) -> str:
    one, other = spec.read(*first), spec.read(*second)
    if not one.value or not other.value:
        return "n/a"
    mark = " d" if one.disturbed or other.disturbed else ""
    return f"{other.value / one.value:.2f}{mark}"


def _agreement(first: CellRecord, second: CellRecord) -> str:
    if first.quality is None and second.quality is None:
        return _NOT_SCORED
    if first.quality is None or second.quality is None:
        return f"only in the {'first' if first.quality else 'second'} run"
    difference = np.abs(np.subtract(first.quality.test, second.quality.test)).max()
    return _SAME if difference == 0 else f"differ by up to {difference:.2g}"


def _failures(codes: Sequence[int]) -> list[str]:
    return [
        f"the {which} run ended with exit code {code}; run `pytest bench/` to see why"
        for which, code in zip(("first", "second"), codes, strict=True)
        if code
    ]


def _disagreement(agreements: Sequence[str]) -> list[str]:
    """One line that says why predictions are not shown to repeat; empty if they are."""
    if not {*agreements} <= {_SAME, _NOT_SCORED}:
        return ["the runs do not repeat: see the scores above"]
    if _SAME not in agreements:
        return ["no cell has scores, so nothing shows that runs repeat"]
    return []


def run_benchmark(folder: Path, scratch: Path, options: Sequence[str]) -> tuple[Run, int]:
    """Run the benchmark once.

    Returns:
        The run, saved in `folder`, and the exit code.

    Raises:
        SystemExit: the benchmark saved no run.
    """
    before = set(folder.glob("*.json"))
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--retrain", "-q"]
    storage = ["--runs-folder", str(folder.resolve()), "--benchmark-storage", f"file://{scratch}"]
    done = subprocess.run(
        [*command, *storage, *options], cwd=root, stdout=subprocess.DEVNULL, check=False
    )
    saved = set(folder.glob("*.json")) - before
    if not saved:
        raise SystemExit(
            f"the benchmark saved no run (exit code {done.returncode}); "
            "run `pytest bench/` to see why"
        )
    return run_file.load(saved.pop()), done.returncode


if __name__ == "__main__":
    sys.exit(main())

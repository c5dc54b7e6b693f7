"""The benchmark's options from a command line, and its comments, without starting pytest."""

import argparse
from pathlib import Path

from worthit.bench import options as bench_options
from worthit.bench import protocol
from worthit.bench.options import BenchmarkOptions
from worthit.datasets import prepare
from worthit.datasets.audit.audit import examine
from worthit.reports import options as report_options


def options(*arguments: str) -> BenchmarkOptions:
    """Read arguments as `pytest bench/` does, for synthetic comments on the CPU by default."""
    parser = argparse.ArgumentParser()
    bench_options.add(parser.add_argument)
    report_options.add(parser.add_argument, new_run=True)
    by_default = ("--dataset", "synthetic", "--devices", "cpu")
    get = vars(parser.parse_args([*by_default, *arguments])).get
    return bench_options.read(get, Path("runs"), report_options.checked(get))


def prepare_comments(*arguments: str) -> None:
    """Prepare and examine the comments of a run in the cache, where the run finds them.

    A new process would first import scikit-learn and cleanlab.
    """
    given = options(*arguments)
    examine(prepare.prepare(given.dataset, protocol.of(given), given.choices).key)

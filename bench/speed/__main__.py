"""Compare our transformers with other implementations, and save the result.

    python -m worthit.bench.speed [--comparisons llm-score,…] [--entries generate,…]

Prints one table per comparison and saves all of them in `reports/runs/speed/NAME.json`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from worthit.bench import terminal
from worthit.bench.instruments import machine
from worthit.bench.speed import comparison, record, table
from worthit.bench.speed.comparison import COMPARISONS, SpeedOptions
from worthit.datasets.errors import OptionError, OutputError, UnknownNameError, WorthitError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. A user's error prints one line to stderr and gives exit code 2."""
    terminal.print_anything()
    parsed = _parser().parse_args(arguments)
    try:
        _measure(_names(parsed.comparisons), _options(parsed), _new_file(parsed.root))
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(names: Sequence[str], options: SpeedOptions, file: Path) -> None:
    results = []
    for name in names:
        result = comparison.compare(name, options)
        # Only the first comparison chooses the precision: a second choice might differ.
        options = replace(options, precision=result.workload.precision)
        results.append(result)
        print(table.table(result), end="\n\n", flush=True)
    run = record.SpeedRun(
        datetime.now(UTC).isoformat(timespec="seconds"),
        options.dataset,
        cast(record.Machine, machine.describe()),
        tuple(results),
    )
    print(table.legend(run))
    try:
        record.save(run, file)
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written ({error.strerror}); the tables are printed above"
        ) from error
    print(f"\nrun: {file}\nto publish it: worthit readme --speed {file.stem}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worthit.bench.speed",
        description="Compare our transformers with other implementations of training and scoring.",
    )
    parser.add_argument(
        "--comparisons",
        default=",".join(COMPARISONS),
        metavar="NAME,…",
        help="the comparisons to run (%(default)s)",
    )
    labels = dict.fromkeys(
        label for plan in COMPARISONS.values() for label in plan.entries.values()
    )
    parser.add_argument(
        "--entries",
        default="",
        metavar="NAME,…",
        help=f"the entries to run beside worthit (all: {', '.join(labels)})",
    )
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (%(default)s)")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16 (%(default)s)")
    parser.add_argument(
        "--slices", type=int, default=4, metavar="K", help="timed slices per entry (%(default)s)"
    )
    for verb, trains, action in (("train", True, "train on"), ("score", False, "score")):
        defaults = ", ".join(
            f"{plan.comments:,} in {name}"
            for name, plan in COMPARISONS.items()
            if plan.trains == trains
        )
        parser.add_argument(
            f"--comments-{verb}",
            type=int,
            metavar="N",
            help=f"comments to {action} in all timed slices ({defaults})",
        )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=ID_OR_PATH",
        help="other weights for bert or llama: a hub id or a folder; may be repeated",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="the project's folder; the run is saved below it, in reports/runs/speed (here)",
    )
    return parser


def _names(comparisons: str) -> list[str]:
    names = [name.strip() for name in comparisons.split(",")]
    for name in names:
        if name not in COMPARISONS:
            raise UnknownNameError("comparison", name, COMPARISONS)
    return names


def _labels(entries: str, comparisons: Sequence[str]) -> tuple[str, ...]:
    labels = [label.strip() for label in entries.split(",") if label.strip()]
    known = {label for name in comparisons for label in COMPARISONS[name].entries.values()}
    for label in labels:
        if label not in known:
            raise UnknownNameError("entry", label, sorted(known))
    return tuple(labels)


def _options(parsed: argparse.Namespace) -> SpeedOptions:
    for name in ("slices", "comments_train", "comments_score"):
        value = getattr(parsed, name)
        if value is not None and value < 1:
            raise OptionError(f"--{name.replace('_', '-')} is {value}; give a number from 1 up")
    labels = _labels(parsed.entries, _names(parsed.comparisons))
    checkpoints = {}
    for pair in parsed.checkpoint:
        model, _, checkpoint = pair.partition("=")
        if model not in ("bert", "llama") or not checkpoint:
            raise OptionError(f"--checkpoint {pair!r} is not bert=ID_OR_PATH or llama=ID_OR_PATH")
        checkpoints[model] = checkpoint
    return SpeedOptions(
        parsed.dataset,
        parsed.device,
        parsed.precision,
        parsed.slices,
        parsed.comments_train,
        parsed.comments_score,
        checkpoints,
        labels,
    )


def _new_file(root: Path) -> Path:
    """The file to save the run in. Its folder is created now, so that an error costs no measurement.

    Raises:
        OptionError: `root` is not the project's folder, or is read-only.
    """
    file = record.path(root, f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}")
    try:
        file.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{file.parent} cannot be created ({error.strerror}); run this in the project's folder, "
            "or give --root"
        ) from error
    return file


if __name__ == "__main__":
    sys.exit(main())

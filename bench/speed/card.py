"""Check, time and save everything that a borrowed card can answer, in about six minutes.

    python -m worthit.bench.speed.card --device cuda [--parts correctness,rates,…]

Each part runs in a process of its own with its own time limit, and is saved as soon as it ends. A part
that fails does not stop the others. The table comes last.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tabulate import tabulate

from worthit.bench import terminal
from worthit.bench.cells import engine
from worthit.bench.saved import run_file
from worthit.bench.saved.record import significant
from worthit.datasets.errors import OutputError, UnknownNameError, WorthitError
from worthit.models.contract import silent


@dataclass(frozen=True)
class CardOptions:
    """The options of the command line, for the process of a part."""

    device: str
    dataset: str
    checkpoints: dict[str, str]  # bert, llama → hub id or folder
    tiny: bool  # few comments and a small network, to try the script itself
    root: str  # the project's folder
    output: str  # where results are saved


@dataclass(frozen=True)
class CardRow:
    """One figure, and the target it should reach."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        """Empty without a target."""
        if self.at_least is None and self.at_most is None:
            return ""
        low = self.at_least is not None and self.value < self.at_least
        high = self.at_most is not None and self.value > self.at_most
        return "off" if low or high else "ok"

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {significant(self.at_least)}"
        return "" if self.at_most is None else f"≤ {significant(self.at_most)}"


@dataclass(frozen=True)
class PartResult:
    """What a part found, or the reason why it found nothing."""

    part: str
    device: str
    wall_s: float
    rows: tuple[CardRow, ...] = ()
    reason: str = ""


#: part → seconds that it may take
LIMITS_S = {
    "correctness": 90.0,
    "rates": 90.0,
    "shape-1b": 90.0,
    "comparison": 300.0,
    "benchmark": 300.0,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code 1: a part failed or is off its target; 2: a user's error."""
    terminal.print_anything()
    parsed = _parser().parse_args(arguments)
    try:
        results = _run(_parts(parsed.parts), _options(parsed), parsed.limit)
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    print(table(results))
    off = any(row.verdict == "off" for result in results for row in result.rows)
    return int(off or any(result.reason for result in results))


def table(results: Sequence[PartResult]) -> str:
    """One line per figure, and one per part that failed."""
    body = []
    for result in results:
        if result.reason:
            body.append([result.part, f"failed: {result.reason}"[:90], "", "", ""])
        for row in result.rows:
            value = f"{significant(row.value)} {row.unit}".strip()
            body.append([result.part, row.what, value, row.target, row.verdict])
    headings = ["part", "figure", "value", "target", ""]
    return str(tabulate(body, headings, disable_numparse=True))


def _run(parts: Sequence[str], options: CardOptions, limit_s: float | None) -> list[PartResult]:
    folder = Path(options.output)
    name = f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be created ({error.strerror}); give another --output"
        ) from error
    results = []
    for part in parts:
        print(f"{part} …", file=sys.stderr, flush=True)
        result = _run_part(part, options, limit_s or LIMITS_S[part], folder / f"{part}.log")
        run_file.save(result, folder / f"{name}-{part}.json")
        results.append(result)
    return results


def _run_part(part: str, options: CardOptions, limit_s: float, log: Path) -> PartResult:
    start, reason = time.monotonic(), ""
    rows: tuple[CardRow, ...] = ()
    limit = engine.Limit(limit_s, "give a higher --limit")
    worker = engine.Worker(
        {"part": part, "options": options}, log, silent, "worthit.bench.speed.card_parts"
    )
    try:
        rows = worker.start(tuple[CardRow, ...], limit)
    except WorthitError as error:
        reason = str(error)
    finally:
        worker.close()
    return PartResult(part, options.device, time.monotonic() - start, rows, reason)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worthit.bench.speed.card",
        description="Check and time the transformers on a card: against the CPU, alone, with the "
        "shape of Llama 3.2 1B, beside other implementations, and in a quick benchmark run.",
    )
    parser.add_argument("--device", default="cuda", help="cuda, mps or cpu (%(default)s)")
    parser.add_argument(
        "--parts", default=",".join(LIMITS_S), metavar="NAME,…", help="(%(default)s)"
    )
    parser.add_argument("--dataset", default="wikipedia", help="as for pytest bench/ (%(default)s)")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=ID_OR_PATH",
        help="other weights for bert or llama; may be repeated",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="few comments and a small network, to try the script"
    )
    limits = ", ".join(f"{seconds:.0f} for {part}" for part, seconds in LIMITS_S.items())
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS", help=f"time limit of each part ({limits})"
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="FOLDER", help="the project's folder (here)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(".worthit", "card"),
        metavar="FOLDER",
        help="where results and logs are saved (%(default)s)",
    )
    return parser


def _parts(given: str) -> list[str]:
    parts = [part.strip() for part in given.split(",")]
    for part in parts:
        if part not in LIMITS_S:
            raise UnknownNameError("part", part, LIMITS_S)
    return parts


def _options(parsed: argparse.Namespace) -> CardOptions:
    pairs = (pair.partition("=") for pair in parsed.checkpoint)
    checkpoints = {model: checkpoint for model, _, checkpoint in pairs}
    for model in checkpoints:
        if model not in ("bert", "llama"):
            raise UnknownNameError("model", model, ("bert", "llama"))
    return CardOptions(
        parsed.device,
        parsed.dataset,
        checkpoints,
        parsed.tiny,
        str(parsed.root.resolve()),
        str(parsed.output.resolve()),
    )


if __name__ == "__main__":
    sys.exit(main())

"""What the yardstick found, as tables for the terminal and for the README."""

import re
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tabulate import tabulate

from worthit.bench.instruments import machine
from worthit.datasets.errors import OutputError, RunError
from worthit.models.hardware import processor
from worthit.models.registry import MODELS

_BLOCK = re.compile(r"(<!-- speed -->\n).*?(\n<!-- end of speed -->)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One contestant's result; with a `reason` it has none."""

    label: str
    comments: tuple[int, ...] = ()  # of each slice
    seconds: tuple[float, ...] = ()
    accuracy: float | None = None
    tested: int = 0  # comments behind the accuracy
    peak_mb: float | None = None  # of the process on a CPU, else of the accelerator's tensors
    reason: str = ""

    @property
    def comments_per_s(self) -> float:
        return sum(self.comments) / sum(self.seconds)

    @property
    def slice_rates(self) -> list[float]:
        return [done / s for done, s in zip(self.comments, self.seconds, strict=True)]


@dataclass(frozen=True)
class Result:
    """One contest's; ours is the last entry."""

    contest: str
    checkpoint: str
    precision: str
    device: str
    max_length: int | None
    entries: tuple[Entry, ...]
    tokens_per_comment: float  # real ones
    flops_per_comment: float  # useful ones
    gemm_flops_per_s: float

    def utilisation(self, entry: Entry) -> float:
        """Useful operations a second over those of plain matrix products."""
        return entry.comments_per_s * self.flops_per_comment / self.gemm_flops_per_s

    def ratios(self, other: Entry, one: Entry | None = None) -> list[float]:
        """How many times as fast one contestant was, ours if none is named, slice by slice."""
        pairs = zip((one or self.entries[-1]).slice_rates, other.slice_rates, strict=True)
        return [rate / other_rate for rate, other_rate in pairs]


def table(result: Result) -> str:
    """One contest, in at most 80 columns."""
    limit = f"{result.max_length} tokens" if result.max_length else "no length limit"
    title = (
        f"{result.contest}: {result.checkpoint}, {result.device}, {result.precision}, {limit}, "
        f"{result.gemm_flops_per_s / 1e9:,.0f} GFLOP/s"
    )
    headings = [
        "way", "comments\nper s", "tokens\nper s", "GEMM\nshare", "accuracy", "peak\nMB", "worthit is",
    ]  # fmt: skip
    rows = [[entry.label, *_cells(result, entry)] for entry in result.entries]
    align = ["left", *["right"] * 5, "left"]
    body = tabulate(rows, headings, colalign=align, disable_numparse=True)
    variants = (textwrap.fill(line, 80) for line in _variants(result))
    return "\n".join([title, "", body, *variants, *_reasons([result])])


def legend(results: Sequence[Result]) -> str:
    """What the columns mean, and where they were measured."""
    tested = {e.tested for result in results for e in result.entries if e.tested}
    return (
        "tokens: real ones, prompt included, no padding. GEMM share: of the rate of plain\n"
        "matrix products (the GFLOP/s above) that does useful work, see bench/speed/flops.py.\n"
        f"accuracy: on the same {_span(tested)} comments. peak MB: of the process (of a\n"
        "GPU, its tensors), from loading to the last slice. worthit is: so many times as\n"
        f"fast, median of the slices (lowest to highest).\n{_machine()}"
    )


def markdown(results: Sequence[Result]) -> str:
    """The short table of the README, and the machine."""
    headings = [
        "contest", "way", "comments/s", "tokens/s", "share of GEMM rate", "accuracy",
        "peak memory, MB", "worthit is",
    ]  # fmt: skip
    rows = [
        [result.contest, entry.label, *_cells(result, entry)]
        for result in results
        for entry in result.entries
    ]
    align = ["left", "left", *["right"] * 5, "left"]
    body = tabulate(rows, headings, "pipe", colalign=align, disable_numparse=True)
    weights = "; ".join(
        dict.fromkeys(f"{r.checkpoint} in {r.precision} on {r.device}" for r in results)
    )
    rates = ", ".join(f"{r.gemm_flops_per_s / 1e9:,.0f}" for r in results)
    tested = {e.tested for result in results for e in result.entries if e.tested}
    about = (
        f"{_machine()}, {date.today().isoformat()}; {weights}; matrix products in the contests: "
        f"{rates} GFLOP/s."
    )
    read = (
        f"Accuracy is on {_span(tested)} comments; ratios are medians of the slices, lowest to "
        "highest in brackets."
    )
    notes = [line for result in results for line in _variants(result)] + _reasons(results)
    return "\n\n".join([about, body, " ".join([read, *(f"{note}." for note in notes)])])


def fill(readme: Path, results: Sequence[Result]) -> None:
    """Put the short table between the README's markers.

    Raises:
        RunError: see `block`.
        OutputError: the file cannot be written.
    """
    found = block(readme)
    filled = found[1] + markdown(results) + found[2]
    text = found.string
    try:
        readme.write_text(text[: found.start()] + filled + text[found.end() :], "utf-8")
    except OSError as error:
        raise OutputError(
            f"{readme} cannot be written ({error.strerror}); the tables are printed above"
        ) from error


def block(readme: Path) -> re.Match[str]:
    """The place in the README that `fill` fills.

    Raises:
        RunError: there is no such file, or it has no such markers.
    """
    try:
        text = readme.read_text("utf-8")
    except OSError as error:
        raise RunError(
            f"there is no {readme}; run this in the project's folder, or give --root"
        ) from error
    found = _BLOCK.search(text)
    if found is None:
        raise RunError(f"{readme.name} has no block <!-- speed --> … <!-- end of speed --> to fill")
    return found


def _cells(result: Result, entry: Entry) -> list[str]:
    if entry.reason:
        return ["n/a"] * 6
    return [
        _number(entry.comments_per_s),
        _number(entry.comments_per_s * result.tokens_per_comment),
        f"{result.utilisation(entry):.0%}",
        _percent(entry.accuracy),
        "n/a" if entry.peak_mb is None else f"{entry.peak_mb:,.0f}",
        _ratio(result, entry),
    ]


def _variants(result: Result) -> list[str]:
    """Of each row of our benchmark that competes beside ours, how it does against all others."""
    able = [entry for entry in result.entries if not entry.reason]
    return [
        f"{one.label} is "
        + ", ".join(
            f"{_times(statistics.median(result.ratios(other, one)))}× {other.label}"
            for other in able
            if other is not one
        )
        for one in able
        if one.label in MODELS
    ]


def _reasons(results: Sequence[Result]) -> list[str]:
    """Why some entries are n/a."""
    entries = (entry for result in results for entry in result.entries)
    return list(dict.fromkeys(f"{e.label}: {e.reason}" for e in entries if e.reason))


def _ratio(result: Result, entry: Entry) -> str:
    if entry is result.entries[-1]:
        return ""
    ratios = result.ratios(entry)
    low, high = min(ratios), max(ratios)
    return f"{_times(statistics.median(ratios))}× ({_times(low)} to {_times(high)})"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1%}"


def _span(numbers: set[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _machine() -> str:
    cores, build = processor.allowed_cores(), machine.library_versions(("torch",))["torch"]
    gpus = "".join(f", {gpu.name}" for gpu in machine.nvidia_gpus())
    return f"{processor.cpu_name()}, {cores} core{'s' * (cores != 1)}{gpus}, torch {build}"

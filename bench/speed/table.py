"""Speed runs as a table for the terminal, and the texts that the Markdown report shares with it."""

import statistics
import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from worthit.bench.speed.implementations import SCORING_BATCH
from worthit.bench.speed.record import ComparisonResult, EntryResult, SpeedRun
from worthit.models.registry import MODELS

#: how the other implementations run
SETTINGS = (
    f"Other implementations score batches of {SCORING_BATCH} sorted by length (llama.cpp: of 16, "
    "unpadded), each padded to its longest comment, with the question read once, on all cores; "
    "reference follows the method of the reference experiment, in code of this project"
)
_HEADINGS = (
    "entry", "comments\nper s", "GEMM\nshare", "accuracy\n(comments)", "peak\nMB",
    "worthit\nspeed-up",
)  # fmt: skip


def table(comparison: ComparisonResult) -> str:
    """One comparison in at most 80 columns."""
    workload = comparison.workload
    limit = f"limit {workload.max_length}" if workload.max_length else "no limit"
    title = (
        f"{comparison.name}: {workload.checkpoint}, {comparison.device}, {workload.precision}, "
        f"{workload.tokens_per_comment:.0f} tokens ({limit}), {comparison.best_gemm_flops_per_s / 1e9:,.0f} GFLOP/s"
    )
    align = ["left", *["right"] * 4, "left"]
    without_tokens = [[label, rate, *rest] for label, rate, _, *rest in rows(comparison)]
    body = tabulate(without_tokens, _HEADINGS, colalign=align, disable_numparse=True)
    lines = [*variants(comparison), *disturbances([comparison])]
    notes = (textwrap.fill(line, 80) for line in lines)
    return "\n".join([title, "", body, *notes, *reasons([comparison])])


def legend(run: SpeedRun) -> str:
    """The meaning of the columns, the settings of other implementations, and the machine."""
    columns = (
        "tokens: per comment, prompt included; the limit is the comment's. GEMM share: useful "
        "operations per second, as a share of the rate of plain matrix products (the GFLOP/s "
        "above), see bench/speed/workload.py. accuracy: on the number of comments in brackets. "
        "peak MB: of the process (on a GPU: of its tensors), from loading to the last slice. "
        "worthit speed-up: worthit is this many times as fast, median of the slices (lowest to "
        "highest). d: disturbed by other work on the machine."
    )
    return "\n".join([textwrap.fill(columns, 80), textwrap.fill(f"{SETTINGS}.", 80), machine(run)])


def rows(comparison: ComparisonResult) -> list[list[str]]:
    """One row per entry: label, comments/s, tokens/s, GEMM share, accuracy, peak MB, speed-up."""
    return [[entry.label, *_cells(comparison, entry)] for entry in comparison.entries]


def variants(comparison: ComparisonResult) -> list[str]:
    """One line for each other worthit model among the entries: its speed-up over each entry."""
    complete = [entry for entry in comparison.entries if not entry.reason]
    return [
        f"{entry.label} speed-up: "
        + ", ".join(
            f"{_ratio(statistics.median(comparison.speedups(entry, other)))}× over {other.label}"
            for other in complete
            if other is not entry
        )
        for entry in complete
        if entry.label in MODELS
    ]


def reasons(comparisons: Sequence[ComparisonResult]) -> list[str]:
    """Why entries are n/a, each reason once."""
    entries = (entry for comparison in comparisons for entry in comparison.entries)
    return list(dict.fromkeys(f"{e.label}: {e.reason}" for e in entries if e.reason))


def disturbances(comparisons: Sequence[ComparisonResult]) -> list[str]:
    """One line for each entry with disturbed slices."""
    lines = []
    for comparison in comparisons:
        for entry in comparison.entries:
            found = [reason for reason in entry.disturbances if reason]
            if found:
                lines.append(
                    f"d: {comparison.name}, {entry.label}: other work disturbed {len(found)} of "
                    f"{len(entry.seconds)} slices, so its speed is not comparable "
                    f"({'; '.join(dict.fromkeys(found))})"
                )
    return lines


def machine(run: SpeedRun) -> str:
    """Processor, cores, accelerators and torch in one line."""
    found = run.machine
    cores = f"{found['cores_allowed']} core{'s' * (found['cores_allowed'] != 1)}"
    return ", ".join(
        [found["cpu"], cores, *found["accelerators"], f"torch {found['libraries']['torch']}"]
    )


def _cells(comparison: ComparisonResult, entry: EntryResult) -> list[str]:
    if entry.reason:
        return ["n/a"] * 6
    return [
        _number(entry.comments_per_s) + " d" * any(entry.disturbances),
        _number(entry.comments_per_s * comparison.workload.tokens_per_comment),
        f"{comparison.utilisation(entry):.0%}",
        "n/a" if entry.accuracy is None else f"{entry.accuracy:.1%} ({entry.scored_comments:,})",
        "n/a" if entry.peak_mb is None else f"{entry.peak_mb:,.0f}",
        _speedup_of_worthit(comparison, entry),
    ]


def _speedup_of_worthit(comparison: ComparisonResult, entry: EntryResult) -> str:
    worthit = comparison.entries[-1]
    if entry is worthit:
        return ""
    ratios = comparison.speedups(worthit, entry)
    median, low, high = (_ratio(pick(ratios)) for pick in (statistics.median, min, max))
    return f"{median}× ({low} to {high})"


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""A speed run as Markdown: the machine, one table of all comparisons, and its notes."""

from worthit.bench.speed import table
from worthit.bench.speed.record import SpeedRun
from worthit.reports.text.tables import tabulated

_HEADINGS = (
    "comparison", "entry", "comments/s", "tokens/s", "GEMM share", "accuracy (comments)",
    "peak memory, MB",
    "worthit speed-up",
)  # fmt: skip


def render(run: SpeedRun) -> str:
    weights = dict.fromkeys(
        f"{each.workload.checkpoint} in {each.workload.precision} on {each.device}"
        for each in run.comparisons
    )
    rates = ", ".join(f"{each.best_gemm_flops_per_s / 1e9:,.0f}" for each in run.comparisons)
    conditions = (
        f"{table.machine(run)}, {run.measured_at[:10]}; {'; '.join(weights)}; "
        f"matrix products in the comparisons: {rates} GFLOP/s."
    )
    body = [[each.name, *row] for each in run.comparisons for row in table.rows(each)]
    notes = [
        table.SETTINGS,
        "Accuracy is on the number of comments in brackets",
        "Speed-ups are medians of the slices, lowest to highest in brackets",
        *(line for each in run.comparisons for line in table.variants(each)),
        *table.reasons(run.comparisons),
        *table.disturbances(run.comparisons),
    ]
    return "\n\n".join(
        [conditions, tabulated(_HEADINGS, body, left=2), " ".join(f"{note}." for note in notes)]
    )

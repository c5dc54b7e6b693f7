"""A speed run of one comparison whose every figure is known."""

from typing import Any

from worthit.bench.speed.record import ComparisonResult, EntryResult, SpeedRun, Workload

MACHINE = {
    "cpu": "a CPU",
    "cores_allowed": 2,
    "accelerators": ["a GPU"],
    "libraries": {"torch": "2.13"},
}
REFERENCE = EntryResult("reference", (10, 10), (10.0, 5.0), 0.8, 20, 900.0)
WORTHIT = EntryResult("worthit", (10, 10), (2.0, 2.0), 0.9, 20, 1000.0)
MISSING = EntryResult("llama-int8", reason="it cannot run here")
INT8 = EntryResult("llama-int8", (10, 10), (1.0, 1.0), 0.9, 20, 500.0)


def comparison(*entries: EntryResult) -> ComparisonResult:
    return ComparisonResult(
        "llm-score",
        "cpu",
        Workload("tiny", "bf16", 128, tokens_per_comment=50.0, flops_per_comment=2e9),
        (19e9, 20e9, 18e9),
        entries or (REFERENCE, MISSING, WORTHIT),
    )


def speed_run(*comparisons: ComparisonResult, **changed: Any) -> SpeedRun:
    return SpeedRun(
        "2026-01-02T03:04:05+00:00", "synthetic", MACHINE, comparisons or (comparison(),), **changed
    )

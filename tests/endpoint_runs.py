"""Runs with a model on a server."""

import dataclasses
from typing import Any

from tests import factories, verdict_runs
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, ON_SERVER, measured, unavailable


def requests(comments: int = 3_000, tokens: bool = True, **changed: Any) -> record.Requests:
    nothing = unavailable("tokens", "the server does not count tokens")
    base = record.Requests(
        comments=comments, cached=0, retries=0, rate_limited=0, no_answer={},
        by_log_probabilities=comments,
        prompt_tokens=measured(80, "tokens", "usage") if tokens else nothing,
        completion_tokens=measured(2, "tokens", "usage") if tokens else nothing,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def cell(
    right: float, asked: record.Requests | None = None, no_answer: int = 0
) -> record.CellRecord:
    """An endpoint that classifies this share of the comments correctly."""
    asked = asked or requests()
    base = verdict_runs.cell("llama-zero-shot", right)
    nowhere = unavailable("MB", ON_SERVER)
    assert base.quality is not None
    assert base.latency is not None
    nothing = unavailable("core-ms", ON_SERVER)
    rates = [dataclasses.replace(factories.rate(10 * n, n), core_ms=nothing) for n in (1, 2)]
    return dataclasses.replace(
        base,
        model="endpoint:gpt",
        setup=factories.setup(kind="endpoint", checkpoint="gpt on api.example.com", seeded=False),
        training=factories.training(
            unavailable("s", NOT_TUNED),
            memory=record.Memory(*(nowhere,) * 7, 1), disk_mb=nowhere, comments=0,
            parameters=None, trained_parameters=None,
            cpu_s=unavailable("s", NOT_TUNED), cpu_j=unavailable("J", NOT_TUNED),
        ),
        latency=dataclasses.replace(base.latency, requests=asked),
        throughput=dataclasses.replace(
            factories.throughput(*rates), requests=requests(32, rate_limited=3, retries=4)
        ),
        memory=None,
        quality=dataclasses.replace(base.quality, requests=asked, test_no_answer=no_answer),
    )  # fmt: skip

"""Runs for the page: every kind of figure, on two devices and a server, with hostile names."""

import dataclasses
from typing import Any

from tests import endpoint_runs, factories, priced_runs, verdict_runs
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured

#: a name that would end a script element or an attribute, or run as markup, if it were not escaped
HOSTILE = '</script><img src=x onerror=alert(1)>"&lt;b&gt;\u202e\u2028'


def cuda(model: str, wrong: int, **changed: Any) -> record.CellRecord:
    return priced_runs.cell(model, wrong, device="cuda", **changed)


def endpoint(tokens: bool = True) -> record.CellRecord:
    made = endpoint_runs.cell(0.9, endpoint_runs.requests(tokens=tokens))
    scores = factories.scores(priced_runs.LABELS, range(4))
    assert made.quality is not None
    quality = dataclasses.replace(
        made.quality, train=scores, test=scores, natural=(), validation=(), test_no_answer=0
    )
    return dataclasses.replace(made, quality=quality)


def estimated(model: str) -> record.CellRecord:
    energy = factories.energy(
        Figure(2.0, "J", "estimated", "load"), Figure(9, "J", "estimated", "constant")
    )
    return priced_runs.cell(model, 12, energy=energy)


def disturbed(model: str) -> record.CellRecord:
    base = priced_runs.rated(model, 700, 20)
    assert base.throughput is not None
    rate = base.throughput.machine
    by = dataclasses.replace(rate.comments_per_s, disturbed="another program")
    core = dataclasses.replace(rate.core_ms, disturbed="another program")
    machine = dataclasses.replace(rate, comments_per_s=by, core_ms=core)
    return dataclasses.replace(
        base, throughput=dataclasses.replace(base.throughput, machine=machine)
    )


def cells() -> tuple[record.CellRecord, ...]:
    """On the CPU and on an accelerator, untuned, estimated, disturbed, unscored and on a server."""
    return (
        priced_runs.rated("lsa", 20_000, 3, wrong=24),
        priced_runs.rated("tfidf", 5_000, 30, wrong=12),
        priced_runs.cell("bert", 2),
        priced_runs.untuned(),
        cuda("llama", 1),
        estimated("word2vec"),
        disturbed("embeddings"),
        dataclasses.replace(
            priced_runs.cell("static"), quality=None, failures=("quality: memory",)
        ),
        endpoint(),
    )


def measured_cells() -> tuple[record.CellRecord, ...]:
    """Those whose costs are all measured, so that models are ranked."""
    return (*cells()[:4], cuda("llama", 1))


def run(*given: record.CellRecord, **changed: Any) -> record.Run:
    data = factories.data(factories.part(priced_runs.LABELS), natural=factories.part())
    base = factories.run(data, *(given or cells()), noise=measured(8.0, "%", "loop"))
    return dataclasses.replace(base, **changed)


def cascade(**options: str) -> record.Run:
    """tfidf → llama can replace llama at a lower compute; the energy of tfidf is an estimate."""
    guess, meter = Figure(0.01, "J", "estimated", "load"), measured(5.0, "J", "RAPL")
    return verdict_runs.run(
        verdict_runs.cell("tfidf", 0.85, sure=0.8, p99_ms=2.0, energy=factories.energy(guess)),
        verdict_runs.cell("llama", 0.95, sure=0.9, energy=factories.energy(meter)),
        **options,
    )

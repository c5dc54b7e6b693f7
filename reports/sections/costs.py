"""The section on what scoring costs in detail: throughput, latency, memory and energy."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from worthit.bench.instruments.throughput import WORTHWHILE_GAIN
from worthit.bench.saved.record import CellRecord, Energy, Latency, Throughput, significant
from worthit.reports.analysis import mistakes
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import name
from worthit.reports.analysis.serving import Server, highest_rate_per_s, server
from worthit.reports.sections.glossary import link
from worthit.reports.sections.results_table import figure_table
from worthit.reports.text.format import Footnotes, joined, span, written
from worthit.reports.text.tables import folded, listed, tabulated

Sweeps = Sequence[tuple[str, Throughput]]  # of models by name

_UNABLE = "none, even without a queue"


def section(analysis: Analysis) -> list[str]:
    """One part for each kind of cost; details are folded."""
    parts = (_throughput, _latency, _memory, _energy)
    return [paragraph for part in parts for paragraph in part(analysis)]


def _throughput(analysis: Analysis) -> list[str]:
    run = analysis.run
    measured = [cell for cell in run.cells if cell.throughput is not None]
    if not measured:
        return []
    here, on_servers = (
        [
            (name(run, cell), cell.throughput)
            for cell in measured
            if cell.throughput is not None and cell.is_endpoint == is_endpoint
        ]
        for is_endpoint in (False, True)
    )
    return [
        "## Throughput",
        " ".join(filter(None, [_of_machine(here), _of_servers(on_servers)])),
        *folded(
            "Comments per second of one process by batch size, and of the machine",
            *_sweeps(here, "", _ON_MACHINE),
            *_sweeps(on_servers, "Of endpoints, by requests at once:", {}),
        ),
    ]


def _of_machine(sweeps: Sweeps) -> str:
    if not sweeps:
        return ""
    best = {model: sweep.machine.comments_per_s for model, sweep in sweeps}
    rising = joined([model for model, sweep in sweeps if _is_rising(sweep)])
    core_ms = {model: sweep.machine.core_ms for model, sweep in sweeps}
    text = (
        f"Best {link('throughput')} of the machine: {span(best, 'comments/s')}. "
        f"{link('CPU time')}: {span(core_ms, 'core-ms/comment')}."
    )
    return f"{text} Still rising at the largest batch: {rising}." if rising else text


def _of_servers(sweeps: Sweeps) -> str:
    if not sweeps:
        return ""
    best = [
        f"{significant(sweep.best.comments_per_s.value or 0.0)} comments/s with {sweep.best.batch_size} "
        f"requests at once ({model})"
        for model, sweep in sweeps
    ]
    return f"Best throughput of an {link('endpoint')}: {joined(best)}."


def _sweeps(
    sweeps: Sweeps, title: str, columns: Mapping[str, Callable[[Throughput, Footnotes], str]]
) -> list[str]:
    """Comments per second at each size, how the sweep ended, and more columns."""
    if not sweeps:
        return []
    sizes = sorted({rate.batch_size for _, sweep in sweeps for rate in sweep.batches})
    notes = Footnotes()
    body = []
    for model, sweep in sweeps:
        rates = {rate.batch_size: written(rate.comments_per_s, notes) for rate in sweep.batches}
        rates[sweep.best.batch_size] = f"**{rates[sweep.best.batch_size]}**"
        body.append(
            [
                model,
                *(rates.get(size, "") for size in sizes),
                _end(sweep),
                *(column(sweep, notes) for column in columns.values()),
            ]
        )
    table = tabulated(["model", *map(str, sizes), "at the end", *columns], body)
    return [*([title] if title else []), table, *listed(notes.lines())]


def _busy_cores(sweep: Throughput) -> float:
    """How many cores one process keeps busy at its best batch size."""
    best = sweep.best
    return (best.core_ms.value or 0.0) * (best.comments_per_s.value or 0.0) / 1e3


#: heading → a figure of the machine
_ON_MACHINE: Mapping[str, Callable[[Throughput, Footnotes], str]] = {
    "cores busy": lambda sweep, notes: significant(_busy_cores(sweep)),
    "processes": lambda sweep, notes: f"{sweep.machine.processes}",
    "machine, comments/s": lambda sweep, notes: written(sweep.machine.comments_per_s, notes),
    "CPU time, core-ms/comment": lambda sweep, notes: written(sweep.machine.core_ms, notes),
}


def _end(sweep: Throughput) -> str:
    reasons = {
        "still rising": _is_rising(sweep),
        "the next size did not fit into memory": sweep.ended_by == "memory",
        "the server limited the rate": sweep.ended_by == "rate limit",
        "the next requests had no answer": sweep.ended_by == "no answer",
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds)


def _is_rising(sweep: Throughput) -> bool:
    *earlier, last = (rate.comments_per_s.value or 0.0 for rate in sweep.batches)
    return bool(earlier) and last > max(earlier) * WORTHWHILE_GAIN


def _latency(analysis: Analysis) -> list[str]:
    run, limit_ms = analysis.run, analysis.options.p99_limit_ms
    timed = [(name(run, cell), cell.latency) for cell in run.cells if cell.latency is not None]
    if not timed:
        return []
    table, sentence = _serving(analysis)
    medians = {model: latency.p50_ms for model, latency in timed}
    return [
        "## Latency",
        f"Median {link('latency')}: {span(medians, 'ms')}. {sentence}",
        *folded(
            "Quantiles, cold start, latency by length, and serving",
            figure_table(run, "latency"),
            "By length, in quarters of the comments:",
            _by_length(timed),
            f"Requests per second of which 99 % are answered within {limit_ms:g} ms, at most, "
            f"{link('serving', 'simulated')}:",
            table,
        ),
    ]


def _serving(analysis: Analysis) -> tuple[str, str]:
    """A table of the highest rates of requests, and a sentence on the highest of them."""
    limit_ms = analysis.options.p99_limit_ms
    rates: dict[str, float | None] = {}  # without those of disturbed measurements
    notes = Footnotes()
    body = []
    for cell in analysis.run.cells:
        workers = server(cell)
        if workers is None or cell.latency is None:
            continue
        model, is_disturbed = name(analysis.run, cell), _is_disturbed(cell, workers)
        alone = highest_rate_per_s(workers, limit_ms)
        entries = [_UNABLE, ""]
        if alone is not None:
            entries[0] = significant(alone)
            if workers.largest_batch > 1:
                batched = highest_rate_per_s(workers, limit_ms, in_batches=True)
                rate = _UNABLE if batched is None else significant(batched)
                entries[1] = f"{rate} (up to {workers.largest_batch})"
        label = notes.marked(f"{model} (disturbed)" if is_disturbed else model, _few(cell.latency))
        body.append([label, str(workers.workers), *entries])
        if not is_disturbed:
            rates[model] = alone
    headings = ["model", "workers", "one at a time", "all that wait in a batch"]
    table = "\n\n".join([tabulated(headings, body), *listed(notes.lines())])
    text = f"Within {limit_ms:g} ms for 99 % of requests, this machine can"
    if not body:
        return table, ""
    if not rates:
        return table, "Every measurement was disturbed."
    able = {model: rate for model, rate in rates.items() if rate is not None}
    if not able:
        return table, f"{text} {link('serving', 'serve')} no model, even without a queue."
    fastest = max(able, key=able.__getitem__)
    text = (
        f"{text} {link('serving', 'serve')}, by simulation, at most {significant(able[fastest])} "
        f"requests/s one at a time ({fastest})"
    )
    unable = joined([model for model in rates if model not in able])
    return table, f"{text}; {unable} cannot, even without a queue." if unable else f"{text}."


def _few(latency: Latency) -> str:
    """Why the rates may be too high; empty if 99 % of the latencies are known well enough."""
    if latency.p99_ms.value is not None:
        return ""
    return f"{latency.p99_ms.reason}: 1 request in 100 may take longer than simulated"


def _is_disturbed(cell: CellRecord, workers: Server) -> bool:
    """True if a measurement was disturbed that the simulation uses."""
    parts = [cell.latency, cell.throughput if workers.workers > 1 else None]
    return any(part.disturbance.reasons for part in parts if part and part.disturbance)


def _by_length(timed: Sequence[tuple[str, Latency]]) -> str:
    names, edges = mistakes.quarters(timed[0][1].characters)
    headings = [
        "median, ms", *names, "comments", "samples", "median known to ±", "ended by",
    ]  # fmt: skip
    body = []
    for model, latency in timed:
        samples = np.asarray(latency.samples_ms)
        quarter = np.searchsorted(edges, latency.characters)
        parts = [samples[quarter == number] for number in range(4)]
        body.append(
            [
                model,
                *(significant(float(np.median(part))) if len(part) else "" for part in parts),
                f"{latency.comments:,}",
                f"{len(samples):,}",
                _known_to(latency),
                latency.ended_by,
            ]
        )
    return tabulated(headings, body)


def _known_to(latency: Latency) -> str:
    """Half of the 95 % interval of the median, as a share of the median."""
    if latency.p50_low_ms is None or latency.p50_high_ms is None:
        return ""
    half = (latency.p50_high_ms - latency.p50_low_ms) / 2
    return f"{half / float(np.median(latency.samples_ms)) * 100:.1f} %"


def _memory(analysis: Analysis) -> list[str]:
    run = analysis.run
    peaks = {name(run, cell): cell.memory.peak_mb for cell in run.cells if cell.memory is not None}
    if not peaks:
        return []
    on_accelerator = any(cell.device != "cpu" for cell in run.cells)
    sections = ("memory", "accelerator") if on_accelerator else "memory"
    return [
        "## Memory",
        f"{link('peak memory', 'Peak memory')} while scoring: {span(peaks, 'MB')}.",
        *folded("Parts of memory", figure_table(run, "memory", sections)),
    ]


def _energy(analysis: Analysis) -> list[str]:
    run = analysis.run
    metered = {name(run, cell): cell.energy for cell in run.cells if cell.energy is not None}
    if not metered and all(cell.training is None for cell in run.cells):
        return []
    doubts = [
        f"{name(run, cell)}: {cell.energy.idle_disagreement}; its net figures are doubtful"
        for cell in run.cells
        if cell.energy is not None and cell.energy.idle_disagreement
    ]
    return [
        "## Energy",
        _cpu_energy(metered),
        *listed(doubts),
        *folded(
            "Energy by component, and CPU time of the same windows",
            *([figure_table(run, "energy")] if metered else []),
            "One training run, gross:",
            figure_table(run, "training"),
        ),
    ]


def _cpu_energy(metered: Mapping[str, Energy]) -> str:
    """A sentence on the energy of the processor, or on how to get it."""
    joules = {model: energy.cpu_j_per_comment for model, energy in metered.items()}
    if any(figure.origin == "measured" for figure in joules.values()):
        return f"CPU {link('energy')} of scoring: {span(joules, 'J/comment')}."
    if any(figure.value is not None for figure in joules.values()):
        return f"CPU {link('energy')} is an estimate from CPU time and the watts of `--cpu-watts`."
    reasons = "; ".join(dict.fromkeys(figure.reason for figure in joules.values()))
    how = "`--cpu-watts` of `pytest bench/` estimates it from CPU time"
    return f"CPU {link('energy')} is not available: {reasons}. {how}." if reasons else ""

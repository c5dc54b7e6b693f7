"""The parts of a report that tell what scoring costs: time, memory, energy."""

import numpy as np

from worthit.bench.instruments.throughput import WORTHWHILE_GAIN
from worthit.bench.saved.record import (
    DEFAULT_P99_LIMIT_MS,
    Run,
    Throughput,
    significant,
)
from worthit.reports.analysis.run_view import name
from worthit.reports.analysis.serving import highest_rate_per_s
from worthit.reports.sections.figure_table import figures
from worthit.reports.text.format import Footnotes, written
from worthit.reports.text.tables import listed, tabulated


def throughput(run: Run) -> list[str]:
    """Comments per second by batch size."""
    swept = [
        (name(run, cell), cell.throughput) for cell in run.cells if cell.throughput is not None
    ]
    sizes = sorted({rate.batch_size for _, sweep in swept for rate in sweep.batches})
    notes = Footnotes()
    body = []
    for model, sweep in swept:
        rates = {rate.batch_size: written(rate.comments_per_s, notes) for rate in sweep.batches}
        rates[sweep.best.batch_size] = f"**{rates[sweep.best.batch_size]}**"
        body.append([model, *(rates.get(size, "") for size in sizes), _sweep_end(sweep)])
    return [
        "Comments per second, by how many are computed together; the best in bold. All comments "
        "are at hand at once, the same for every size, and may be sorted by length. The sweep ends "
        "where two sizes in a row gain less than 3 %, where memory does, or at the largest size of "
        "the preset.",
        tabulated(["model", *map(str, sizes), "at the end"], body),
    ]


def _sweep_end(sweep: Throughput) -> str:
    """Whether a larger batch might be faster yet, and why there was none."""
    *earlier, last = (rate.comments_per_s.value or 0.0 for rate in sweep.batches)
    said = ["still rising"] if earlier and last > max(earlier) * WORTHWHILE_GAIN else []
    if sweep.ended_by == "memory":
        said.append("the next size did not fit into memory")
    return ", ".join(said)


def latency(run: Run) -> list[str]:
    """Single comments: percentiles, by length, and what a server could take."""
    paths = ("cold_start_s", "load_s", "first_call_ms", "p50_ms", "p90_ms", "p99_ms")
    headings = ("cold start, s", "of it load, s", "first call, ms", "p50, ms", "p90, ms", "p99, ms")
    return [
        "One comment at a time, every n-th of the test set by length, from text to probability in "
        "host memory. Cold start is from the start of the process to its first answer.",
        figures(run, "latency", headings, paths),
        *_latency_by_length(run),
        *_serving(run),
    ]


def _latency_by_length(run: Run) -> list[str]:
    timed = [(name(run, cell), cell.latency) for cell in run.cells if cell.latency is not None]
    if not timed:
        return []
    edges = np.quantile(timed[0][1].characters, (0.25, 0.5, 0.75)).astype(int)
    body = []
    for model, latency in timed:
        samples = np.asarray(latency.samples_ms)
        bucket = np.searchsorted(edges, latency.characters)
        medians = [samples[bucket == i] for i in range(4)]
        low, high, median = latency.p50_low_ms, latency.p50_high_ms, float(np.median(samples))
        known = (
            f"{(high - low) / 2 / median * 100:.1f} %"
            if low is not None and high is not None
            else ""
        )
        body.append(
            [
                model,
                *(significant(float(np.median(part))) if len(part) else "" for part in medians),
                f"{latency.comments:,}",
                f"{len(samples):,}",
                known,
                latency.ended_by,
            ]
        )
    headings = [
        "median, ms", f"up to {edges[0]:,} characters", f"to {edges[1]:,}", f"to {edges[2]:,}", "longer",
        "comments", "samples", "median known to ±", "ended by",
    ]  # fmt: skip
    return [
        "By length, in quarters of the comments. All comments were timed in turn until the 95 % interval "
        "of the overall median was within ±2 %, twice the passes had narrowed it by less than a tenth "
        "(no gain), or a limit of time or 20,000 samples was reached. The interval is over comments: "
        "where they differ, more passes over the same ones do not narrow it.",
        tabulated(headings, body),
    ]


def _serving(run: Run) -> list[str]:
    limit_ms = float(run.options.get("--p99-limit-ms", DEFAULT_P99_LIMIT_MS))
    body = []
    for cell in run.cells:
        if cell.latency is not None:
            rate = highest_rate_per_s(cell.latency.samples_ms, limit_ms)
            entry = "none: misses it without any queue" if rate is None else significant(rate)
            body.append([name(run, cell), entry])
    return [
        f"Serving: the highest rate of requests, arriving at random, of which 99 % are answered within "
        f"{limit_ms:g} ms by one worker that takes one comment at a time. In virtual time, from the "
        "latencies above; exact while serving one request takes no longer because others wait.",
        tabulated(["model", "requests/s"], body),
    ]


def energy(run: Run) -> list[str]:
    """By component, gross and net, of scoring and of training."""
    columns = {
        "CPU, J/comment": "cpu_j_per_comment",
        "CPU, net": "cpu_net_j_per_comment",
        "RAM, J/comment": "ram_j_per_comment",
        "RAM, net": "ram_net_j_per_comment",
        "GPU, J/comment": "gpu_j_per_comment",
        "GPU, net": "gpu_net_j_per_comment",
        "idle before, W": "idle_before_w",
        "idle after, W": "idle_after_w",
    }
    disagreements = [
        f"{name(run, cell)}: {cell.energy.idle_disagreement}; its net figures are doubtful"
        for cell in run.cells
        if cell.energy is not None and cell.energy.idle_disagreement
    ]
    return [
        "Many comments handed over at once, by component, since estimates of one say nothing of the "
        "others. Net is gross less mean idle power, taken before and after with the model loaded. "
        "Idle power is that of all measured components, or of the CPU if none is measured.",
        figures(run, "energy", list(columns), list(columns.values())),
        *listed(disagreements),
        "One training run, gross.",
        figures(run, "training", ("CPU, J", "RAM, J", "GPU, J"), ("cpu_j", "ram_j", "gpu_j")),
    ]


def memory(run: Run) -> list[str]:
    """Peak memory of scoring, and its parts."""
    paths = ["peak_mb", "baseline_mb", "anonymous_mb", "file_backed_mb"]
    headings = ["peak, MB", "of it before the model", "anonymous after", "file-backed after"]
    if any(cell.device != "cpu" for cell in run.cells):
        paths += ["accelerator_peak_mb", "accelerator_reserved_mb", "accelerator_used_mb"]
        headings += ["accelerator: tensors", "reserved", "device in use"]
    return [
        "Of a process that loads the model and scores, and of those it started, libraries included, "
        "in MB. Anonymous and file-backed memory are those resident when the pass is over; mapped "
        "weights count once they are touched.",
        figures(run, "memory", headings, paths),
    ]

"""A saved run as Markdown. Pure: the same run gives the same text."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tabulate import tabulate

from worthit.bench.cell import cell_name
from worthit.bench.noise import NOISY_PERCENT
from worthit.bench.record import (
    DEFAULT_P99_LIMIT_MS,
    CellRecord,
    Energy,
    Figure,
    Run,
    significant,
    unavailable,
)
from worthit.reports import quality
from worthit.reports.columns import (
    BRIEF,
    RESULTS,
    Footnotes,
    missing,
    name,
    percent,
    percent_with_interval,
    rows,
    written,
)
from worthit.reports.serving import highest_rate_per_s

OVERVIEW = "accuracy against throughput"
LEGEND = (
    "Plain numbers are measured in this run. *≈ italics* are estimates, (cached) comes from an "
    "earlier training on this machine, n/a is not available."
)


_BRIEF_LEGEND = """\
test: accuracy on the balanced test set; p50 ms: latency of one comment; per s:
throughput at the best batch size; MB: peak memory while scoring; mJ: CPU energy
a comment; ≈ estimated, c cached from an earlier training"""


def render(run: Run, pictures: dict[str, str]) -> str:
    """The whole report.

    Args:
        pictures: title → file name beside the report.
    """
    sections = [
        f"# worthit run {run.run_id}",
        _noise_warning(run),
        _summary(run),
        "## Results",
        *results(run),
        *(f"![{title}]({file})" for title, file in pictures.items() if title == OVERVIEW),
        *_seeds(run),
        "## At natural prevalence",
        *_natural(run),
        "## Throughput by batch size",
        *_throughput(run),
        "## Latency",
        *_latency(run),
        "## Memory",
        *_memory(run),
        "## Energy",
        *_energy(run),
        "## Confusion matrices",
        "Balanced test set, called toxic from a probability of 0.5 on.",
        " ".join(f"![{title}]({file})" for title, file in pictures.items() if title != OVERVIEW),
        "## Data",
        *_data(run),
        "## Models",
        *_models(run),
        *_failures(run),
        "## Machine",
        _pairs([*_flat(run.machine), ("noise", _noise(run))]),
        "## Options",
        _pairs(run.options.items()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def results(run: Run) -> list[str]:
    """The results table, its legend and footnotes, as paragraphs."""
    notes = Footnotes()
    table = _tabulated([column.heading for column in RESULTS], rows(RESULTS, run, notes))
    return [table, LEGEND, *_listed(notes.lines())]


def brief(run: Run) -> str:
    """The results table for a terminal of 80 columns."""
    notes = Footnotes()
    body = [
        [entry.replace("*", "").replace(" (cached)", " c") for entry in row]
        for row in rows(BRIEF, run, notes)
    ]
    table = _tabulated([column.heading for column in BRIEF], body, form="simple")
    return "\n".join([table, "", _BRIEF_LEGEND, *notes.lines()])


def headline(run: Run) -> str:
    """One line about where, on what and when."""
    train, test = run.data.step("train").comments, run.data.step("test").comments
    return (
        f"Preset `{run.preset}`: {run.data.title}, {train:,} comments to train on, {test:,} to test on; "
        f"{run.machine['cpu']}, {run.machine['cores_allowed']} cores"
        + "".join(f", {name}" for name in run.machine["accelerators"])
        + f"; {run.finished_at[:10]}."
    )


def _noise_warning(run: Run) -> str:
    if run.noise is None or run.noise.value is None or run.noise.value < NOISY_PERCENT:
        return ""
    return (
        f"**Warning: this machine was noisy, {_noise(run)}; from {significant(NOISY_PERCENT)} % on "
        "small differences in time mean nothing. Measure on an idle machine.**"
    )


def _noise(run: Run) -> str:
    if run.noise is None or run.noise.value is None:
        return "not measured"
    return f"{significant(run.noise.value)} % ({run.noise.instrument})"


def _summary(run: Run) -> str:
    state = (
        ""
        if run.complete
        else " **The run was interrupted: cells that had not finished are missing.**"
    )
    return f"{headline(run)} It took {run.wall_s / 60:.1f} minutes.{state}"


def _seeds(run: Run) -> list[str]:
    """Mean and spread where models were trained more than once."""
    groups: dict[str, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.quality is not None:
            groups.setdefault(cell_name(cell.model, cell.device, 0), []).append(cell)
    body = []
    for model, cells in groups.items():
        if len(cells) < 2:
            continue
        entries = [model, str(len(cells))]
        for values in _seed_values(run, cells):
            mean, spread = np.mean(values), np.std(values, ddof=1)
            entries.append(f"{mean:.3f} ± {spread:.3f}" if len(values) == len(cells) else "n/a")
        body.append(entries)
    if not body:
        return []
    return [
        "## Over seeds",
        "Mean and standard deviation over trainings that differ by nothing but the seed.",
        _tabulated(["model", "seeds", "test accuracy", "ROC AUC", "training, s"], body),
    ]


def _seed_values(run: Run, cells: Sequence[CellRecord]) -> list[list[float]]:
    labels = run.data.test.labels
    scores = [cell.quality.test for cell in cells if cell.quality is not None]
    shares = [quality.accuracy(score, labels) for score in scores]
    areas = [quality.roc_auc(score, labels) for score in scores]
    seconds = [cell.training.train_s.value for cell in cells if cell.training is not None]
    return [
        [share.value for share in shares if share is not None],
        [area for area in areas if area is not None],
        [value for value in seconds if value is not None],
    ]


def _natural(run: Run) -> list[str]:
    natural = run.data.natural
    body = [
        [
            name(run, cell),
            *(
                percent_with_interval(measure(cell.quality.natural, natural.labels))
                for measure in (quality.precision, quality.recall, quality.accuracy)
            ),
        ]
        for cell in run.cells
        if cell.quality is not None
    ]
    return [
        f"A second test set of {len(natural.labels):,} comments, {sum(natural.labels):,} of them "
        f"toxic, as many as the corpus itself has ({percent(run.data.prevalence)}). Precision is "
        "what a moderator lives with: of the comments called toxic, the share that is. It is lower "
        "than on balanced data, where every second comment is toxic.",
        _tabulated(["model", "precision", "recall", "accuracy"], body),
    ]


def _throughput(run: Run) -> list[str]:
    swept = [
        (name(run, cell), cell.throughput) for cell in run.cells if cell.throughput is not None
    ]
    sizes = sorted({rate.batch_size for _, sweep in swept for rate in sweep.batches})
    notes = Footnotes()
    body = []
    for model, sweep in swept:
        rates = {rate.batch_size: written(rate.comments_per_s, notes) for rate in sweep.batches}
        rates[sweep.best.batch_size] = f"**{rates[sweep.best.batch_size]}**"
        end = "" if sweep.stopped_rising else "still rising"
        body.append([model, *(rates.get(size, "") for size in sizes), end])
    return [
        "Comments per second, by how many are computed together; the best in bold. All comments "
        "are at hand at once, the same for every size, and may be sorted by length. The sweep ends "
        "where two sizes in a row gain less than 3 %, or at the largest size of the preset.",
        _tabulated(["model", *map(str, sizes), "at the end"], body),
    ]


def _latency(run: Run) -> list[str]:
    paths = ("cold_start_s", "load_s", "first_call_ms", "p50_ms", "p90_ms", "p99_ms")
    headings = ("cold start, s", "of it load, s", "first call, ms", "p50, ms", "p90, ms", "p99, ms")
    return [
        "One comment at a time, every n-th of the test set by length, from text to probability in "
        "host memory. Cold start is from the start of the process to its first answer.",
        _figures(run, "latency", headings, paths),
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
                f"{len(samples):,}",
                known,
                latency.ended_by,
            ]
        )
    headings = [
        "median, ms", f"up to {edges[0]:,} characters", f"to {edges[1]:,}", f"to {edges[2]:,}", "longer",
        "samples", "median known to ±", "ended by",
    ]  # fmt: skip
    return [
        "By length, in quarters of the comments. Samples were taken until the 95 % bootstrap "
        "interval of the overall median was within ±2 %, or a limit of time or 20,000 samples was reached.",
        _tabulated(headings, body),
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
        _tabulated(["model", "requests/s"], body),
    ]


def _energy(run: Run) -> list[str]:
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
        _figures(run, "energy", list(columns), list(columns.values())),
        *_listed(disagreements),
        *_cost(run),
        "One training run, gross.",
        _figures(run, "training", ("CPU, J", "RAM, J", "GPU, J"), ("cpu_j", "ram_j", "gpu_j")),
    ]


def _cost(run: Run) -> list[str]:
    """What a million comments cost and emit, as far as the run was told prices."""
    headings = {
        "--electricity-price": "cost of a million comments",
        "--carbon-intensity": "CO2e of a million comments, g",
    }
    rates = {option: float(run.options[option]) for option in headings if option in run.options}
    if not rates:
        return []
    notes = Footnotes()
    body = []
    for cell in run.cells:
        if cell.energy is not None:
            kwh = _million_kwh(cell, cell.energy)
            amounts = (
                replace(kwh, value=kwh.value and kwh.value * rate) for rate in rates.values()
            )
            body.append([name(run, cell), *(written(amount, notes) for amount in amounts)])
    given = {"--electricity-price": "{} a kWh", "--carbon-intensity": "{} g of CO2e a kWh"}
    at = " and ".join(given[option].format(run.options[option]) for option in rates)
    return [
        f"CPU and GPU, gross, at {at}.",
        _tabulated(["model", *(headings[option] for option in rates)], body),
        *_listed(notes.lines()),
    ]


def _million_kwh(cell: CellRecord, energy: Energy) -> Figure:
    """Of CPU and GPU; an estimate if either is, unavailable if one that the cell computes on is."""
    parts = [energy.cpu_j_per_comment]
    if cell.device != "cpu" or energy.gpu_j_per_comment.value is not None:
        parts.append(energy.gpu_j_per_comment)
    for part in parts:
        if part.value is None:
            return part
    kwh = sum(part.value or 0.0 for part in parts) * 1e6 / 3.6e6
    estimated = any(part.origin == "estimated" for part in parts)
    return Figure(kwh, "kWh", "estimated" if estimated else "measured", "CPU and GPU, gross")


def _memory(run: Run) -> list[str]:
    paths = ["peak_mb", "baseline_mb", "anonymous_mb", "file_backed_mb"]
    headings = ["peak, MB", "of it before the model", "anonymous after", "file-backed after"]
    if any(cell.device != "cpu" for cell in run.cells):
        paths += ["accelerator_peak_mb", "accelerator_reserved_mb", "accelerator_used_mb"]
        headings += ["accelerator: tensors", "reserved", "device in use"]
    return [
        "Of the process that scores, libraries included, in MB. Anonymous and file-backed memory are "
        "those resident when the pass is over; mapped weights count once they are touched.",
        _figures(run, "memory", headings, paths),
    ]


def _figures(run: Run, part: str, headings: Sequence[str], paths: Sequence[str]) -> str:
    """A table of some figures of one part of the record, with how they were read."""
    notes = Footnotes()
    body = []
    for cell in run.cells:
        held = getattr(cell, part)
        if held is not None:
            not_read = unavailable("", "not measured in this run")
            figures = [getattr(held, path) or not_read for path in paths]
            instruments = dict.fromkeys(
                figure.instrument for figure in figures if figure.instrument
            )
            entries = (
                f"{written(figure, notes)} {notes.mark(figure.reason)}"
                if figure.reason and figure.value is not None
                else written(figure, notes)
                for figure in figures
            )
            body.append([name(run, cell), *entries, "; ".join(instruments)])
    table = _tabulated(["model", *headings, "read from"], body)
    return "\n\n".join([table, *_listed(notes.lines())])


def _data(run: Run) -> list[str]:
    data = run.data
    body = [[step.name, f"{step.comments:,}", f"{step.toxic:,}"] for step in data.steps]
    return [
        f"{data.title} ({data.citation}). Split with seed {data.seed}; key `{data.split}`.",
        _tabulated(["step", "comments", "toxic"], body),
    ]


def _models(run: Run) -> list[str]:
    notes = Footnotes()
    trained = [
        [
            name(run, cell),
            cell.setup.checkpoint or "trained from nothing",
            cell.setup.dtype or "",
            _count(cell.training.parameters),
            _count(cell.training.trained_parameters),
            written(cell.training.disk_mb, notes),
            written(cell.training.memory.peak_mb, notes),
            cell.training.trained_at[:16].replace("T", " "),
            percent(cell.quality.truncated_share) if cell.quality else "",
        ]
        for cell in run.cells
        if cell.setup is not None and cell.training is not None
    ]
    headings = [
        "model", "weights", "dtype", "parameters", "of them trained", "artifact, MB",
        "peak memory in training, MB", "trained at, UTC", "test comments truncated",
    ]  # fmt: skip
    settings = [
        [
            name(run, cell),
            ", ".join(f"{setting} {value}" for setting, value in cell.training.settings.items()),
        ]
        for cell in run.cells
        if cell.training is not None
    ]
    return [
        _tabulated(headings, trained, left=3),
        *_listed(notes.lines()),
        _tabulated(["model", "settings"], settings, left=2),
    ]


def _failures(run: Run) -> list[str]:
    lines = [f"{cell.name}: {reason}" for cell in run.cells for reason in cell.failures]
    lines += [missing(cell, "") for cell in run.cells if cell.skipped]
    return ["## Failed and skipped", *_listed(lines)] if lines else []


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _flat(values: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield key, ", ".join(f"{inner} {entry}" for inner, entry in value.items())
        elif isinstance(value, list):
            yield key, ", ".join(map(str, value)) or "none"
        else:
            yield key, "unknown" if value is None else str(value)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return _tabulated(
        ["what", "value"], [[key.replace("_", " "), value] for key, value in pairs], left=2
    )


def _listed(lines: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def _tabulated(
    headings: Sequence[str], body: Sequence[Sequence[str]], *, form: str = "pipe", left: int = 1
) -> str:
    """A table of texts, the first columns aligned left and the others, numbers, right."""
    if form == "pipe":
        body = [[entry.replace("|", "\\|") for entry in row] for row in body]
    align = ["left"] * left + ["right"] * (len(headings) - left)
    return str(
        tabulate(body, headings, form, colalign=align if body else None, disable_numparse=True)
    )

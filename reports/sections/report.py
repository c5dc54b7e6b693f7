"""A saved run as Markdown. Pure: the same run gives the same text."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from worthit.bench.cell import cell_name
from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.record import (
    CellRecord,
    Data,
    Run,
    significant,
)
from worthit.reports.analysis import budgets, cascade, frontier, learning, metrics, prices, transfer
from worthit.reports.analysis.paired_tests import Pair, pairs
from worthit.reports.analysis.paired_tests import differ as pairs_differ
from worthit.reports.analysis.run_view import missing, name, test_scores
from worthit.reports.sections import by_class, costs, data_audit
from worthit.reports.sections import quality as scores
from worthit.reports.sections.results_table import BRIEF, RESULTS, rows
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, percent, written
from worthit.reports.text.tables import listed, tabulated
from worthit.reports.verdict import rules

FRONTIER = "accuracy against each cost"
CASCADES = "cascades"
LEARNING = "learning curves"
CONFUSION = "confusion matrix of"  # and of which cell
_MOST_COUNTED = 8  # classes with a column of their own, of a table of counts
LEGEND = (
    "Plain numbers are measured in this run. *≈ italics* are estimates, (cached) comes from an "
    "earlier training on this machine, n/a is not available."
)
_MACRO = "ROC AUC is that of each class against the rest, and of these the mean."
_BRIEF_LEGEND = """\
test: accuracy on the balanced test set; p50 ms: latency of one comment; per s:
throughput at the best batch size; MB: peak memory while scoring; mJ: CPU energy
a comment; ≈ estimated, c cached from an earlier training"""


def render(run: Run, pictures: dict[str, str]) -> str:
    """The whole report.

    Args:
        pictures: title → file name beside the report.
    """
    found = pairs(run)
    differ = pairs_differ(found)
    cascades = cascade.chosen(run)
    sections = [
        f"# worthit run {run.run_id}",
        noise_warning(run),
        _summary(run),
        *rules.section(rules.verdict(run, found, cascades)),
        "## Results",
        *results(run),
        "## Frontier",
        _shown(pictures, FRONTIER),
        *frontier.section(run, differ, cascades),
        "## Cascades",
        _shown(pictures, CASCADES),
        *cascade.section(run, cascades),
        *_learning(run, pictures),
        *_seeds(run),
        "## Quality",
        *scores.figures(run),
        _shown(pictures, scores.ROC, scores.RELIABILITY),
        *scores.differences(run, found),
        *by_class.told(run),
        "## At natural prevalence",
        *scores.natural(run),
        _shown(pictures, scores.PRECISION_RECALL),
        *transfer.section(run),
        "## Where models err",
        *scores.errors(run),
        "## Throughput by batch size",
        *costs.throughput(run),
        "## Latency",
        *costs.latency(run),
        "## Memory",
        *costs.memory(run),
        "## Energy",
        *costs.energy(run),
        "## Budgets and prices",
        *_budgets_and_prices(run, found),
        "## Confusion matrices",
        _about_confusion(run),
        _shown(pictures, *(title for title in pictures if title.startswith(CONFUSION))),
        *by_class.confused(run),
        *data_audit.section(run),
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


def _about_confusion(run: Run) -> str:
    on = run.data.test_set.capitalize()
    if class_names.of_two(run):
        return f"{on}, called {class_names.positive(run)} from a probability of {metrics.THRESHOLD:g} on."
    kinds = len(run.data.classes)
    drawn = (
        ""
        if kinds <= by_class.MOST_DRAWN
        else f" A matrix of {kinds} classes is too large to read."
    )
    return f"{on}, called the class of the highest probability.{drawn}"


def _shown(pictures: dict[str, str], *titles: str) -> str:
    return " ".join(f"![{title}]({pictures[title]})" for title in titles if title in pictures)


def results(run: Run) -> list[str]:
    """The results table, its legend and footnotes, as paragraphs."""
    notes = Footnotes()
    table = tabulated([column.heading for column in RESULTS], rows(RESULTS, run, notes))
    macro = "" if class_names.of_two(run) else f" {_MACRO}"
    return [table, LEGEND + macro, *listed(notes.lines())]


def brief(run: Run) -> str:
    """The results table for a terminal of 80 columns."""
    notes = Footnotes()
    body = [
        [entry.replace("*", "").replace(" (cached)", " c") for entry in row]
        for row in rows(BRIEF, run, notes)
    ]
    headings = [column.heading for column in BRIEF]
    others = tabulated(headings[1:], [row[1:] for row in body], form="simple")
    name_width = max(80 - len(others.split("\n", 1)[0]) - 2, len("llama-"))
    table = tabulated(headings, body, form="simple", first_width=name_width)
    reasons = [textwrap.fill(line, 80, subsequent_indent="    ") for line in notes.lines()]
    answer = textwrap.fill(rules.headline(run), 80)
    legend = _BRIEF_LEGEND.replace("balanced test set", run.data.test_set)
    if not class_names.of_two(run):
        legend += f"\n{_MACRO}"
    return "\n".join([table, "", legend, *reasons, "", answer])


def headline(run: Run) -> str:
    """One line about where, on what and when."""
    train, test = run.data.step("train").comments, run.data.step("test").comments
    kinds = "" if class_names.of_two(run) else f", {len(run.data.classes)} classes"
    return (
        f"Preset `{run.preset}`: {run.data.title}{kinds}, {train:,} comments to train on, {test:,} to test on; "
        f"{run.machine['cpu']}, {run.machine['cores_allowed']} cores"
        + "".join(f", {name}" for name in run.machine["accelerators"])
        + f"; {run.finished_at[:10]}."
    )


def noise_warning(run: Run) -> str:
    """A line where the machine was noisy, else an empty one."""
    if run.noise.value is None or run.noise.value < NOISY_PERCENT:
        return ""
    return (
        f"**Warning: this machine was noisy, {_noise(run)}; from {significant(NOISY_PERCENT)} % on "
        "small differences in time mean nothing. Measure on an idle machine.**"
    )


def _noise(run: Run) -> str:
    if run.noise.value is None:
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
            known = len(values) == len(cells)
            entries.append(
                f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" if known else "n/a"
            )
        body.append(entries)
    if not body:
        return []
    return [
        "## Over seeds",
        "Mean and standard deviation over trainings that differ by nothing but the seed.",
        tabulated(["model", "seeds", "test accuracy", "ROC AUC", "training, s"], body),
    ]


def _seed_values(run: Run, cells: Sequence[CellRecord]) -> list[list[float]]:
    labels = run.data.test.labels
    scored = [test_scores(run, cell.quality) for cell in cells if cell.quality is not None]
    shares = [metrics.accuracy(probabilities, labels) for probabilities in scored]
    areas = [metrics.roc_auc(probabilities, labels) for probabilities in scored]
    seconds = [cell.training.train_s.value for cell in cells if cell.training is not None]
    return [
        [share.value for share in shares if share is not None],
        [area for area in areas if area is not None],
        [value for value in seconds if value is not None],
    ]


def _budgets_and_prices(run: Run, found_pairs: Sequence[Pair]) -> list[str]:
    found = [*budgets.section(run), *prices.section(run, found_pairs)]
    return found or [
        f"None were given. `worthit report {run.run_id} --budget latency_ms=20,accuracy=0.9` says who "
        "fits; `--machine-price`, `--electricity-price`, `--api-price` and `--volume` say what a million "
        "comments cost, `--carbon-intensity` what they emit."
    ]


def _learning(run: Run, pictures: dict[str, str]) -> list[str]:
    found = learning.section(run)
    return ["## Learning curves", _shown(pictures, LEARNING), *found] if found else []


def _data(run: Run) -> list[str]:
    data = run.data
    headings, counts = _counted(data)
    body = [
        [step.name, *(f"{count:,}" for count in (step.comments, *of_step))]
        for step, of_step in zip(data.steps, counts, strict=True)
    ]
    return [
        f"{data.title} ({data.citation}). Split with seed {data.seed}; key `{data.key}`.",
        *listed(data.notes),
        tabulated(["step", "comments", *headings], body),
    ]


def _counted(data: Data) -> tuple[list[str], list[tuple[int, ...]]]:
    """What is counted at each step: the positive class, or all; of many, the extremes."""
    names = class_names.names(data)
    if len(names) == 2:
        return names[1:], [(step.toxic,) for step in data.steps]
    if len(names) <= _MOST_COUNTED:
        return names, [step.counts for step in data.steps]
    extremes: list[tuple[int, ...]] = [(min(step.counts), max(step.counts)) for step in data.steps]
    return ["of the rarest class", "of the commonest"], extremes


def _models(run: Run) -> list[str]:
    notes = Footnotes()
    trained = [
        [
            name(run, cell),
            cell.setup.checkpoint or cell.setup.code or "trained from nothing",
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
            ", ".join(f"{pool} {threads}" for pool, threads in cell.setup.thread_pools.items()),
        ]
        for cell in run.cells
        if cell.setup is not None and cell.training is not None
    ]
    return [
        tabulated(headings, trained, left=3),
        *listed(notes.lines()),
        tabulated(["model", "settings", "threads of each pool"], settings, left=3),
    ]


def _failures(run: Run) -> list[str]:
    lines = [f"{cell.name}: {reason}" for cell in run.cells for reason in cell.failures]
    lines += [missing(cell, "") for cell in run.cells if cell.skipped]
    return ["## Failed and skipped", *listed(lines)] if lines else []


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
    return tabulated(
        ["what", "value"], [[key.replace("_", " "), value] for key, value in pairs], left=2
    )

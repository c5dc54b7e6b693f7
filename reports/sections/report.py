"""A saved run as Markdown. Pure: the same run gives the same text."""

import textwrap
from collections.abc import Mapping
from datetime import datetime

from worthit.bench.saved.record import Run
from worthit.datasets.errors import counted
from worthit.reports.analysis import run_view, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import name
from worthit.reports.pictures import titles
from worthit.reports.sections import (
    budgets,
    by_class,
    by_label,
    cascade,
    choices,
    costs,
    data,
    data_audit,
    endpoints,
    errors,
    frontier,
    glossary,
    learning,
    machine,
    models,
    prevalence,
    prices,
    quality,
    results_table,
    seeds,
    transfer,
    tuning,
)
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names, disturbed
from worthit.reports.text.class_names import Kind
from worthit.reports.text.format import Footnotes, joined, percent
from worthit.reports.text.tables import folded, listed, tabulated
from worthit.reports.verdict.rules import Verdict

_BREAK_S = 60.0  # times of a run are written to the second
_REASONS = 3  # above the results; the others are folded
_LEGEND = (
    "Plain numbers are measured in this run, *≈ italics* are estimates, (cached) comes from an earlier "
    "training on this machine, n/a is not available."
)
_MACRO: Mapping[Kind, str] = {
    "two classes": "",
    "several classes": "ROC AUC is the mean over the classes, each against the rest.",
    "several labels": "Macro figures are means over the labels: a rare label counts as much as a frequent one. "
    "Subset accuracy is the share of comments on which all labels are correct.",
}
_BRIEF_LEGEND = (
    "test: {accuracy} on the {test_set}, where {constant} alone gives {majority}; p50 ms: latency "
    "of one comment; per s: throughput at the best batch size; CPU ms: CPU time per comment; MB: peak memory "
    "while scoring; c cached from an earlier training."
)


def render(analysis: Analysis, verdict: Verdict, pictures: Mapping[str, str]) -> str:
    """The whole report.

    Args:
        pictures: title → file name beside the report.
    """

    title = titles.frontier(task.ranking(analysis.run).heading)
    frontier_picture = _images(pictures, titles.FRONTIER).replace(titles.FRONTIER, title)

    def illustrated(section: list[str], *shown: str) -> list[str]:
        """A section with pictures below its heading and conclusion."""
        return [*section[:2], _images(pictures, *shown), *section[2:]] if section else []

    run = analysis.run
    confusion = [title for title in pictures if title.startswith(titles.CONFUSION)]
    paragraphs = [
        f"# worthit run {run.run_id}",
        _summary(run),
        machine.noise_warning(run),
        *_verdict(verdict),
        "## Results",
        *results(analysis),
        frontier_picture,
        *frontier.section(analysis),
        *illustrated(cascade.section(analysis), titles.CASCADES),
        *illustrated(learning.section(analysis), titles.LEARNING),
        *tuning.section(analysis),
        *seeds.section(analysis),
        *illustrated(quality.section(analysis), titles.ROC, titles.RELIABILITY),
        *by_class.section(analysis),
        *by_label.section(analysis),
        *illustrated(prevalence.section(analysis), titles.PRECISION_RECALL),
        *transfer.section(analysis),
        *errors.section(analysis),
        *illustrated(by_class.confusion(analysis), *confusion),
        *costs.section(analysis),
        *endpoints.section(analysis),
        *_budget_and_prices(analysis),
        *data_audit.section(analysis),
        *data.section(analysis),
        *models.section(analysis),
        *machine.section(analysis),
    ]
    paragraphs += glossary.section(analysis, paragraphs)
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def results(analysis: Analysis) -> list[str]:
    """The results table, its legend and footnotes, as paragraphs."""
    table, *notes = results_table.table(analysis)
    doubts = _disturbed(analysis.run)
    return [
        table,
        f"{_LEGEND} {about(analysis)}",
        *([f"**{doubts}**"] if doubts else []),
        *notes,
    ]


def about(analysis: Analysis) -> str:
    """What the figures of the results table are of: how answers were chosen, and which trainings."""
    macro = _macro(analysis.run)
    return (
        f"{choices.legend(analysis)}{f' {macro}' * bool(macro)}{_repeated(analysis)}"
        f"{endpoints.summary(analysis.run)}"
    )


def _macro(run: Run) -> str:
    """What macro figures are, and of several labels what decides; empty for two classes."""
    text = _MACRO[class_names.kind(run.data)]
    if not class_names.of_labels(run):
        return text
    leading = task.ranking(run).heading
    return f"{leading[0].upper()}{leading[1:]} decides. {text}"


def _repeated(analysis: Analysis) -> str:
    """Which figures of the results table are of several trainings; empty if none is."""
    seeds = {model: len(cells) for model, cells in analysis.models.items() if len(cells) > 1}
    if not seeds:
        return ""
    texts = [f"{count} trainings of {model}" for model, count in seeds.items()]
    costs = analysis.options.error_costs is not None
    what = "Accuracies, costs of errors and ROC AUC" if costs else "Accuracies and ROC AUC"
    if class_names.of_labels(analysis.run):
        what = "F1, accuracies and ROC AUC"
    return f" {what} are means of {joined(texts)}; other figures are of the first."


def brief(analysis: Analysis, verdict: Verdict) -> str:
    """The results table and the verdict for a terminal of 80 columns."""
    run, notes = analysis.run, Footnotes()
    of_labels = class_names.of_labels(run)
    headings, body = results_table.brief_rows(run, notes)
    figures = tabulated(headings[1:], [row[1:] for row in body], form="simple")
    name_width = max(80 - len(figures.split("\n", 1)[0]) - 2, len("llama-"))
    table = tabulated(headings, body, form="simple", first_width=name_width)
    reasons = [textwrap.fill(line, 80, subsequent_indent="    ") for line in notes.lines()]
    legend = _BRIEF_LEGEND.format(
        accuracy=task.of(run).correct.heading,
        test_set=run.data.test_set,
        constant="the most common set of labels" if of_labels else "the majority class",
        majority=percent(metrics.majority_accuracy(run_view.truth(run))),
    )
    if of_labels:
        legend = f"F1: macro F1; {legend}"
    legend = f"{legend} {choices.legend(analysis)}{_repeated(analysis)}{endpoints.summary(run)}"
    legend = textwrap.fill(legend, 80)
    if macro := _macro(run):
        legend += f"\n{textwrap.fill(macro, 80)}"
    if doubts := _disturbed(run):
        legend += f"\n{textwrap.fill(f'd: {doubts}', 80)}"
    decided = " ".join([verdict.headline, *verdict.warnings])
    return "\n".join([table, "", legend, *reasons, "", textwrap.fill(decided, 80)])


def _disturbed(run: Run) -> str:
    return disturbed.sentence({name(run, cell): cell for cell in run.cells})


def headline(run: Run) -> str:
    """One line: on which data, on which machine and when."""
    train, test = run.data.step("train").comments, run.data.step("test").comments
    classes = "" if class_names.of_two(run) else f", {class_names.counted(run.data)}"
    accelerators = "".join(f", {name}" for name in run.machine["accelerators"])
    return (
        f"Preset `{run.preset}`: {run.data.title}{classes}, {train:,} training and {test:,} test comments; "
        f"{run.machine['cpu']}, {counted(run.machine['cores_allowed'], 'core')}{accelerators}; "
        f"{run.finished_at[:10]}."
    )


def _summary(run: Run) -> str:
    missing = " **Cells are missing: the run was interrupted, or some were deselected.**"
    state = "" if run.complete else missing
    return f"{headline(run)} It took {run.wall_s / 60:.1f} minutes{_breaks(run)}.{state}"


def _breaks(run: Run) -> str:
    """Says so if the run was interrupted and continued; empty otherwise."""
    started, finished = map(datetime.fromisoformat, (run.started_at, run.finished_at))
    break_s = (finished - started).total_seconds() - run.wall_s
    if break_s < _BREAK_S:
        return ""
    return f", with breaks of {break_s / 60:.1f} minutes: it was interrupted and continued"


def _verdict(verdict: Verdict) -> list[str]:
    first, others = verdict.reasons[:_REASONS], verdict.reasons[_REASONS:]
    changes = "What could change the verdict:" if verdict.changes else ""
    details = [*listed(others), changes, *listed(verdict.changes)]
    if not first:
        return [f"## {verdict.headline}", *verdict.warnings, *details]
    more = "More reasons, and what could change the verdict"
    return [f"## {verdict.headline}", *verdict.warnings, *listed(first), *folded(more, *details)]


def _budget_and_prices(analysis: Analysis) -> list[str]:
    """Both sections, and the options of `worthit report` that would add to them."""
    options = analysis.options
    hints = []
    if not options.limits:
        hints.append("`--budget latency_ms=20,accuracy=0.9` shows which models stay within limits")
    if not options.has_price and not options.prices_tokens and options.api_per_million is None:
        hints.append(
            "`--machine-price`, `--electricity-price`, `--api-price` and `--volume` show what a million "
            "comments cost"
        )
    if options.carbon_g_per_kwh is None:
        hints.append("`--carbon-intensity` shows what they emit")
    sections = [*budgets.section(analysis), *prices.section(analysis)] or ["## Budget and prices"]
    if hints:
        sections.append(f"Options of `worthit report {analysis.run.run_id}`: {'; '.join(hints)}.")
    return sections


def _images(pictures: Mapping[str, str], *shown: str) -> str:
    return " ".join(f"![{title}]({pictures[title]})" for title in shown if title in pictures)

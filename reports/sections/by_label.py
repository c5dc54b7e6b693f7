"""Several labels per comment: the figures of each label."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from worthit.datasets.errors import listed
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.bootstrap import Estimate
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, estimate, joined, percent
from worthit.reports.text.tables import table

_MOST_LABELS = 20  # in a table: nobody reads hundreds of rows
_OFTEN_LACKING = 3  # test comments with a label: 1 of 20 resamples (exp(-3)) has none of them
_UNDEFINED = {0: "no test comment has this label", 1: "every test comment has this label"}

_OfModels = Mapping[str, list[dict[Measure, Estimate]]]  # model → the figures of each label


def section(analysis: Analysis) -> list[str]:
    """F1 and ROC AUC of each label with their intervals; nothing unless there are several labels."""
    run = analysis.run
    if not class_names.of_labels(run) or not analysis.models:
        return []
    names, labels = class_names.names(run.data), truth(run)
    rarest_first = np.argsort(labels.sum(axis=0), kind="stable").tolist()
    shown = sorted(rarest_first[:_MOST_LABELS])
    figures = {
        model: [_of_label(analysis, model, number) for number in shown] for model in analysis.models
    }
    others = len(names) - len(shown)
    left_out = f" The tables have the {_MOST_LABELS} rarest labels; {others} others are left out."
    shown_names = [names[number] for number in shown]
    counts = [int(labels[:, number].sum()) for number in shown]
    rows = [
        [name, f"{count:,}", percent(count / len(labels))]
        for name, count in zip(shown_names, counts, strict=True)
    ]
    return [
        "## By label",
        f"{_lowest(shown_names, figures)} Of each label on the {run.data.test_set}: the number of comments with it, "
        f"n, their share, and each model's {link('F1')} and {link('ROC AUC')} with "
        f"{link('95 % interval', '95 % intervals')}. For few comments, both are uncertain."
        f"{_lacking(names, labels.sum(axis=0).tolist())}"
        f"{left_out * bool(others)}",
        *_table("F1 of each label", metrics.F1, rows, figures),
        *_table("ROC AUC of each label", metrics.ROC_AUC, rows, figures),
    ]


def _of_label(analysis: Analysis, model: str, number: int) -> dict[Measure, Estimate]:
    """The figures of two classes, comments with and without the label; the mean over trainings."""
    run, of_label = analysis.run, truth(analysis.run)[:, number]
    trainings = [scores(run, cell)[:, number] for cell in analysis.models[model]]
    found = bootstrap.estimates(analysis.resamples, of_label, trainings)
    if of_label.min() == of_label.max():
        undefined = _UNDEFINED[int(of_label.max())]
        found = {
            measure: of if of.value is not None else replace(of, reason=undefined)
            for measure, of in found.items()
        }
    return found


def _lacking(names: Sequence[str], counts: Sequence[int]) -> str:
    """What labels of a handful of comments do to the intervals of means over labels; empty without any."""
    few = [name for name, count in zip(names, counts, strict=True) if 0 < count <= _OFTEN_LACKING]
    if not few:
        return ""
    return (
        f" Resamples that lack a label ({listed(few)}) are means over the others, "
        "so the intervals of macro figures are unreliable."
    )


def _lowest(names: list[str], figures: _OfModels) -> str:
    """The label with each model's lowest F1."""
    lowest: dict[str, list[str]] = {}
    for model, by_label in figures.items():
        known = [
            (value, name)
            for name, of in zip(names, by_label, strict=True)
            if (value := of[metrics.F1].value) is not None
        ]
        if known:
            value, name = min(known)
            lowest.setdefault(name, []).append(f"{model} {percent(value)}")
    texts = [f"{name} ({joined(models)})" for name, models in lowest.items()]
    return f"Lowest F1: {'; '.join(texts)}." if texts else "No test comment has a label."


def _table(summary: str, measure: Measure, rows: list[list[str]], figures: _OfModels) -> list[str]:
    notes = Footnotes()
    body = [
        [
            *row,
            *(
                estimate(by_label[place][measure], measure.number, notes)
                for by_label in figures.values()
            ),
        ]
        for place, row in enumerate(rows)
    ]
    headings = ["label", "n", "share", *(f"{model}: {measure.heading}" for model in figures)]
    return table(summary, headings, body, notes)

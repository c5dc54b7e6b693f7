"""Where the models err: by length, by the agreement of raters, and on which comments."""

from collections.abc import Mapping

import numpy as np

from worthit.bench.saved.record import Run, significant
from worthit.reports.analysis import mistakes, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.mistakes import Mask
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.statistics import metrics
from worthit.reports.statistics.ranking_curve import Vector
from worthit.reports.text import class_names
from worthit.reports.text.format import percent
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Accuracy by length and by agreement, and how many comments every model misclassifies."""
    run, part = analysis.run, analysis.run.data.test
    if not analysis.models:
        return []
    shares = {
        model: mistakes.error_shares(truth(run), [scores(run, cell) for cell in cells])
        for model, cells in analysis.models.items()
    }
    missed = np.min(list(shares.values()), axis=0) == 1
    verb = "is" if missed.sum() == 1 else "are"
    summary = (
        f"{missed.sum():,} of {len(missed):,} test comments {verb} misclassified by every model"
    )
    accuracy = task.of(run).correct.heading.capitalize()
    by_length = [
        f"{accuracy} by length, in quarters of the test comments:",
        *_accuracies(run, f"{accuracy} by length", mistakes.by_length(part), shares),
    ]
    if class_names.of_labels(run):
        return [
            "## Where models err",
            f"{summary}, in one label at least.",
            *by_length,
        ]
    by_agreement = mistakes.by_agreement(part) if class_names.of_two(run) else {}
    if not by_agreement:
        return [
            "## Where models err",
            f"{summary}.",
            *by_length,
            "Accuracy by agreement of the raters: n/a, since this dataset has no votes for two classes.",
        ]
    unanimous = by_agreement["unanimous"]
    errors = {model: significant(float(of[unanimous].sum())) for model, of in shares.items()}
    return [
        "## Where models err",
        f"{summary}, {(missed & unanimous).sum():,} of them although all raters agree. `worthit report "
        f"{run.run_id} --errors 20` prints comments that most models miss although all raters agree; they are "
        "hard, or their labels are wrong.",
        *by_length,
        "Accuracy by the share of raters who agree with the majority:",
        *_accuracies(
            run,
            "Accuracy by agreement",
            by_agreement,
            shares,
            {"errors, unanimous": errors},
        ),
    ]


def _majority(run: Run, mask: Mask) -> str:
    """The share of the most common class, or set of labels, of a group."""
    return percent(metrics.majority_accuracy(truth(run)[mask])) if mask.any() else ""


def _accuracies(
    run: Run,
    summary: str,
    groups: Mapping[str, Mask],
    shares: Mapping[str, Vector],
    columns: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Accuracy by group (heading → mask), and more columns (heading → model → entry)."""
    columns = columns or {}
    headings = [f"{heading}, n = {mask.sum():,}" for heading, mask in groups.items()]
    body = [
        [
            model,
            *(percent(1 - of[mask].mean()) if mask.any() else "" for mask in groups.values()),
            *(column[model] for column in columns.values()),
        ]
        for model, of in shares.items()
    ]
    body.append(
        [
            class_names.constant(run),
            *(_majority(run, mask) for mask in groups.values()),
            *("" for _ in columns),
        ]
    )
    return table(summary, ["model", *headings, *columns], body)

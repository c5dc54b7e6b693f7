"""How good the models are on the test set, and which differences are statistically significant."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import leads, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.objective import class_shares
from worthit.reports.analysis.paired_tests import Difference
from worthit.reports.analysis.run_view import calibrated, scores, truth
from worthit.reports.sections import choices, seeds
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.bootstrap import Estimate
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, estimate, joined, p_value, points, with_interval
from worthit.reports.text.tables import folded, table, tabulated

_LEFT_OUT = (
    "Left out, because a comment has several labels: one rater, confusion matrices, natural prevalence and the cost "
    "of errors need one class per comment; cascades need one confidence per answer."
)
NO_SCORES = "No model has scores in this run."

_Estimates = Mapping[str, Mapping[Measure, Estimate]]  # by the name of a row


def section(analysis: Analysis) -> list[str]:
    """Every quality figure with its interval, one human rater, and the paired tests."""
    run, models = analysis.run, analysis.models
    if not models:
        return ["## Quality", NO_SCORES]
    figures = task.of(run)
    estimates = {
        model if len(cells) == 1 else f"{model} ({len(cells)} seeds)": _estimates(analysis, cells)
        for model, cells in models.items()
    }
    rows = {**estimates, **_rater(analysis), **_majority(run)}
    return [
        "## Quality",
        f"{_best(run, estimates)} All figures are of the {run.data.test_set} of "
        f"{len(run.data.test.ids):,} comments, with {link('95 % interval', '95 % intervals')}.",
        f"{_predicted(analysis)}:",
        *_table(figures.decisions, rows),
        f"{_from_scores(analysis)}:",
        *_table(figures.scores, rows),
        *choices.section(analysis),
        _about_rater(analysis),
        *_differences(analysis),
    ]


def _estimates(analysis: Analysis, cells: Sequence[CellRecord]) -> dict[Measure, Estimate]:
    """All figures of a model; accuracy with the interval that the results table shows."""
    run = analysis.run
    trainings = [scores(run, cell) for cell in cells]
    found = bootstrap.estimates(analysis.resamples, truth(run), trainings)
    if any(analysis.decisions.choices[cell.name].moves_answers for cell in cells):
        trainings = [scores(run, calibrated(cell)) for cell in cells]
        of_scores = bootstrap.estimates(analysis.resamples, truth(run), trainings)
        found |= {measure: of_scores[measure] for measure in task.of(run).scores}
    shown = analysis.values[cells[0].name, "accuracy"]
    return found | {task.of(run).correct: Estimate(shown.value, shown.low, shown.high)}


def _best(run: Run, estimates: _Estimates) -> str:
    highest: dict[tuple[str, ...], list[str]] = {}  # models → figures
    for measure in (task.ranking(run), task.of(run).auc):
        values = {
            row: value for row, of in estimates.items() if (value := of[measure].value) is not None
        }
        if values:
            most = max(values.values())
            rows = tuple(row for row, value in values.items() if value == most)
            highest.setdefault(rows, []).append(f"{measure.heading} ({measure.number(most)})")

    def article(figure: str) -> str:
        if len(estimates) > 1:
            return "the highest"
        return "an" if figure.startswith("accuracy") else "a"

    return " ".join(
        f"{joined(rows)} {'has' if len(rows) == 1 else 'have'} {article(figures[0])} {' and '.join(figures)}."
        for rows, figures in highest.items()
    )


def _predicted(analysis: Analysis) -> str:
    run = analysis.run
    if class_names.of_labels(run):
        terms = [link(term) for term in ("F1", "micro F1", "subset accuracy")]
        return (
            f"{choices.predicted_labels(analysis)} ({joined(terms)}); macro figures are {link('macro', 'means')} over "
            f"{_occurring(run)}"
        )
    terms = [link(term) for term in ("balanced accuracy", "precision", "recall", "F1")]
    if class_names.of_two(run):
        text = choices.answered(analysis)
        return f"{text[0].upper()}{text[1:]} ({joined(terms)})"
    return (
        f"Predicted is the class with the highest score{choices.chosen(analysis)} ({joined(terms)}); macro figures are "
        f"{link('macro', 'means')} over {_occurring(run)}"
    )


def _occurring(run: Run) -> str:
    """Over which classes or labels macro figures are."""
    classes, occurring = len(run.data.classes), int(np.count_nonzero(class_shares(run)))
    counted = class_names.counted(run.data)
    return counted if occurring == classes else f"{occurring} of {counted}"


def _from_scores(analysis: Analysis) -> str:
    terms = ["ROC AUC", "average precision", "Brier score", "calibration error"]
    macro = "" if class_names.of_two(analysis.run) else f"; areas are {link('macro')}"
    which = f"{link('calibration', 'calibrated')} " if choices.chosen(analysis) else ""
    return f"From the {which}scores ({joined([link(term) for term in terms])}{macro})"


def _table(measures: Sequence[Measure], rows: _Estimates) -> list[str]:
    notes = Footnotes()
    body = [
        [
            row,
            *(
                estimate(of[measure], measure.number, notes) if measure in of else ""
                for measure in measures
            ),
        ]
        for row, of in rows.items()
    ]
    headings = ["model", *(measure.heading for measure in measures)]
    return table("Figures of all models", headings, body, notes)


def _rater(analysis: Analysis) -> _Estimates:
    """One human rater as a row of the tables; nothing without votes."""
    rater = analysis.rater
    if rater is None:
        return {}
    return {
        "*one rater*": {
            metrics.ACCURACY: rater.accuracy,
            metrics.BALANCED_ACCURACY: rater.auc,
            metrics.ROC_AUC: rater.auc,
        }
    }


def _majority(run: Run) -> _Estimates:
    """A constant answer as a row of the tables."""
    if class_names.of_labels(run):
        known = {measure: leads.of_constant(run, measure) for measure in metrics.LABEL_DECISIONS}
        known[metrics.LABEL_ROC_AUC] = 0.5
        return {class_names.CONSTANT: {measure: Estimate(of) for measure, of in known.items()}}
    labels = run.data.test.labels
    known = {
        metrics.ACCURACY: metrics.majority_accuracy(labels),
        metrics.BALANCED_ACCURACY: 0.5,
        metrics.MACRO_RECALL: 1 / max(len(set(labels)), 1),
        metrics.ROC_AUC: 0.5,
        metrics.MACRO_ROC_AUC: 0.5,
    }
    return {class_names.MAJORITY: {measure: Estimate(value) for measure, value in known.items()}}


def _about_rater(analysis: Analysis) -> str:
    run, rater = analysis.run, analysis.rater
    if class_names.of_labels(run):
        return _LEFT_OUT
    if not class_names.of_two(run):
        return "One rater: n/a, since votes are for or against one class."
    if rater is None:
        return "One rater: n/a, since this dataset has no votes of raters."
    return (
        f"{link('one rater', 'One rater')}: agreement with the majority of the other raters, on the comments "
        f"with at least two votes, {rater.comments:,} of {len(run.data.test.labels):,}."
    )


def _differences(analysis: Analysis) -> list[str]:
    """Which models differ significantly; nothing for fewer than two."""
    pairs, notes = analysis.pairs, Footnotes()
    if not pairs:
        return []
    names = {cells[0].name: model for model, cells in analysis.models.items()}
    ranking, auc = task.ranking(analysis.run), task.of(analysis.run).auc
    all_auc = [pair.auc for pair in pairs if pair.auc is not None]

    def same(cell: str, differences: Sequence[Difference]) -> str:
        """The models from which a cell is not shown to differ."""
        if not differences:
            return notes.missing(auc.undefined)
        others = [
            names[pair.second if pair.first == cell else pair.first]
            for pair, difference in zip(pairs, differences, strict=True)
            if cell in (pair.first, pair.second) and not difference.is_significant
        ]
        return ", ".join(others) or "no other"

    def entries(difference: Difference | None, number: Callable[[float], str]) -> list[str]:
        if difference is None:
            return [notes.missing(auc.undefined)] * 2
        p = p_value(difference.p, bold=difference.is_significant)
        return [with_interval(difference, number), p]

    by_accuracy = [pair.leading for pair in pairs]
    rows = [[model, same(cell, by_accuracy), same(cell, all_auc)] for cell, model in names.items()]
    headings = [f"no significant difference in {of.heading} from" for of in (ranking, auc)]
    every_pair = [
        [
            f"{names[pair.first]} − {names[pair.second]}",
            *entries(pair.leading, points),
            *entries(pair.auc, "{:+.3f}".format),
        ]
        for pair in pairs
    ]
    different, different_auc = (
        sum(difference.is_significant for difference in of) for of in (by_accuracy, all_auc)
    )
    and_auc = f", {auc.heading} in {different_auc}" if all_auc else ""
    others = "The other pairs may still differ; more test comments would show smaller differences."
    about = "This table is exploratory: the verdict tests only the LLM against each cheaper model."
    return [
        "### Statistically significant differences",
        f"{ranking.heading[0].upper()}{ranking.heading[1:]} differs "
        f"{link('statistically significant', 'significantly')} in {different} of {len(pairs)} "
        f"pairs of models{and_auc}.{f' {others}' * (different < len(pairs))} {about}",
        seeds.once(analysis),
        *table(
            "Models without a significant difference", ["model", *headings], rows, notes, left=3
        ),
        *folded(
            f"All {len(pairs)} pairs, first minus second",
            tabulated(
                [
                    "models",
                    f"{ranking.heading}, points",
                    "p, corrected",
                    auc.heading,
                    "p, corrected",
                ],
                every_pair,
            ),
        ),
    ]

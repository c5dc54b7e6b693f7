"""How good the models are on the test set, and which differences are statistically significant."""

from collections.abc import Mapping, Sequence

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bootstrap import Estimate
from worthit.reports.analysis.metrics import Measure
from worthit.reports.analysis.paired_tests import Pair
from worthit.reports.analysis.run_view import test_scores
from worthit.reports.analysis.transfer import auc_measure
from worthit.reports.sections.glossary import link
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, estimate, joined, p_value, percent, points
from worthit.reports.text.tables import folded, table, tabulated

NO_SCORES = "No model has scores in this run."

_Estimates = Mapping[str, Mapping[Measure, Estimate]]  # by the name of a row


def section(analysis: Analysis) -> list[str]:
    """Every quality figure with its interval, one human rater, and the paired tests."""
    run, models = analysis.run, analysis.models
    if not models:
        return ["## Quality", NO_SCORES]
    two = class_names.of_two(run)
    estimates = {
        _with_seeds(model, cells): bootstrap.estimates(
            analysis.resamples,
            run.data.test.labels,
            [test_scores(run, cell.quality) for cell in cells if cell.quality is not None],
        )
        for model, cells in models.items()
    }
    rows = {**estimates, **_rater(analysis)}
    return [
        "## Quality",
        f"{_best(run, estimates)} All figures are of the {run.data.test_set} of "
        f"{len(run.data.test.labels):,} comments, with {link('95 % interval', '95 % intervals')}.",
        f"{_predicted(run)}:",
        *_table(metrics.DECISIONS if two else metrics.MACRO_DECISIONS, rows),
        f"{_from_probabilities(two)}:",
        *_table(metrics.SCORES if two else metrics.MACRO_SCORES, rows),
        _about_rater(analysis),
        *_differences(analysis),
    ]


def _with_seeds(model: str, cells: Sequence[CellRecord]) -> str:
    return model if len(cells) == 1 else f"{model} ({len(cells)} seeds)"


def _best(run: Run, estimates: _Estimates) -> str:
    """Which models have the highest accuracy and ROC AUC."""
    highest: dict[tuple[str, ...], list[str]] = {}  # models → figures
    for measure, number in ((metrics.ACCURACY, percent), (auc_measure(run), _fixed)):
        values = {
            row: value for row, of in estimates.items() if (value := of[measure].value) is not None
        }
        if values:
            most = max(values.values())
            rows = tuple(row for row, value in values.items() if value == most)
            highest.setdefault(rows, []).append(f"{measure.heading} ({number(most)})")
    best = "the highest " if len(estimates) > 1 else "an "
    return " ".join(
        f"{joined(rows)} {'has' if len(rows) == 1 else 'have'} {best}{' and '.join(figures)}."
        for rows, figures in highest.items()
    )


def _predicted(run: Run) -> str:
    """What is predicted, and which figures follow from it."""
    terms = [link(term) for term in ("balanced accuracy", "precision", "recall", "F1")]
    if class_names.of_two(run):
        return (
            f"Predicted {class_names.positive(run)} from a probability of {metrics.THRESHOLD:g} "
            f"({joined(terms)})"
        )
    classes, occurring = len(run.data.classes), len(set(run.data.test.labels))
    averaged = f"{classes} classes" if occurring == classes else f"{occurring} of {classes} classes"
    return (
        f"Predicted is the most probable class ({joined(terms)}); macro figures are "
        f"{link('macro', 'means')} over {averaged}"
    )


def _from_probabilities(two: bool) -> str:
    terms = ["ROC AUC", "average precision", "Brier score", "calibration error"]
    macro = "" if two else f"; areas are {link('macro')}"
    return f"From the probabilities ({joined([link(term) for term in terms])}{macro})"


def _table(measures: Sequence[Measure], estimates: _Estimates) -> list[str]:
    notes = Footnotes()
    body = [
        [
            row,
            *(
                estimate(of[measure], notes, percent if measure.percent else _fixed)
                if measure in of
                else ""
                for measure in measures
            ),
        ]
        for row, of in estimates.items()
    ]
    headings = ["model", *(measure.heading for measure in measures)]
    return table("Figures of all models", headings, body, notes)


def _fixed(value: float) -> str:
    return f"{value:.3f}"


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


def _about_rater(analysis: Analysis) -> str:
    run, rater = analysis.run, analysis.rater
    if not class_names.of_two(run):
        return "One rater: n/a, since votes are for or against one class."
    if rater is None:
        return "One rater: n/a, since this dataset has no votes of raters."
    return (
        f"{link('one rater', 'One rater')}: agreement with the majority of the other raters, on the "
        f"{rater.comments:,} of {len(run.data.test.labels):,} comments with at least two votes."
    )


def _differences(analysis: Analysis) -> list[str]:
    """Which models differ significantly; nothing for fewer than two."""
    pairs = analysis.pairs
    if not pairs:
        return []
    names = {cells[0].name: model for model, cells in analysis.models.items()}
    auc = auc_measure(analysis.run).heading
    notes = Footnotes()
    rows = []
    for cell, model in names.items():
        own = [pair for pair in pairs if cell in (pair.first, pair.second)]
        same_accuracy = _others([pair for pair in own if not pair.accuracy_differs], cell, names)
        same_auc = _others([pair for pair in own if not pair.auc_differs], cell, names)
        rows.append([model, same_accuracy, same_auc if _has_auc(pairs) else _no_auc(notes)])
    headings = ["model", *(f"no significant difference in {of} from" for of in ("accuracy", auc))]
    every_pair = tabulated(
        ["models", "accuracy, points", "p", auc, "p"],
        [_pair(pair, names, notes) for pair in pairs],
    )
    return [
        "### Statistically significant differences",
        _significant_pairs(pairs, auc),
        *table("Models without a significant difference", headings, rows, notes, left=3),
        *folded(f"All {len(pairs)} pairs, first minus second", every_pair),
    ]


def _significant_pairs(pairs: Sequence[Pair], auc: str) -> str:
    by_accuracy = sum(pair.accuracy_differs for pair in pairs)
    text = (
        f"Accuracy differs {link('statistically significant', 'significantly')} in {by_accuracy} of "
        f"{len(pairs)} pairs of models"
    )
    if _has_auc(pairs):
        text += f", {auc} in {sum(pair.auc_differs for pair in pairs)}"
    if by_accuracy == len(pairs):
        return f"{text}."
    return f"{text}. The other pairs may still differ; more test comments would show smaller differences."


def _others(pairs: Sequence[Pair], cell: str, names: Mapping[str, str]) -> str:
    others = (pair.second if pair.first == cell else pair.first for pair in pairs)
    return ", ".join(names[other] for other in others) or "no other"


def _pair(pair: Pair, names: Mapping[str, str], notes: Footnotes) -> list[str]:
    interval = f"{points(pair.accuracy_low)} to {points(pair.accuracy_high)}"
    entries = [
        f"{names[pair.first]} − {names[pair.second]}",
        f"{points(pair.accuracy_difference)} ({interval})",
        p_value(pair.accuracy_p, pair.accuracy_differs),
    ]
    if pair.auc_difference is None or pair.auc_p is None:
        return [*entries, _no_auc(notes), _no_auc(notes)]
    return [
        *entries,
        f"{pair.auc_difference:+.3f} ({pair.auc_low:+.3f} to {pair.auc_high:+.3f})",
        p_value(pair.auc_p, pair.auc_differs),
    ]


def _has_auc(pairs: Sequence[Pair]) -> bool:
    return all(pair.auc_p is not None for pair in pairs)


def _no_auc(notes: Footnotes) -> str:
    return notes.missing(metrics.ROC_AUC.undefined)

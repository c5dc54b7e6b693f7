"""How good the models are at the corpus's own share of positive comments."""

from worthit.bench.saved.record import Quality, Run, significant
from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bootstrap import Estimate
from worthit.reports.analysis.ranking_curve import Curve, Matrix
from worthit.reports.analysis.run_view import accuracy, name, scores
from worthit.reports.sections.glossary import link
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, estimate, joined, percent, with_interval
from worthit.reports.text.tables import table

HEADING = "## At natural prevalence"


def section(analysis: Analysis) -> list[str]:
    """Precision and recall of the positive class; for more than two classes, accuracy."""
    run = analysis.run
    if not analysis.models:
        return []
    if not class_names.of_two(run):
        return [HEADING, *_more_classes(run)]
    recall, labels = analysis.options.recall, run.data.natural.labels
    resamples = bootstrap.counts(len(labels))
    reached = {
        cell.name: _at_recall(resamples, run, cell.quality, recall)
        for cell in run.cells
        if cell.quality is not None
    }
    notes = Footnotes()
    body = [
        [
            name(run, cell),
            *(
                with_interval(measure(scores(run, cell, "natural"), labels), percent)
                for measure in (metrics.precision, metrics.recall, metrics.accuracy)
            ),
            *_entries(run, reached[cell.name], notes),
        ]
        for cell in run.cells
        if cell.quality is not None
    ]
    headings = [
        "model", "precision", "recall", "accuracy", "average precision",
        f"precision at recall {100 * recall:g} %", "threshold for it",
    ]  # fmt: skip
    which = "a second test set" if run.data.balanced else "the test set"
    return [
        HEADING,
        f"{_best(run, reached, recall)}The figures are of {which} of {len(labels):,} comments, {sum(labels):,} "
        f"of them {class_names.positive(run)}: the {link('natural prevalence')}, {percent(run.data.prevalence)}. "
        f"In brackets: {link('95 % interval', '95 % intervals')}.",
        *table("Figures at natural prevalence", headings, body, notes),
        f"The last two columns: the highest threshold that finds {100 * recall:g} % of the "
        f"{class_names.positive(run)} comments (`--recall`), chosen on these comments, and its precision.",
    ]


#: average precision, precision at the recall, its threshold, and whether that is below all scores
_Reached = tuple[Estimate, Estimate, Estimate, bool]


def _at_recall(resamples: Matrix, run: Run, quality: Quality, recall: float) -> _Reached | None:
    """None if only one class occurs."""
    labels, scores = run.data.natural.labels, quality.natural
    at_recall = metrics.at_recall(scores, labels, recall)
    area = metrics.AVERAGE_PRECISION.value(scores, labels)
    if at_recall is None or area is None:
        return None
    curve = Curve.of(resamples, labels, scores)
    precision, threshold = map(bootstrap.estimate, at_recall, curve.at_recall(recall))
    average = bootstrap.estimate(area, curve.average_precision())
    return average, precision, threshold, at_recall[1] <= min(scores)


def _entries(run: Run, reached: _Reached | None, notes: Footnotes) -> list[str]:
    if reached is None:
        return [notes.missing(metrics.ROC_AUC.undefined)] * 3
    average, precision, threshold, flags_everything = reached
    entries = [
        estimate(average, metrics.AVERAGE_PRECISION.number, notes),
        estimate(precision, percent, notes),
        estimate(threshold, significant, notes),
    ]
    if flags_everything:
        reason = f"reached only by predicting {class_names.positive(run)} for every comment"
        entries[1] += f" {notes.mark(reason)}"
    return entries


def _best(run: Run, reached: dict[str, _Reached | None], recall: float) -> str:
    precisions = {cell: known[1].value or 0.0 for cell, known in reached.items() if known}
    if not precisions:
        return ""
    highest = max(precisions.values())
    names = [name(run, cell) for cell in run.cells if precisions.get(cell.name) == highest]
    which = "the highest precision:" if len(precisions) > 1 else "a precision of"
    return (
        f"At a recall of {100 * recall:g} %, {joined(names)} {'has' if len(names) == 1 else 'have'} {which} "
        f"{percent(highest)}. "
    )


def _more_classes(run: Run) -> list[str]:
    about = (
        f"Precision at a recall needs one positive class; this run has {len(run.data.classes)} classes. "
        "`--positive-label CLASS` compares one class with the rest."
    )
    if not run.data.balanced:
        return [about, "The test set has the natural shares of the classes already."]
    labels = run.data.natural.labels
    body = [
        [name(run, cell), with_interval(accuracy(run, cell, "natural"), percent)]
        for cell in run.cells
        if cell.quality is not None
    ]
    return [
        f"A second test set of {len(labels):,} comments has the natural shares of the classes. The most "
        f"common class alone gives {percent(metrics.majority_accuracy(labels))}.",
        *table("Accuracy at natural prevalence", ["model", "accuracy"], body),
        about,
    ]

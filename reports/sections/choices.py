"""How each model's scores become answers: calibration and threshold, raw and chosen results."""

from collections.abc import Callable

import numpy as np

from worthit.bench.saved.record import CellRecord, Run, significant
from worthit.reports.analysis import decisions, prices, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.decisions import Choice
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, joined, with_reason
from worthit.reports.text.natural import at_share
from worthit.reports.text.tables import table

_RESOLVED = 13.8  # log-odds of the largest score below 1 in a record
_FOR = {
    "accuracy": "the highest accuracy",
    "balanced-accuracy": "the highest balanced accuracy",
    "f1": "the highest F1",
    "recall": "the recall",
    "cost": "the lowest cost of errors",
    "macro-f1": "the highest macro F1, with a threshold for each label",
    "micro-f1": "the highest micro F1",
    "subset-accuracy": "the highest subset accuracy",
}


def answered(analysis: Analysis) -> str:
    """From which score on two classes are predicted positive, in a clause."""
    positive = class_names.positive(analysis.run)
    if not _comments(analysis):
        return f"predicted {positive} from a score of {metrics.THRESHOLD:g}"
    return f"predicted {positive} from the threshold that validation comments chose"


def chosen(analysis: Analysis) -> str:
    """What is added about the answers of more than two classes."""
    if not _comments(analysis):
        return ""
    weighted = any(choice.moves_answers for choice in analysis.decisions.choices.values())
    by_class = " and weighted by class" * weighted
    return f", calibrated{by_class} on validation comments"


def predicted_labels(analysis: Analysis) -> str:
    """From which score on a label is predicted."""
    if not _comments(analysis):
        return f"A label is predicted from a score of {metrics.THRESHOLD:g} on"
    return "A label is predicted from its threshold on, which validation comments chose"


def legend(analysis: Analysis) -> str:
    """How scores became answers, in one sentence without links."""
    comments = _comments(analysis)
    if not comments:
        own = "Answers are the models' own"
        return own + (", corrected for class weights." if analysis.run.data.weighted else ".")
    return f"Answers are chosen on {comments:,} validation comments for {_objective(analysis, _plain)}."


def section(analysis: Analysis) -> list[str]:
    """Raw results beside those with the choice; nothing is chosen without validation comments."""
    run, comments = analysis.run, _comments(analysis)
    if not comments:
        return [
            f"Scores are raw: with {len(run.data.validation.ids)} validation comments (at least "
            f"{decisions.LEAST_COMMENTS} are needed), no calibration and no threshold is chosen"
            f"{_threshold_of_labels(run)}."
            + " Those of models with class weights are corrected for the shares of the training comments."
            * run.data.weighted,
            *_costs(analysis),
        ]
    return [
        "### Calibration and thresholds",
        f"Chosen on {comments:,} validation comments for {_objective(analysis, link)}: {link('calibration')} and "
        "threshold of each training. No model was trained or tested on these comments, so test intervals are those "
        "of a model with its choice. Raw is the model's own score, with the answer "
        f"{_own_answer(analysis.run)}.",
        *_table(analysis),
        *_costs(analysis),
    ]


def _comments(analysis: Analysis) -> int:
    """The number of validation comments that chose; 0 if nothing was chosen."""
    return max((one.comments for one in analysis.decisions.choices.values()), default=0)


def _threshold_of_labels(run: Run) -> str:
    return f"; a label is predicted from {metrics.THRESHOLD:g} on" * class_names.of_labels(run)


def _own_answer(run: Run) -> str:
    if class_names.of_labels(run):
        return f"yes from {metrics.THRESHOLD:g} on, label by label"
    if class_names.of_two(run):
        return f"{class_names.positive(run)} from {metrics.THRESHOLD:g} on"
    return "of the highest score"


def _plain(term: str) -> str:
    return term


def _objective(analysis: Analysis, term: Callable[[str], str]) -> str:
    """What answers are chosen for.

    Args:
        term: writes a term of the glossary.
    """
    objective, two = analysis.decisions.objective, class_names.of_two(analysis.run)
    if objective.name == "recall":
        return f"a recall of {100 * objective.recall:g} %"
    if objective.name == "f1" and not two:
        return "the highest macro F1"
    if objective.name == "cost" and objective.costs is not None:
        costs = objective.costs
        data = analysis.run.data
        at = at_share(data) if data.balanced else "at the test set's shares"
        return (
            f"the lowest {term('cost of errors')} (a miss {costs.miss:.10g}, a false alarm "
            f"{costs.false_alarm:.10g}) {at}"
        )
    return _FOR[objective.name]


def _table(analysis: Analysis) -> list[str]:
    run, chosen = analysis.run, analysis.decisions
    two = class_names.of_two(run)
    leading = task.ranking(run)
    measures = (leading, metrics.BRIER, metrics.CALIBRATION_ERROR)
    body = []
    for model, cells in analysis.models.items():
        choices = [chosen.choices[cell.name] for cell in cells]
        raw, calibrated, decided = (
            _means(run, one, cells, measures)
            for one in (chosen.measured, chosen.calibrated, chosen.decided)
        )
        row = [model, _joined([_method(choice) for choice in choices])]
        if two:
            row.append(_joined([own_threshold(choice) for choice in choices]))
        row += [raw[0], decided[0]]
        for number in (1, 2):
            row += [raw[number], calibrated[number]]
        body.append(row)
    headings = [
        "model", "calibration", *["own score from which on it answers yes"] * two,
        f"{leading.heading}, raw", "chosen", "Brier score, raw", "calibrated", "calibration error, raw", "calibrated",
    ]  # fmt: skip
    raw_and_chosen = table("Raw and chosen results of all models", headings, body, left=2)
    return [*raw_and_chosen, *_by_label(analysis)]


def _by_label(analysis: Analysis) -> list[str]:
    """Each label's threshold, as the model's own score; nothing unless there are several labels."""
    run = analysis.run
    if not class_names.of_labels(run):
        return []
    names, body, unknown = class_names.names(run.data), [], set[str]()
    for model, cells in analysis.models.items():
        of_cells = [analysis.decisions.choices[cell.name].by_label for cell in cells]
        by_label = list(zip(*of_cells, strict=True))
        body.append([model, *(_joined([own_threshold(one) for one in of]) for of in by_label)])
        unknown |= {
            name
            for name, of in zip(names, by_label, strict=True)
            if not all(one.comments for one in of)
        }
    kept = (
        f" All or none of the validation comments have {joined(sorted(unknown))}, so {metrics.THRESHOLD:g} stays "
        "unless one threshold is for all labels."
    )
    return [
        f"The model's own score from which on each label is predicted.{kept * bool(unknown)}",
        *table("Thresholds by label", ["model", *names], body),
    ]


def _method(choice: Choice) -> str:
    if choice.by_label:
        return _joined([_method(one) for one in choice.by_label])
    method = choice.calibration.method
    corrected = "corrected for class weights"
    if not choice.calibration.prior:
        return method
    return corrected if method == "raw" else f"{corrected}, {method}"


def own_threshold(choice: Choice) -> str:
    """Of two classes: the model's own score from which on the answer is positive, or `never`, `always`."""
    first, second = choice.offsets or (0.0, 0.0)
    biases = choice.calibration.biases or (0.0, 0.0)
    prior = choice.calibration.prior or (0.0, 0.0)
    log_odds = (first + biases[0] - second - biases[1]) / choice.calibration.scale
    log_odds += prior[0] - prior[1]
    if abs(log_odds) > _RESOLVED:
        return "never" if log_odds > 0 else "always"
    return significant(float(f"{1 / (1 + np.exp(-log_odds)):.3g}"))


def _joined(texts: list[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def _means(run: Run, of: Run, cells: list[CellRecord], measures: tuple[Measure, ...]) -> list[str]:
    """The mean figures over the trainings of a model, as text."""
    names = {cell.name for cell in cells}
    trainings = [scores(of, cell) for cell in of.cells if cell.name in names]
    found = [metrics.values(one, truth(run)) for one in trainings]
    texts = []
    for measure in measures:
        values = [value for one in found if (value := one[measure]) is not None]
        texts.append(measure.number(float(np.mean(values))) if values else "n/a")
    return texts


def _costs(analysis: Analysis) -> list[str]:
    """Total costs, where errors have a price; nothing else."""
    if analysis.options.error_costs is None or not class_names.of_two(analysis.run):
        return []
    notes, body = Footnotes(), []
    for model, cells in analysis.models.items():
        row = [model]
        for key in ("error_cost", prices.TOTAL_COST):
            found = analysis.values[cells[0].name, key]
            text = with_reason(found.figure, notes)
            known = found.value is not None
            row.append(
                f"{text} ({significant(found.low)} to {significant(found.high)})" * known or text
            )
        body.append(row)
    machine = (
        "errors and running" if analysis.options.prices_compute else "errors only: no machine price"
    )
    headings = ["model", "errors", f"total ({machine})"]
    return [
        f"The {link('cost of errors')} per 1,000 comments, with 95 % intervals:",
        *table("Expected cost per 1,000 comments", headings, body, notes),
    ]

"""How good the models are at the shares that the classes have where the comments come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import NOT_TUNED, CellRecord, Run, significant
from worthit.reports.analysis import decisions
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import scores
from worthit.reports.sections import choices
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import bootstrap, metrics, natural
from worthit.reports.statistics.bootstrap import Estimate
from worthit.reports.statistics.metrics import Measure
from worthit.reports.statistics.ranking_curve import Curve, Matrix
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities
from worthit.reports.text.format import Footnotes, estimate, joined, percent, with_interval
from worthit.reports.text.natural import at_share
from worthit.reports.text.tables import table

_MEASURES = (
    metrics.PRECISION,
    metrics.RECALL,
    metrics.F1,
    metrics.ACCURACY,
    metrics.AVERAGE_PRECISION,
)
_AT_RECALL = (metrics.PRECISION, metrics.RECALL)
_EACH_SEED = "one for each seed; the interval of the precision is over comments only"
_NO_PRIOR = "not tuned and not calibrated: its scores hold for no known shares"


@dataclass(frozen=True)
class _Set:
    """The natural test set of a run."""

    run: Run
    resamples: Matrix

    @property
    def labels(self) -> tuple[int, ...]:
        return self.run.data.natural.labels

    def estimates(self, trainings: list[Probabilities]) -> Mapping[Measure, Estimate]:
        data = self.run.data
        return bootstrap.estimates(self.resamples, self.labels, trainings, natural.weights(data))


def section(analysis: Analysis) -> list[str]:
    """Figures of the natural test set, and what a correction of the scores changes."""
    run = analysis.run
    if not analysis.models or class_names.of_labels(run):
        return []
    heading = _heading(run)
    if not run.data.natural.ids:
        return [heading, "The run has no comments of this kind."]
    tested = _Set(run, natural.resamples(run.data))
    shown = {
        model: tested.estimates([scores(run, cell, "natural") for cell in cells])
        for model, cells in analysis.models.items()
    }
    figures = _of_two if class_names.of_two(run) else _of_many
    return [heading, *figures(analysis, tested, shown), *_correction(analysis, tested)]


def _heading(run: Run) -> str:
    text = at_share(run.data)
    return f"## {text[0].upper()}{text[1:]}"


def _described(run: Run) -> str:
    """Where the comments come from, and what the figures are for."""
    data, labels, counts = run.data, run.data.natural.labels, run.data.population
    sample = f"{len(labels):,} comments{_positives(run, labels)}"
    own = link("the data's own share", f"the data's own share{'s' * (len(data.classes) > 2)}")
    if not data.balanced:
        return f"The figures are of the test set of {sample}. It has {own}."
    figures = (
        f"The figures are for this share. They come from {sample} that no model was trained on. Rare classes "
        f"are drawn more often than they occur, and comments are {link('weighted')} accordingly."
    )
    if not data.stream:
        return f"{_share(run, counts, f'{sum(counts):,} comments')}: {own}. {figures}"
    population = f"a random sample of {sum(counts):,} {data.stream}"
    corpus = _share(run, data.steps[0].counts, "the whole corpus, which is not a random sample,")
    return (
        f"{_share(run, counts, population)}: the {link('natural prevalence')}. {figures} "
        f"For comparison: {corpus}."
    )


def _positives(run: Run, labels: Sequence[int]) -> str:
    return f" ({sum(labels):,} {class_names.positive(run)})" if class_names.of_two(run) else ""


def _share(run: Run, counts: npt.ArrayLike, of: str) -> str:
    """The share of the positive class; of more classes, the extremes."""
    shares = np.asarray(counts) / np.sum(counts)
    if class_names.of_two(run):
        return f"{percent(float(shares[1]))} of {of} are {class_names.positive(run)}"
    return (
        f"{percent(float(shares.min()))} to {percent(float(shares.max()))} of {of} are of one class"
    )


_Estimates = Mapping[str, Mapping[Measure, Estimate]]  # by model


def _of_two(analysis: Analysis, tested: _Set, shown: _Estimates) -> list[str]:
    run, recall, notes = analysis.run, analysis.options.recall, Footnotes()
    if _on_validation(analysis):
        return _validated(analysis, tested, shown)
    reached = {model: _at_recall(tested, cells, recall) for model, cells in analysis.models.items()}
    body = [
        [
            _named(analysis, model),
            *(estimate(of[measure], measure.number, notes) for measure in _MEASURES),
            *_entries(run, reached[model], notes),
        ]
        for model, of in shown.items()
    ]
    body.append(_majority_row(run, ["", "", ""], ["", "", ""]))
    headings = [
        "model", *(measure.heading for measure in _MEASURES),
        f"precision at recall {100 * recall:g} %", "threshold for it",
    ]  # fmt: skip
    positive = class_names.positive(run)
    return [
        f"{_best(reached, recall)}{_described(run)} "
        f"In brackets: {link('95 % interval', '95 % intervals')}.",
        f"{_capital(choices.answered(analysis))}. The last two columns: the highest "
        f"threshold that finds {100 * recall:g} % of the {positive} comments (`--recall`), chosen on these "
        "comments, and its precision, which that choice raises.",
        *table("Figures of all models", headings, body, notes),
    ]


def _on_validation(analysis: Analysis) -> bool:
    """Whether thresholds for a recall can be chosen on validation comments."""
    chosen = analysis.decisions.choices.values()
    return 1 in analysis.run.data.validation.labels and all(choice.comments for choice in chosen)


def _validated(analysis: Analysis, tested: _Set, shown: _Estimates) -> list[str]:
    """The figures of two classes, with thresholds for a recall that validation comments chose."""
    run, recall, notes = analysis.run, analysis.options.recall, Footnotes()
    body = []
    for model, of in shown.items():
        thresholds, reached = _reached(analysis, tested, analysis.models[model])
        body.append(
            [
                _named(analysis, model),
                *(estimate(of[measure], measure.number, notes) for measure in _MEASURES),
                *(estimate(reached[measure], percent, notes) for measure in _AT_RECALL),
                ", ".join(map(significant, thresholds)),
            ]
        )
    body.append(_majority_row(run, ["", "", ""], ["", "", "", ""]))
    headings = [
        "model", *(measure.heading for measure in _MEASURES),
        f"precision, threshold for recall {100 * recall:g} %", "recall there", "that threshold",
    ]  # fmt: skip
    return [
        f"{_described(run)} In brackets: {link('95 % interval', '95 % intervals')}.",
        f"{_capital(choices.answered(analysis))}. The last three columns are for the highest threshold of the "
        f"calibrated score that finds {100 * recall:g} % of the {class_names.positive(run)} validation comments "
        "(`--recall`), with its precision and recall on the comments of this section.",
        *table("Figures of all models", headings, body, notes),
    ]


def _reached(
    analysis: Analysis, tested: _Set, cells: list[CellRecord]
) -> tuple[list[float], Mapping[Measure, Estimate]]:
    """The threshold of each training for the recall, and the figures of its answers."""
    run, recall = analysis.run, analysis.options.recall
    labels = np.asarray(run.data.validation.labels)
    calibrated = {cell.name: cell for cell in analysis.decisions.calibrated.cells}
    thresholds, answers = [], []
    for cell in cells:
        of = calibrated[cell.name]
        threshold = decisions.recall_threshold(scores(run, of, "validation"), labels, recall)
        thresholds.append(threshold)
        answers.append((scores(run, of, "natural") >= threshold).astype(np.float64))
    return thresholds, tested.estimates(answers)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _named(analysis: Analysis, model: str) -> str:
    seeds = len(analysis.models[model])
    return model if seeds == 1 else f"{model} ({seeds} seeds)"


def _majority_row(run: Run, before: list[str], after: list[str]) -> list[str]:
    return [class_names.MAJORITY, *before, percent(float(natural.shares(run.data).max())), *after]


@dataclass(frozen=True)
class _Reached:
    """What a model needs for a recall."""

    precision: Estimate
    thresholds: tuple[Estimate, ...]  # of each seed: they are different models
    flags_everything: bool  # a threshold is below all scores


def _at_recall(tested: _Set, cells: list[CellRecord], recall: float) -> _Reached | None:
    """None if only one class occurs."""
    labels, run = tested.labels, tested.run
    if len(set(labels)) < 2:
        return None
    precisions, drawn, thresholds, lowest = [], [], [], False
    for cell in cells:
        of = scores(run, cell, "natural")
        known = metrics.at_recall(of, labels, recall, natural.weights(run.data))
        assert known is not None
        precision, threshold = Curve.of(tested.resamples, labels, of).at_recall(recall)
        precisions.append(known[0])
        drawn.append(precision)
        thresholds.append(bootstrap.estimate(known[1], threshold))
        lowest |= known[1] <= of.min()
    mean = bootstrap.estimate(float(np.mean(precisions)), np.mean(drawn, axis=0))
    return _Reached(mean, tuple(thresholds), lowest)


def _entries(run: Run, reached: _Reached | None, notes: Footnotes) -> list[str]:
    if reached is None:
        return [notes.missing(metrics.ROC_AUC.undefined)] * 2
    precision = estimate(reached.precision, percent, notes)
    if reached.flags_everything:
        reason = f"reached only by predicting {class_names.positive(run)} for every comment"
        precision += f" {notes.mark(reason)}"
    if len(reached.thresholds) == 1:
        return [precision, estimate(reached.thresholds[0], significant, notes)]
    values = [significant(one.value) for one in reached.thresholds if one.value is not None]
    return [precision, f"{', '.join(values)} {notes.mark(_EACH_SEED)}"]


def _best(reached: Mapping[str, _Reached | None], recall: float) -> str:
    known = {model: of.precision for model, of in reached.items() if of is not None}
    if not known:
        return ""
    highest = max(of.value or 0.0 for of in known.values())
    names = [model for model, of in known.items() if of.value == highest]
    which = "the highest precision:" if len(known) > 1 else "a precision of"
    return (
        f"At a recall of {100 * recall:g} %, {joined(names)} {'has' if len(names) == 1 else 'have'} {which} "
        f"{with_interval(known[names[0]], percent)}. "
    )


def _of_many(analysis: Analysis, tested: _Set, shown: _Estimates) -> list[str]:
    run, notes = analysis.run, Footnotes()
    about = (
        f"Precision at a recall needs one positive class; this run has {len(run.data.classes)} classes. "
        "`--positive-label CLASS` compares one class with the rest."
    )
    if not run.data.balanced:
        return ["The test set has the data's own shares of the classes already.", about]
    number = metrics.ACCURACY.number
    body = [
        [_named(analysis, model), estimate(of[metrics.ACCURACY], number, notes)]
        for model, of in shown.items()
    ]
    body.append(_majority_row(run, [], []))
    return [
        f"{_described(run)} In brackets: {link('95 % interval', '95 % intervals')}.",
        *table("Accuracy of all models", ["model", "accuracy"], body, notes),
        about,
    ]


def _correction(analysis: Analysis, tested: _Set) -> list[str]:
    """Calibration and accuracy of raw and corrected scores; nothing if training has the same shares."""
    run = analysis.run
    here = natural.shares(run.data)
    hold_for = [natural.raw_shares(run.data, cells[0]) for cells in analysis.models.values()]
    differing = [each for each in hold_for if [*map(percent, each)] != [*map(percent, here)]]
    if not differing or not all(each.all() for each in hold_for):
        return []
    notes, body, raw = Footnotes(), [], {}
    measured = {cell.name: cell for cell in analysis.decisions.measured.cells}
    for model, cells in analysis.models.items():
        trainings = [scores(run, measured[cell.name], "natural") for cell in cells]
        raw[model] = tested.estimates(trainings)
        after = _corrected(analysis, tested, cells)
        row = [_named(analysis, model)]
        for measure in (metrics.CALIBRATION_ERROR, metrics.ACCURACY):
            row.append(estimate(raw[model][measure], measure.number, notes))
            row.append(
                notes.missing(_NO_PRIOR)
                if after is None
                else estimate(after[measure], measure.number, notes)
            )
        body.append(row)
    highest = percent(float(here.max()))
    body.append([class_names.MAJORITY, "", "", highest, highest])
    headings = ["model", *(f"{what}, {of}" for what in ("calibration error", "accuracy")
                           for of in ("raw scores", "corrected"))]  # fmt: skip
    return [
        "### Scores are not probabilities here",
        f"{_worst(raw)}{_trained_on(run, differing[0])}, and {_share(run, here, 'these comments')}: "
        "scores right for the training comments would be too high for a class that is rarer here. "
        f"{link('corrected scores', 'Corrected scores')} account for the shares, but not for other "
        "differences.",
        *table("Scores of all models, raw and corrected", headings, body, notes),
    ]


def _corrected(
    analysis: Analysis, tested: _Set, cells: list[CellRecord]
) -> Mapping[Measure, Estimate] | None:
    """The figures of calibrated scores corrected once for the natural shares; None without a prior."""
    run, chosen = analysis.run, analysis.decisions
    calibrated = {cell.name: cell for cell in chosen.calibrated.cells}
    on_validation = all(chosen.choices[cell.name].comments for cell in cells)
    if _is_untuned(cells[0]) and not on_validation:
        return None
    hold_for = (natural.validation_shares if on_validation else natural.training_shares)(run.data)
    return tested.estimates(
        [
            natural.corrected(run.data, scores(run, calibrated[cell.name], "natural"), hold_for)
            for cell in cells
        ]
    )


def _trained_on(run: Run, shares: npt.ArrayLike) -> str:
    """The shares of the classes in training; with class weights as they counted there."""
    if run.data.weighted:
        return "Class weights count each class the same in training"
    return _share(run, shares, "the training comments")


def _is_untuned(cell: CellRecord) -> bool:
    return cell.training is not None and cell.training.train_s.reason == NOT_TUNED


def _worst(raw: _Estimates) -> str:
    number: Callable[[float], str] = metrics.CALIBRATION_ERROR.number
    errors = {model: of[metrics.CALIBRATION_ERROR].value or 0.0 for model, of in raw.items()}
    model = max(errors, key=lambda name: errors[name])
    return f"The {link('calibration error')} of raw scores is up to {number(errors[model])} ({model}). "

"""The parts of a report that tell how good the classifiers are, and how sure that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from worthit.bench.saved.record import DEFAULT_RECALL, CellRecord, Quality, Run, significant
from worthit.reports.analysis import bootstrap, human_rater, metrics, mistakes
from worthit.reports.analysis.bootstrap import Estimate
from worthit.reports.analysis.metrics import Measure
from worthit.reports.analysis.mistakes import Mask
from worthit.reports.analysis.paired_tests import Pair
from worthit.reports.analysis.ranking_curve import Curve, Matrix, Vector
from worthit.reports.analysis.run_view import by_model, name, test_scores
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities
from worthit.reports.text.format import Footnotes, percent, percent_with_interval
from worthit.reports.text.tables import listed, tabulated

ROC = "ROC curves"
RELIABILITY = "reliability diagram"
PRECISION_RECALL = "precision-recall curves"

_NO_SCORES = "No model has scores in this run."
_OF_MANY = (
    "ROC AUC and average precision are of each class against the rest, and of these the mean "
    "(macro); chance makes average precision too high, more so of rare classes, for which its interval "
    "makes up. The Brier score is Brier's own, from 0 to 2: squared differences of all classes' "
    "probabilities from 1 or 0, summed. Calibration is that of the class called. "
)


def figures(run: Run) -> list[str]:
    """Every figure of quality on the test set, and one rater beside the models."""
    models = by_model(run)
    if not models:
        return [_NO_SCORES]
    labels = run.data.test.labels
    times = bootstrap.counts(len(labels))
    found = {
        _with_seeds(model, cells): bootstrap.estimates(times, labels, _test_scores(run, cells))
        for model, cells in models.items()
    }
    rater = human_rater.rater_of(run)
    if rater is not None:
        found["*one rater*"] = {
            metrics.ACCURACY: rater.accuracy,
            metrics.BALANCED_ACCURACY: rater.auc,
            metrics.ROC_AUC: rater.auc,
        }
    two = class_names.of_two(run)
    return [
        f"On the {run.data.test_set} of {len(labels):,} comments, in brackets the 95 % interval of "
        f"{bootstrap.RESAMPLES:,} bootstrap resamples of the comments{_over_seeds(models)}. "
        f"{_called(run)}",
        *_table(metrics.DECISIONS if two else metrics.MACRO_DECISIONS, found),
        f"By the probabilities alone. {'' if two else _OF_MANY}Calibration error is the expected "
        f"one, over {metrics.BINS} bins of equal width; chance makes it too high, for which its "
        "interval makes up. Brier score and calibration error are best at 0.",
        *_table(metrics.SCORES if two else metrics.MACRO_SCORES, found),
        _people(rater, run),
    ]


def _called(run: Run) -> str:
    if class_names.of_two(run):
        return f"Called {class_names.positive(run)} from a probability of {metrics.THRESHOLD:g} on:"
    kinds, occur = len(run.data.classes), len(set(run.data.test.labels))
    those = f"the {kinds} classes" if occur == kinds else f"the {occur} of {kinds} classes in it"
    return (
        "Called the class of the highest probability. Macro figures are means over "
        f"{those}, each counted alike however rare; precision is 0 of a class that none is called:"
    )


def _over_seeds(models: Mapping[str, Sequence[CellRecord]]) -> str:
    several = any(len(cells) > 1 for cells in models.values())
    return ", and of the seeds where there are several (their mean is shown)" if several else ""


def _with_seeds(model: str, cells: Sequence[CellRecord]) -> str:
    return model if len(cells) == 1 else f"{model} ({len(cells)} seeds)"


def _test_scores(run: Run, cells: Iterable[CellRecord]) -> list[Probabilities]:
    return [test_scores(run, cell.quality) for cell in cells if cell.quality is not None]


def _table(
    measures: Sequence[Measure], found: Mapping[str, Mapping[Measure, Estimate]]
) -> list[str]:
    notes = Footnotes()
    body = [
        [
            model,
            *(
                _entry(estimates[measure], notes, percent if measure.percent else _fixed)
                if measure in estimates
                else ""
                for measure in measures
            ),
        ]
        for model, estimates in found.items()
    ]
    headings = ["model", *(measure.heading for measure in measures)]
    return [tabulated(headings, body), *listed(notes.lines())]


def _entry(estimate: Estimate, notes: Footnotes, number: Callable[[float], str]) -> str:
    """An estimate as tables show it, its numbers written by `number`."""
    if estimate.value is None:
        return f"n/a {notes.mark(estimate.reason)}"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value)} {notes.mark(estimate.reason)}"
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


def _fixed(value: float) -> str:
    return f"{value:.3f}"


def _people(rater: human_rater.Rater | None, run: Run) -> str:
    if not class_names.of_two(run):
        return (
            "How well people do is n/a: raters' votes tell one class from the rest, and here are "
            f"{len(run.data.classes)}."
        )
    if rater is None:
        return "How well people do is n/a: these data do not tell the votes of raters."
    return (
        f"One rater is what to read a model's accuracy against: how often a person agrees with the "
        f"majority of the other raters of the same comments, on the {rater.comments:,} of "
        f"{len(run.data.test.labels):,} that have two votes or more; a tie among the others counts half. A "
        "model is held to the majority of all raters, but the rater's own vote is left out, or it "
        "would count in the rater's favour."
    )


def differences(run: Run, found: Sequence[Pair]) -> list[str]:
    """Which models are told apart by these comments; nothing of fewer than two.

    Args:
        found: of `worthit.reports.analysis.paired_tests.pairs(run)`.
    """
    if not found:
        return []
    models = by_model(run)
    shown = {cells[0].name: model for model, cells in models.items()}
    several = any(len(cells) > 1 for cells in models.values())
    auc = (metrics.ROC_AUC if class_names.of_two(run) else metrics.MACRO_ROC_AUC).heading
    no_auc = any(pair.auc_p is None for pair in found)
    notes = Footnotes()
    body = []
    for cell, model in shown.items():
        own = [pair for pair in found if cell in (pair.first, pair.second)]
        alike = _others([pair for pair in own if not pair.accuracy_differs], cell, shown)
        alike_auc = _others([pair for pair in own if not pair.auc_differs], cell, shown)
        body.append([model, alike, _missing_auc(notes) if no_auc else alike_auc])
    table = tabulated(
        ["models", "accuracy, points", "p", auc, "p"],
        [_pair(pair, shown, notes) for pair in found],
    )
    return [
        "## Which differences are more than chance",
        "Two models are told apart when a difference this large would be rare (p < 0.05) between "
        "equals: on the same comments, by McNemar's exact test of accuracy and by the paired "
        f"bootstrap of {auc}, with p corrected by Holm for the number of pairs and intervals each "
        "for itself. Models not told apart may still differ: more test comments would show it."
        + (" Of several seeds the first stands for its model." if several else ""),
        tabulated(
            ["model", "accuracy not told apart from", f"{auc} not told apart from"], body, left=3
        ),
        *listed(notes.lines()),
        f"<details><summary>First minus second, all pairs ({len(found)})</summary>",
        table,
        "</details>",
    ]


def _others(found: Sequence[Pair], cell: str, shown: Mapping[str, str]) -> str:
    others = (pair.second if pair.first == cell else pair.first for pair in found)
    return ", ".join(shown[other] for other in others) or "no other"


def _pair(pair: Pair, shown: Mapping[str, str], notes: Footnotes) -> list[str]:
    def points(value: float) -> str:
        return f"{100 * value:+.1f}"

    entries = [
        f"{shown[pair.first]} − {shown[pair.second]}",
        f"{points(pair.accuracy_difference)} ({points(pair.accuracy_low)} to {points(pair.accuracy_high)})",
        _p(pair.accuracy_p),
    ]
    if pair.auc_difference is None or pair.auc_p is None:
        return [*entries, _missing_auc(notes), _missing_auc(notes)]
    return [
        *entries,
        f"{pair.auc_difference:+.3f} ({pair.auc_low:+.3f} to {pair.auc_high:+.3f})",
        _p(pair.auc_p),
    ]


def _missing_auc(notes: Footnotes) -> str:
    return f"n/a {notes.mark(metrics.ROC_AUC.undefined)}"


def _p(value: float) -> str:
    number = "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"**{number}**" if value < metrics.ALPHA else number


def natural(run: Run) -> list[str]:
    """At the corpus's own share of positive comments: what moderators would live with."""
    if not class_names.of_two(run):
        return _natural_of_many(run)
    part, positive = run.data.natural, class_names.positive(run)
    recall = float(run.options.get("--recall", DEFAULT_RECALL))
    times = bootstrap.counts(len(part.labels))
    notes = Footnotes()
    body = []
    for cell in run.cells:
        if cell.quality is not None:
            shares = (
                percent_with_interval(measure(cell.quality.natural, part.labels))
                for measure in (metrics.precision, metrics.recall, metrics.accuracy)
            )
            reached = _at_recall(times, run, cell.quality, recall, notes)
            body.append([name(run, cell), *shares, *reached])
    second = "A second" if run.data.balanced else "The same"
    than = "lower" if run.data.prevalence < 0.5 else "higher"
    return [
        f"{second} test set of {len(part.labels):,} comments, {sum(part.labels):,} of them "
        f"{positive}, as many as the corpus itself has ({percent(run.data.prevalence)}). Precision is "
        f"what a moderator lives with: of the comments called {positive}, the share that is. It is "
        f"{than} than on balanced data, where every second comment is {positive}.",
        f"The last columns are for who wants {100 * recall:g} % of the {positive} comments found (option "
        "`--recall`): the highest threshold that finds them, chosen on these very comments, and what "
        "is left of precision. Their intervals are of the bootstrap, the others Wilson's.",
        tabulated(
            ["model", "precision", "recall", "accuracy", "average precision",
             f"precision at recall {100 * recall:g} %", "threshold for it"],
            body,
        ),
        *listed(notes.lines()),
    ]  # fmt: skip


def _natural_of_many(run: Run) -> list[str]:
    """Accuracy alone: precision at natural prevalence is of one class that is looked for."""
    paragraphs = [
        "Precision at natural prevalence, or at a recall, and its curve are of one class that is looked "
        f"for among the rest; this run has {len(run.data.classes)} classes, so there are none. "
        "`--positive-label CLASS` tells one class from the rest."
    ]
    if not run.data.balanced:
        return [*paragraphs, "The test set above has the classes' own shares already."]
    labels = run.data.natural.labels
    body = []
    for cell in run.cells:
        if cell.quality is not None:
            scores = class_names.probabilities(run.data, cell.quality.natural)
            shown = percent_with_interval(metrics.accuracy(scores, labels))
            body.append([name(run, cell), shown])
    return [
        *paragraphs,
        f"A second test set of {len(labels):,} comments has the classes' own shares; with Wilson's "
        f"95 % intervals. Always answering the commonest class is right for {percent(metrics.guessing(labels))}.",
        tabulated(["model", "accuracy"], body),
    ]


def _at_recall(
    times: Matrix, run: Run, scored: Quality, recall: float, notes: Footnotes
) -> list[str]:
    """Average precision, and precision and threshold at a recall, as entries of a table."""
    labels, scores = run.data.natural.labels, scored.natural
    reached = metrics.at_recall(scores, labels, recall)
    area = metrics.average_precision(scores, labels)
    if reached is None or area is None:
        return [_missing_auc(notes)] * 3
    curve = Curve.of(times, labels, scores)
    drawn = curve.at_recall(recall)
    precision, threshold = map(bootstrap.estimate, reached, drawn)
    entries = [
        _entry(bootstrap.estimate(area, curve.average_precision()), notes, _fixed),
        _entry(precision, notes, percent),
        _entry(threshold, notes, significant),
    ]
    if reached[1] <= min(scores):
        entries[1] += " " + notes.mark(
            f"reached only by calling every comment {class_names.positive(run)}"
        )
    return entries


def errors(run: Run) -> list[str]:
    """Accuracy by length and by how far raters agree, and what every model gets wrong."""
    models, part = by_model(run), run.data.test
    if not models:
        return [_NO_SCORES]
    wrong = {
        model: mistakes.wrong(part.labels, _test_scores(run, cells))
        for model, cells in models.items()
    }
    by_agreement = mistakes.by_agreement(part) if class_names.of_two(run) else {}
    lost = np.min(list(wrong.values()), axis=0) == 1
    told = f"{lost.sum():,} of {len(lost):,} test comments are told wrong by every model"
    paragraphs = [
        "By length, in quarters of the test comments; n is how many.",
        _accuracies(mistakes.by_length(part), wrong),
    ]
    if not by_agreement:
        return [
            *paragraphs,
            "By raters' agreement n/a: these data do not tell their votes.",
            f"{told}.",
        ]
    unanimous = by_agreement["unanimous"]
    misses = {model: significant(float(shares[unanimous].sum())) for model, shares in wrong.items()}
    return [
        *paragraphs,
        "By the share of raters who agree with their majority.",
        _accuracies(by_agreement, wrong, {"wrong though unanimous": misses}),
        f"{told}, {(lost & unanimous).sum():,} of them though all raters agree. `worthit report "
        f"{run.run_id} --errors 20` prints what most models miss though all raters agree: wrong "
        "labels, or what no model here can read.",
    ]


def _accuracies(
    buckets: Mapping[str, Mask],
    wrong: Mapping[str, Vector],
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """A table of accuracy by bucket, with more columns, heading → model → entry, after it."""
    more = more or {}
    headings = [f"{heading}, n = {mask.sum():,}" for heading, mask in buckets.items()]
    body = [
        [
            model,
            *(percent(1 - shares[mask].mean()) if mask.any() else "" for mask in buckets.values()),
            *(column[model] for column in more.values()),
        ]
        for model, shares in wrong.items()
    ]
    return tabulated(["model", *headings, *more], body)

"""The parts of a report that tell how good the classifiers are, and how sure that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from worthit.bench.record import DEFAULT_RECALL, CellRecord, Part, Run, significant
from worthit.reports import mistakes, people, quality, resampling
from worthit.reports.columns import Footnotes, by_model, name, percent, percent_with_interval
from worthit.reports.curve import Curve, Matrix, Vector
from worthit.reports.mistakes import Mask
from worthit.reports.pairs import Pair, pairs
from worthit.reports.quality import Measure
from worthit.reports.resampling import Estimate
from worthit.reports.tables import listed, tabulated

ROC = "ROC curves"
RELIABILITY = "reliability diagram"
PRECISION_RECALL = "precision-recall curves"

_NO_SCORES = "No model has scores in this run."


def figures(run: Run) -> list[str]:
    """Every figure of quality on the balanced test set, and one rater beside the models."""
    models = by_model(run)
    if not models:
        return [_NO_SCORES]
    labels = run.data.test.labels
    times = resampling.counts(len(labels))
    found = {
        _with_seeds(model, cells): resampling.estimates(times, labels, _test_scores(cells))
        for model, cells in models.items()
    }
    rater = people.rater(run.data.test)
    if rater is not None:
        found["*one rater*"] = {
            quality.ACCURACY: rater.accuracy,
            quality.BALANCED_ACCURACY: rater.auc,
            quality.ROC_AUC: rater.auc,
        }
    return [
        f"On the {run.data.test_set} of {len(labels):,} comments, in brackets the 95 % interval of "
        f"{resampling.RESAMPLES:,} bootstrap resamples of the comments{_over_seeds(models)}. Called "
        f"toxic from a probability of {quality.THRESHOLD:g} on:",
        *_table(quality.DECISIONS, found),
        f"By the probabilities alone. Calibration error is the expected one, over {quality.BINS} bins "
        "of equal width; chance makes it too high, for which its interval makes up. Brier score and "
        "calibration error are best at 0.",
        *_table(quality.SCORES, found),
        _people(rater, run.data.test),
    ]


def _over_seeds(models: Mapping[str, Sequence[CellRecord]]) -> str:
    several = any(len(cells) > 1 for cells in models.values())
    return ", and of the seeds where there are several (their mean is shown)" if several else ""


def _with_seeds(model: str, cells: Sequence[CellRecord]) -> str:
    return model if len(cells) == 1 else f"{model} ({len(cells)} seeds)"


def _test_scores(cells: Iterable[CellRecord]) -> list[tuple[float, ...]]:
    return [cell.quality.test for cell in cells if cell.quality is not None]


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


def _people(rater: people.Rater | None, part: Part) -> str:
    if rater is None:
        return "How well people do is n/a: these data do not tell the votes of raters."
    return (
        f"One rater is what to read a model's accuracy against: how often a person agrees with the "
        f"majority of the other raters of the same comments, on the {rater.comments:,} of "
        f"{len(part.labels):,} that have two votes or more; a tie among the others counts half. A "
        "model is held to the majority of all raters, but the rater's own vote is left out, or it "
        "would count in the rater's favour."
    )


def differences(run: Run, found: Sequence[Pair]) -> list[str]:
    """Which models are told apart by these comments; nothing of fewer than two.

    Args:
        found: of `pairs(run)`.
    """
    models = by_model(run)
    if any(len(cells) > 1 for cells in models.values()):
        found = pairs(replace(run, cells=tuple(cells[0] for cells in models.values())))
    if not found:
        return []
    shown = {cells[0].name: model for model, cells in models.items()}
    several = any(len(cells) > 1 for cells in models.values())
    no_auc = any(pair.auc_p is None for pair in found)
    notes = Footnotes()
    body = []
    for cell, model in shown.items():
        own = [pair for pair in found if cell in (pair.first, pair.second)]
        alike = _others([pair for pair in own if not pair.accuracy_differs], cell, shown)
        alike_auc = _others([pair for pair in own if not pair.auc_differs], cell, shown)
        body.append([model, alike, _missing_auc(notes) if no_auc else alike_auc])
    table = tabulated(
        ["models", "accuracy, points", "p", "ROC AUC", "p"],
        [_pair(pair, shown, notes) for pair in found],
    )
    return [
        "## Which differences are more than chance",
        "Two models are told apart when a difference this large would be rare (p < 0.05) between "
        "equals: on the same comments, by McNemar's exact test of accuracy and by the paired "
        "bootstrap of ROC AUC, with p corrected by Holm for the number of pairs and intervals each "
        "for itself. Models not told apart may still differ: more test comments would show it."
        + (" Of several seeds the first stands for its model." if several else ""),
        tabulated(
            ["model", "accuracy not told apart from", "ROC AUC not told apart from"], body, left=3
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
    return f"n/a {notes.mark(quality.ROC_AUC.undefined)}"


def _p(value: float) -> str:
    number = "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"**{number}**" if value < quality.ALPHA else number


def natural(run: Run) -> list[str]:
    """At the corpus's own share of toxic comments: what moderators would live with."""
    part = run.data.natural
    recall = float(run.options.get("--recall", DEFAULT_RECALL))
    times = resampling.counts(len(part.labels))
    notes = Footnotes()
    body = []
    for cell in run.cells:
        if cell.quality is not None:
            shares = (
                percent_with_interval(measure(cell.quality.natural, part.labels))
                for measure in (quality.precision, quality.recall, quality.accuracy)
            )
            reached = _at_recall(times, part.labels, cell.quality.natural, recall, notes)
            body.append([name(run, cell), *shares, *reached])
    second = "A second" if run.data.balanced else "The same"
    return [
        f"{second} test set of {len(part.labels):,} comments, {sum(part.labels):,} of them "
        f"toxic, as many as the corpus itself has ({percent(run.data.prevalence)}). Precision is "
        "what a moderator lives with: of the comments called toxic, the share that is. It is lower "
        "than on balanced data, where every second comment is toxic.",
        f"The last columns are for who wants {100 * recall:g} % of the toxic comments found (option "
        "`--recall`): the highest threshold that finds them, chosen on these very comments, and what "
        "is left of precision. Their intervals are of the bootstrap, the others Wilson's.",
        tabulated(
            ["model", "precision", "recall", "accuracy", "average precision",
             f"precision at recall {100 * recall:g} %", "threshold for it"],
            body,
        ),
        *listed(notes.lines()),
    ]  # fmt: skip


def _at_recall(
    times: Matrix,
    labels: Sequence[int],
    scores: Sequence[float],
    recall: float,
    notes: Footnotes,
) -> list[str]:
    """Average precision, and precision and threshold at a recall, as entries of a table."""
    reached = quality.at_recall(scores, labels, recall)
    area = quality.average_precision(scores, labels)
    if reached is None or area is None:
        return [_missing_auc(notes)] * 3
    curve = Curve.of(times, labels, scores)
    drawn = curve.at_recall(recall)
    precision, threshold = map(resampling.estimate, reached, drawn)
    entries = [
        _entry(resampling.estimate(area, curve.average_precision()), notes, _fixed),
        _entry(precision, notes, percent),
        _entry(threshold, notes, significant),
    ]
    if reached[1] <= min(scores):
        entries[1] += " " + notes.mark("reached only by calling every comment toxic")
    return entries


def errors(run: Run) -> list[str]:
    """Accuracy by length and by how far raters agree, and what every model gets wrong."""
    models, part = by_model(run), run.data.test
    if not models:
        return [_NO_SCORES]
    wrong = {
        model: mistakes.wrong(part.labels, _test_scores(cells)) for model, cells in models.items()
    }
    by_length, by_agreement = mistakes.by_length(part), mistakes.by_agreement(part)
    lost = np.min(list(wrong.values()), axis=0) == 1
    told = f"{lost.sum():,} of {len(lost):,} test comments are told wrong by every model"
    paragraphs = ["By length, in quarters of the test comments; n is how many."]
    if by_length:
        paragraphs.append(_accuracies(by_length, wrong))
    else:
        paragraphs = ["By length n/a: this run is from before lengths were kept."]
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

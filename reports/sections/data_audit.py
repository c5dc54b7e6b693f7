"""Whether the data can be trusted: copies, labels, balance, length, languages, personal data."""

from collections.abc import Iterator

import numpy as np

from worthit.bench.saved.record import Figure, Run, significant, unavailable
from worthit.datasets.audit.audit import Audit, SideAudit
from worthit.datasets.audit.label_noise import CAVEAT
from worthit.reports.analysis import languages
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, joined, percent, points, written
from worthit.reports.text.tables import folded, listed, tabulated

HEADING = "## Data audit"

_SEPARATING_AUC = 0.65  # of length alone: a shortcut that models may take
_RARE = 0.1  # share of the training side
_MIXED = 0.05  # share of comments in other languages from which tokenizers matter
_MOST_LANGUAGES = 4
_MOST_CLASSES = 12  # with rows of their own


#: what was found, and what to do about it; empty if nothing
_Check = tuple[str, str]


def section(analysis: Analysis) -> list[str]:
    """What to do about the data, and the counts on both sides of the split."""
    run, audit = analysis.run, analysis.run.data.audit
    checks = _checks(analysis, audit)
    to_do = [name.lower() for name, (_, action) in checks.items() if action]
    lines = [
        f"**{name}**: {finding}{f' To do: {action}.' if action else ''}"
        for name, (finding, action) in checks.items()
    ]
    notes = Footnotes()
    table = tabulated(["what", "training side", "test set"], list(_rows(run, audit, notes)))
    return [
        HEADING,
        f"{len(to_do)} of {len(checks)} checks ask for action{': ' if to_do else ''}{joined(to_do)}.",
        *listed(lines),
        *folded(
            "Counts on both sides of the split",
            "The training side includes the validation comments. The counts were made on the machine of "
            "the run; the saved run contains no text of a comment.",
            table,
            *listed(notes.lines()),
        ),
    ]


def _rows(run: Run, audit: Audit, notes: Footnotes) -> Iterator[list[str]]:
    sides, names = (audit.train, audit.test), class_names.names(run.data)
    yield ["comments", *(f"{side.comments:,}" for side in sides)]
    shown = _shown_classes(audit.train)
    for index in shown:
        counted = (_count(side.counts[index], side) for side in sides)
        yield [f"{'label' if run.data.multilabel else 'class'} {names[index]}", *counted]
    others = len(run.data.classes) - len(shown)
    if others and not run.data.multilabel:  # labels of one comment would be counted several times
        rest = (sum(side.counts) - sum(side.counts[index] for index in shown) for side in sides)
        counted = (_count(count, side) for count, side in zip(rest, sides, strict=True))
        yield [f"{others} other classes", *counted]
    yield [
        "near-duplicates of an earlier comment of the side",
        *(_count(side.repeated, side) for side in sides),
    ]
    copies = {*audit.near_duplicates.ids} & {*run.data.test.ids}
    yield ["near-duplicates of a comment of the training side", "", _count(len(copies), audit.test)]
    yield ["labels that look wrong", _wrong(audit, notes), ""]
    yield ["characters: 5 %, median, 95 %", *map(_characters, sides)]
    for index in shown:
        medians = (f"{side.median_characters[index]:,}" for side in sides)
        yield [f"median of {names[index]}", *medians]
    yield ["languages", *map(_shares_of_languages, sides)]
    for hint in audit.train.personal_data:
        yield [f"comments with {hint}", *(_count(side.personal_data[hint], side) for side in sides)]


def _shown_classes(side: SideAudit) -> list[int]:
    """All classes in their order, or the rarest and the most common ones."""
    rarest_first = np.argsort(side.counts, kind="stable").tolist()
    if len(rarest_first) <= _MOST_CLASSES:
        return sorted(rarest_first)
    half = _MOST_CLASSES // 2
    return [*rarest_first[:half], *rarest_first[-half:]]


def _count(count: int, side: SideAudit) -> str:
    return f"{count:,} ({percent(count / side.comments)})" if count else "0"


def _wrong(audit: Audit, notes: Footnotes) -> str:
    noise = audit.label_noise
    if noise.train is None:
        return written(unavailable("labels", noise.reason), notes)
    text = written(Figure(noise.train, "labels", "estimated", noise.method), notes)
    method = notes.mark(f"estimated by {noise.method}: {CAVEAT}")
    return f"{text} ({percent(noise.train / audit.train.comments)}) {method}"


def _characters(side: SideAudit) -> str:
    return ", ".join(f"{value:,}" for value in side.characters)


def _shares_of_languages(side: SideAudit) -> str:
    counts = list(side.languages.items())
    entries = [
        f"{code} {percent(count / side.comments)}" for code, count in counts[:_MOST_LANGUAGES]
    ]
    others = sum(count for _, count in counts[_MOST_LANGUAGES:])
    return ", ".join([*entries, *([f"others {percent(others / side.comments)}"] if others else [])])


def _checks(analysis: Analysis, audit: Audit) -> dict[str, _Check]:
    run = analysis.run
    checks = {
        "Copies": _copies(analysis, audit),
        "Labels": _labels(run, audit),
        "Balance": _balance(run, audit.train),
    }
    if audit.length_auc is not None:  # two classes
        checks["Length"] = _length(_named(run), audit.length_auc)
    return checks | {
        "Languages": _languages(run, audit.train),
        "Personal data": _personal_data(audit),
    }


def _copies(analysis: Analysis, audit: Audit) -> _Check:
    copies, sets = audit.near_duplicates, " (balanced and natural)" * analysis.run.data.balanced
    if not copies.ids:
        return (
            f"none of the {copies.examined:,} test comments{sets} is a near-duplicate of a training comment "
            f"({copies.method}).",
            "",
        )
    other = f", {copies.other_label:,} of them with another label" * bool(copies.other_label)
    return (
        f"{len(copies.ids):,} of the {copies.examined:,} test comments{sets} are near-duplicates of a "
        f"training comment{other} ({copies.method}).{_without_copies(analysis, audit)}",
        "split by what the copies share, such as author, thread or template (`--group-column`), or "
        "remove them",
    )


def _without_copies(analysis: Analysis, audit: Audit) -> str:
    """The largest change of a model's test accuracy without the copies."""
    run = analysis.run
    unique = ~np.isin(run.data.test.ids, audit.near_duplicates.ids)
    if unique.all() or not unique.any() or not analysis.models:
        return ""
    changes = {}
    for model, cells in analysis.models.items():
        correct = metrics.correct(scores(run, cells[0]), truth(run))
        changes[model] = float(correct[unique].mean() - correct.mean())
    model = max(changes, key=lambda name: abs(changes[name]))
    return (
        f" Without those in the test set, test accuracy changes by at most {points(changes[model])} "
        f"points ({model})."
    )


def _labels(run: Run, audit: Audit) -> _Check:
    noise = audit.label_noise
    if noise.train is None or noise.unquestioned_accuracy is None or noise.model_accuracy is None:
        look = (
            f" `worthit report {run.run_id} --suspects 20` prints the test labels to look at first; many may "
            "only be hard comments."
        )
        text = f"the share of wrong labels cannot be estimated: {noise.reason}."
        return text + look * bool(noise.suspects), ""
    return (
        f"≈{percent(noise.train / audit.train.comments)} of the training labels look wrong. The estimate comes "
        f"from a model that classifies {percent(noise.model_accuracy)} of the training comments correctly, and "
        f"{percent(noise.unquestioned_accuracy)} of those whose labels it does not question. In data with known "
        "noise that did not depend on the comment, all such estimates were within a factor of 1.5, or 1 point. If "
        "test labels are as often wrong, differences between models below this share may be due to the labels.",
        f"check the {len(noise.suspects):,} likeliest test labels: `worthit report {run.run_id} --suspects 20` "
        "prints them on a machine that has the comments, `suspects` of the saved run lists their ids"
        if noise.suspects and noise.train
        else "",
    )


def _named(run: Run) -> list[str]:
    """The names of the classes in a sentence."""
    return [class_names.worded(name) for name in class_names.names(run.data)]


def _balance(run: Run, side: SideAudit) -> _Check:
    what, whats = ("label", "labels") if run.data.multilabel else ("class", "classes")
    shares = np.asarray(side.counts) / side.comments
    rarest = int(shares.argmin())
    label, share = _named(run)[rarest], percent(float(shares[rarest]))
    if shares[rarest] == shares.max():
        return f"all {whats} have the same number of training comments.", ""
    if shares[rarest] >= _RARE:
        return f"the rarest {what}, {label}, is {share} of the training side.", ""
    if run.data.multilabel:
        return (
            f"{side.counts[rarest]:,} of {side.comments:,} training comments ({share}) have the label {label}. Subset "
            "accuracy says little about such a rare label; see its F1 and ROC AUC.",
            "label more comments with it, or count comments with and without a label the same in training "
            "(`--balance weights`)",
        )
    return (
        f"{label} is {side.counts[rarest]:,} of {side.comments:,} training comments ({share}). Accuracy "
        "says little about such a rare class; see its precision and recall.",
        "label more comments of it, or count each class the same in training (`--balance weights`)",
    )


def _length(classes: list[str], auc: float) -> _Check:
    if abs(auc - 0.5) < _SEPARATING_AUC - 0.5:
        return f"it hardly separates the classes (ROC AUC {auc:.2f}).", ""
    return (
        f"comments of class {classes[int(auc > 0.5)]} are longer; length alone separates the classes with a "
        f"ROC AUC of {max(auc, 1 - auc):.2f}. Models learn this even if it only reflects how the comments "
        "were collected.",
        "collect both classes in the same way, or compare the accuracies by length (Where models err)",
    )


def _languages(run: Run, side: SideAudit) -> _Check:
    language = languages.main_language(side)
    if not language:
        counted = _shares_of_languages(side)
        return f"{counted} of the training side: the language of most comments is not known.", ""
    others = 1 - side.languages[language] / side.comments
    if unread := languages.unread(run):
        why = "; ".join(f"{name} ({reason})" for name, reason in unread.items())
        return (
            f"{_shares_of_languages(side)} of the training side. These models start from weights that cannot read "
            f"them well: {why}.",
            f"give them weights that know {language} (`--checkpoint MODEL=ID_OR_PATH`), or "
            "leave them out of the comparison",
        )
    if others <= _MIXED:
        return f"{language}, except for {percent(others)} of the training side.", ""
    return (
        f"{percent(others)} of the training side are not identified as {language} (short comments and "
        "names are `unsure`).",
        "choose checkpoints that know these languages, and check that the test set has the same shares",
    )


def _personal_data(audit: Audit) -> _Check:
    counts = {
        hint: count + audit.test.personal_data[hint]
        for hint, count in audit.train.personal_data.items()
    }
    hints = [f"{significant(count)} with {hint}" for hint, count in counts.items() if count]
    if not hints:
        return "no contact details were found by pattern; names were not searched for.", ""
    return (
        f"comments by pattern: {', '.join(hints)}; names were not searched for. Trained models contain "
        "words of their comments; the vocabularies of `lsa`, `word2vec` and `tfidf` are readable.",
        "mask them before training if a model is to leave this machine",
    )

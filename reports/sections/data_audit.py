"""The part of a report that tells whether the data can be trusted, and what to do about it."""

from collections.abc import Iterator

import numpy as np

from worthit.bench.saved.record import CellRecord, Figure, Run, significant, unavailable
from worthit.datasets.audit.audit import Audit, SideAudit
from worthit.datasets.audit.label_noise import CAVEAT
from worthit.datasets.errors import RunError
from worthit.reports.analysis import metrics, mistakes
from worthit.reports.analysis.run_view import by_model, test_scores
from worthit.reports.text import class_names
from worthit.reports.text.escaping import cut
from worthit.reports.text.format import Footnotes, percent, written
from worthit.reports.text.tables import listed, tabulated

HEADING = "## Can the data be trusted?"

#: from here on length alone goes some way to tell the classes apart
TELLING_LENGTH_AUC = 0.65
#: a class with a smaller share of the training side is a rare one
RARE = 0.1
#: with more comments than this in another language, or of languages unsure, tokenizers matter
_MIXED = 0.05
_MOST_LANGUAGES = 4


def section(run: Run) -> list[str]:
    """What was found, side by side, and what to do about what stands out."""
    notes = Footnotes()
    table = tabulated(["what", "training side", "test set"], list(_rows(run, notes)))
    return [
        HEADING,
        "Counted on this machine; no comment's text is kept. The training side has its validation "
        "comments with it.",
        table,
        *listed(notes.lines()),
        *listed(list(_advice(run))),
    ]


def _rows(run: Run, notes: Footnotes) -> Iterator[list[str]]:
    audit = run.data.audit
    sides = (audit.train, audit.test)
    yield ["comments", *(f"{side.comments:,}" for side in sides)]
    for index, label in enumerate(run.data.classes):
        yield [f"class {label}", *(_of(side.counts[index], side) for side in sides)]
    yield [
        "nearly repeat an earlier one of that side",
        *(_of(side.repeated, side) for side in sides),
    ]
    copies = {*audit.near_duplicates.ids} & {*run.data.test.ids}
    yield ["nearly repeat one of the training side", "", _of(len(copies), audit.test)]
    counts = (audit.label_noise.train, audit.label_noise.test)
    wrong = (_wrong(audit, *pair, notes) for pair in zip(counts, sides, strict=True))
    yield ["labels that look wrong", *wrong]
    yield ["characters: 5 %, median, 95 %", *map(_characters, sides)]
    for index, label in enumerate(run.data.classes):
        yield [f"median of {label}", *(f"{side.median_characters[index]:,}" for side in sides)]
    yield ["languages", *map(_languages, sides)]
    for hint in audit.train.personal_data:
        yield [f"{hint}, comments with", *(_of(side.personal_data[hint], side) for side in sides)]


def _of(count: int, side: SideAudit) -> str:
    return f"{count:,} ({percent(count / side.comments)})" if count else "0"


def _wrong(audit: Audit, count: int | None, side: SideAudit, notes: Footnotes) -> str:
    noise = audit.label_noise
    if count is None:
        return written(unavailable("labels", noise.reason), notes)
    text = written(Figure(count, "labels", "estimated", noise.method), notes)
    why = notes.mark(f"estimated by {noise.method}: {CAVEAT}")
    return f"{text} ({percent(count / side.comments)}) {why}"


def _characters(side: SideAudit) -> str:
    return ", ".join(f"{value:,}" for value in side.characters)


def _languages(side: SideAudit) -> str:
    shown = list(side.languages.items())
    rest = sum(count for _, count in shown[_MOST_LANGUAGES:])
    entries = [
        f"{code} {percent(count / side.comments)}" for code, count in shown[:_MOST_LANGUAGES]
    ]
    return ", ".join([*entries, *([f"others {percent(rest / side.comments)}"] if rest else [])])


def _advice(run: Run) -> Iterator[str]:
    audit = run.data.audit
    yield _copies(run)
    yield _labels(run)
    yield _balance(run)
    yield _length(run)
    yield _mixed(audit)
    yield _personal(audit)


def _copies(run: Run) -> str:
    """Copies across the split: what they do to the scores."""
    copies = run.data.audit.near_duplicates
    if not copies.ids:
        return (
            f"**Copies**: none of the {copies.examined:,} comments tested on nearly repeats one of the "
            f"training side ({copies.method}). Nothing to do."
        )
    other = (
        f"; {copies.other_label:,} of them with another label, which cannot both be right"
        if copies.other_label
        else ""
    )
    return (
        f"**Copies**: {len(copies.ids):,} of the {copies.examined:,} comments tested on nearly repeat one "
        f"of the training side{other} ({copies.method}). {_without_copies(run)}To do: split by what "
        "the copies share, such as author, thread or template (`--group-column`), or leave them out."
    )


def _without_copies(run: Run) -> str:
    """The largest change of a model's test accuracy when the copies are left out."""
    kept = ~np.isin(run.data.test.ids, run.data.audit.near_duplicates.ids)
    models = by_model(run)
    if kept.all() or not kept.any() or not models:
        return ""
    changes = {model: _change(cells[0], run, kept) for model, cells in models.items()}
    model = max(changes, key=lambda name: abs(changes[name]))
    return (
        f"Without those of the test set, test accuracy changes by {100 * changes[model]:+.1f} points at "
        f"most ({model}). "
    )


def _change(cell: CellRecord, run: Run, kept: np.ndarray) -> float:
    assert cell.quality is not None
    right = metrics.called(test_scores(run, cell.quality)) == np.asarray(run.data.test.labels)
    return float(right[kept].mean() - right.mean())


def _labels(run: Run) -> str:
    noise = run.data.audit.label_noise
    if noise.test is None:
        return f"**Labels**: how many are wrong is not known: {noise.reason}."
    share = percent(noise.test / run.data.audit.test.comments)
    judge = percent(noise.model_accuracy or 0.0)
    return (
        f"**Labels**: ≈{share} of the test labels look wrong, an estimate: the model that says so tells "
        f"{judge} of the training comments right, and takes hard comments for wrong labels, too. Where "
        "labels are wrong, no model can be shown to be right: differences smaller than this share may "
        f"be about labels. To do: look at the likeliest wrong ones first, which `worthit report {run.run_id} "
        "--suspects 20` prints where the comments are; this run's record lists the ids of "
        f"{len(noise.suspects):,} test comments in that order (`suspects`)."
    )


def _balance(run: Run) -> str:
    train = run.data.audit.train
    shares = np.asarray(train.counts) / train.comments
    rarest = int(shares.argmin())
    label = run.data.classes[rarest]
    if shares[rarest] == shares.max():
        return "**Balance**: the training side has as many comments of each class. Nothing to do."
    if shares[rarest] >= RARE:
        return (
            f"**Balance**: the rarest class, {label}, is {percent(float(shares[rarest]))} of the training "
            "side. Nothing to do."
        )
    return (
        f"**Balance**: {label} is {train.counts[rarest]:,} of {train.comments:,} training comments "
        f"({percent(float(shares[rarest]))}). Accuracy says little of so rare a class: look at its recall "
        "and precision. To do: label more of it, or train on as many of each (`--balance`)."
    )


def _length(run: Run) -> str:
    auc = run.data.audit.length_auc
    if auc is None:
        return "**Length**: n/a as a shortcut, which is asked of two classes only."
    if abs(auc - 0.5) < TELLING_LENGTH_AUC - 0.5:
        return f"**Length**: alone it hardly tells the classes apart (ROC AUC {auc:.2f}). Nothing to do."
    longer = run.data.classes[1] if auc > 0.5 else run.data.classes[0]
    return (
        f"**Length**: comments that are {longer} are longer, and length alone tells the classes apart with "
        f"a ROC AUC of {max(auc, 1 - auc):.2f}. If that is how the comments were collected rather than how "
        "they are, a model learns it all the same. To do: collect both classes alike, or compare the "
        "accuracies by length above."
    )


def _mixed(audit: Audit) -> str:
    languages = audit.train.languages
    first = next(iter(languages))
    share = 1 - languages[first] / audit.train.comments
    if share <= _MIXED:
        return f"**Languages**: {first} but for {percent(share)}. Nothing to do."
    return (
        f"**Languages**: {percent(share)} of the training side are not told to be {first} (short ones and "
        "names are `unsure`). To do: choose checkpoints that know these languages, and see whether the "
        "test set has them in the same shares."
    )


def _personal(audit: Audit) -> str:
    hints = {
        hint: count + audit.test.personal_data[hint]
        for hint, count in audit.train.personal_data.items()
    }
    some = [f"{significant(count)} with {hint}" for hint, count in hints.items() if count]
    if not some:
        return (
            "**Personal data**: no hints of contact details were found; names are not looked for."
        )
    return (
        f"**Personal data**: comments {', '.join(some)} (hints by pattern; names are not looked for). "
        "Trained models keep words of their comments: the vocabularies of `lsa`, `word2vec` and `tfidf` "
        "in plain sight. To do: mask these before training if a model is to leave this machine."
    )


def suspects(run: Run, most: int, width: int) -> list[str]:
    """Lines on the test comments whose labels look wrong, the likeliest first.

    Their text comes from this machine's cache, escaped and cut.

    Args:
        most: comments to show.
        width: columns of the terminal.

    Raises:
        OptionError: `most` is not positive.
        RunError: labels were not judged, or the comments are not in this machine's cache.
    """
    mistakes.require_some("--suspects", most)
    noise = run.data.audit.label_noise
    if noise.test is None:
        raise RunError(f"which labels of {run.run_id} look wrong is not known: {noise.reason}")
    if not noise.suspects:
        return ["no label of a test comment looks wrong"]
    places = {id_: place for place, id_ in enumerate(run.data.test.ids)}
    texts, told_wrong = mistakes.texts(run), _told_wrong(run)
    lines = []
    for id_ in noise.suspects[:most]:
        lines += [
            f"{id_}: {_labelled(run, places[id_])}{told_wrong[places[id_]]}",
            "  " + cut(texts[id_], width - 2),
        ]
    kept, more = len(noise.suspects), noise.test - len(noise.suspects)
    if most > kept and more > 0:
        lines.append(f"{more:,} more look wrong; a run keeps which the likeliest {kept:,} are")
    return lines


def _labelled(run: Run, place: int) -> str:
    """A test comment's label, and whose it is."""
    part = run.data.test
    label, share = part.labels[place], part.toxic_share[place]
    name = class_names.names(run.data)[label]
    if share is None or part.raters[place] is None or not class_names.of_two(run):
        return f"{name} by its label"
    agree = share if label == 1 else 1 - share
    return f"{name} to {percent(agree)} of {part.raters[place]} raters"


def _told_wrong(run: Run) -> list[str]:
    """How many models tell each test comment otherwise than its label does; nothing without models."""
    scored = [test_scores(run, cell.quality) for cell in run.cells if cell.quality is not None]
    if not scored:
        return [""] * len(run.data.test.labels)
    shares = mistakes.wrong(run.data.test.labels, scored)
    return [f", missed by {round(share * len(scored))} of {len(scored)}" for share in shares]

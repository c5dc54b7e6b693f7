"""Out-of-domain test sets: labelled comments from another dataset, tested on and never trained on.

A test set from the same corpus flatters: models of abusive language often fall to near chance on another
corpus (Wiegand, Ruppenhofer, Kleinbauer 2019, "Detection of Abusive Language: the Problem of Biased
Datasets"; Fortuna, Soler-Company, Wanner 2021). Classes are matched by name.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets import corpus, prepare, registry
from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.errors import DataError, listed
from worthit.datasets.splits.manifest import OutOfDomainSet, Prepared, Step
from worthit.datasets.splits.protocol import Protocol, draw_test_set
from worthit.datasets.tables.columns import NOTHING, Choices

_VERSION = "2"
_STEPS = "steps.json"
_LEFT_OUT = -1
#: class names that do not say what they mean
_MEANINGLESS = {"0", "1", "-1", "yes", "no", "true", "false"}


def prepare_all(
    datasets: Sequence[str], in_domain: Prepared, choices: Choices = NOTHING
) -> tuple[OutOfDomainSet, ...]:
    """Prepare each dataset as `prepare_one` does, and number those with the same name."""
    prepared: dict[str, OutOfDomainSet] = {}
    for dataset in datasets:
        other = prepare_one(dataset, in_domain, choices)
        numbered = (f"{other.name} ({number})" for number in itertools.count(2))
        names = itertools.chain([other.name], numbered)
        name = next(name for name in names if name not in prepared)
        prepared[name] = replace(other, name=name)
    return tuple(prepared.values())


def prepare_one(dataset: str, in_domain: Prepared, choices: Choices = NOTHING) -> OutOfDomainSet:
    """Make an out-of-domain test set ready for cells, at most as large as the in-domain one.

    Args:
        dataset: as users name it, as in `prepare.prepare`.
        choices: the columns of the in-domain table. They apply here too if the columns exist.

    Raises:
        UnknownNameError, OptionError, DataError, DownloadError, CacheError.
    """
    parsed = registry.parse(dataset)
    own = parsed.name in registry.OWN
    borrowed = replace(choices.borrowed(), multilabel=in_domain.multilabel or None)
    source = registry.source(dataset, borrowed if own else NOTHING)
    fingerprint = source.fingerprint()
    key = short_hash(_VERSION, corpus.VERSION, in_domain.key, source.name, fingerprint)
    folder = cache_folder("splits", key)
    try:
        table = corpus.load(source, identify=in_domain.language == "en")
    except DataError as error:
        if not in_domain.multilabel:
            raise
        raise DataError(
            f"--also-test {parsed.shown} cannot be read as several labels per comment, which the in-domain "
            f"comments have ({error}); omit it"
        ) from error
    about = corpus.about(table)
    if in_domain.multilabel != bool(about.label_sets):
        one, several = "one label per comment", "several labels per comment"
        theirs, ours = (several, one) if about.label_sets else (one, several)
        raise DataError(
            f"--also-test {parsed.shown} has {theirs}, the in-domain comments have {ours}; omit it"
        )
    match = (
        match_labels(about.classes, in_domain.classes, parsed.shown)
        if in_domain.multilabel
        else match_classes(about.classes, in_domain.classes, parsed.shown)
    )
    if not folder.is_dir():
        relabel = _relabel_sets if in_domain.multilabel else _relabel
        _write(relabel(table, match, in_domain.classes), in_domain, parsed.shown, folder)
    return OutOfDomainSet(
        key=key,
        name=parsed.shown,
        title=source.title,
        citation=source.citation,
        fingerprint=fingerprint,
        classes=about.classes,
        mapped_to=tuple(
            None if place == _LEFT_OUT else in_domain.classes[place] for place in match.places
        ),
        same_label=match.same_label,
        warning=match.warning,
        steps=msgspec.json.decode((folder / _STEPS).read_bytes(), type=tuple[Step, ...]),
        notes=about.notes,
    )


@dataclass(frozen=True)
class ClassMatch:
    """The in-domain class of each class of another dataset."""

    places: tuple[int, ...]  # index of the in-domain class for each class; -1: left out
    same_label: bool
    warning: str = ""


def match_labels(labels: Sequence[str], in_domain: Sequence[str], name: str) -> ClassMatch:
    """Match several labels by name; more of them are left out.

    Raises:
        DataError: an in-domain label is not among them.
    """
    index = {label.casefold(): place for place, label in enumerate(in_domain)}
    places = tuple(index.get(label.casefold(), _LEFT_OUT) for label in labels)
    if missing := [label for place, label in enumerate(in_domain) if place not in places]:
        raise DataError(
            f"--also-test {name} has no label {listed(missing)}; it has {listed(labels)}: give it all "
            "in-domain labels, or omit it"
        )
    others = [label for label, place in zip(labels, places, strict=True) if place == _LEFT_OUT]
    warning = f"{listed(others)} of {name}: left out, no in-domain label has the same name"
    return ClassMatch(places, True, warning if others else "")


def match_classes(classes: Sequence[str], in_domain: Sequence[str], name: str) -> ClassMatch:
    """Match classes by name.

    With two in-domain classes, the class with the positive one's name counts as positive, and all others
    as negative. If no class has that name, the positive class of two stands for the in-domain one.

    Raises:
        DataError: the classes have nothing in common.
    """
    index = {label.casefold(): place for place, label in enumerate(in_domain)}
    places = tuple(index.get(label.casefold(), _LEFT_OUT) for label in classes)
    unmatched = [label for label, place in zip(classes, places, strict=True) if place == _LEFT_OUT]
    if len(in_domain) > 2 and len(set(places) - {_LEFT_OUT}) >= 2:
        warning = f"{listed(unmatched)} of {name}: left out, no in-domain class has the same name"
        return ClassMatch(places, True, warning if unmatched else "")
    if len(in_domain) == 2 and 1 in places:
        return _one_against_rest(places, unmatched, in_domain, name)
    if len(in_domain) == len(classes) == 2:
        return ClassMatch((0, 1), False, (
            f"{classes[1]!r} of {name} is mapped to {in_domain[1]!r} and {classes[0]!r} to {in_domain[0]!r}: "
            "the names differ, so this measures how far one label carries over to another"
        ))  # fmt: skip
    wanted = repr(in_domain[1]) if len(in_domain) == 2 else "at least two of these"
    raise DataError(
        f"--also-test {name} has the classes {listed(classes)}, the in-domain ones are "
        f"{listed(in_domain)}; give its classes the same names ({wanted}), or omit it"
    )


def _one_against_rest(
    places: Sequence[int], unmatched: Sequence[str], in_domain: Sequence[str], name: str
) -> ClassMatch:
    meaningful = not {label.casefold() for label in in_domain} <= _MEANINGLESS
    warning = "" if meaningful else (
        f"classes are called {in_domain[0]} and {in_domain[1]} here and in {name}; the names do not say "
        "whether they mean the same"
    )  # fmt: skip
    if len(unmatched) > 1:
        warning = f"{listed(unmatched)} of {name} count as {in_domain[0]!r}"
    return ClassMatch(tuple(max(place, 0) for place in places), meaningful, warning)


def _relabel(table: pa.Table, match: ClassMatch, in_domain: tuple[str, ...]) -> pa.Table:
    """Give comments in-domain labels. Comments of other classes go, and count as unlabelled."""
    about = corpus.about(table)
    labels = np.asarray(match.places)[corpus.column(table, "label")]
    matched = labels != _LEFT_OUT
    unlabelled = about.unlabelled + int((~matched).sum())
    return corpus.relabelled(
        table.filter(pa.array(matched)),
        labels[matched],
        corpus.About(in_domain, about.notes, unlabelled, text_column=about.text_column),
    )


def _relabel_sets(table: pa.Table, match: ClassMatch, in_domain: tuple[str, ...]) -> pa.Table:
    """Give comments in-domain labels."""
    about = corpus.about(table)
    places = [
        tuple(sorted(match.places[label] for label in each if match.places[label] != _LEFT_OUT))
        for each in about.label_sets
    ]
    sets = tuple(sorted({*places}))
    number = {each: place for place, each in enumerate(sets)}
    numbers = np.array([number[each] for each in places])
    return corpus.relabelled(
        table,
        numbers[corpus.column(table, "label")],
        replace(about, classes=in_domain, label_sets=sets),
    )


def _write(table: pa.Table, in_domain: Prepared, name: str, folder: Path) -> None:
    protocol = Protocol(
        seed=in_domain.seed, language=in_domain.language, balance=in_domain.balanced
    )
    seen = {
        "training side": _folds(in_domain, "train", "validation"),
        "in-domain test sets": _folds(in_domain, "test", "natural"),
    }
    try:
        rows, steps = draw_test_set(table, protocol, in_domain.step("test").comments, seen)
    except DataError as error:
        raise DataError(f"--also-test {name}: {error}") from error
    with new_folder(folder) as scratch:
        prepare.write_part(table, rows, scratch / "test.parquet")
        (scratch / _STEPS).write_bytes(msgspec.json.encode(steps))


def _folds(in_domain: Prepared, *parts: str) -> npt.NDArray[np.uint64]:
    texts = [text for part in parts for text in prepare.comments(in_domain.key, part).texts]
    return np.array([corpus.fold(text) for text in texts], np.uint64)

"""Labelled comments of other origin, on which models of one dataset are tested and never trained.

A test set of the same corpus flatters: models of abusive language often fall to near chance on
another one (Wiegand, Ruppenhofer, Kleinbauer 2019, "Detection of Abusive Language: the Problem of
Biased Datasets"; Fortuna, Soler-Company, Wanner 2021). Classes are matched by their names.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets import corpus, prepare, registry
from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.errors import DataError
from worthit.datasets.prepare import Prepared
from worthit.datasets.splits.protocol import Step, test_set
from worthit.datasets.tables.columns import NOTHING, Choices

_VERSION = "1"
_LEFT_OUT = -1
#: names of classes that say nothing of what is told apart
_NAMELESS = {"0", "1", "-1", "yes", "no", "true", "false"}


@dataclass(frozen=True)
class OtherSet:
    """A test set of other origin, without the comments themselves."""

    key: str  # of `prepare.comments(key, "test")`
    name: str  # as the user named it, without a path
    title: str
    citation: str
    fingerprint: str
    classes: tuple[str, ...]  # its own
    taken_for: tuple[str | None, ...]  # the class at home of each; None: left out
    same_label: bool  # its classes are called as those at home
    warning: str  # what its labels may mean instead, or what is left out; empty if there is nothing
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    def in_a_line(self) -> str:
        """For people, before anything is trained."""
        labels = ", ".join(
            f"{own} as {home}" if home != own else own
            for own, home in zip(self.classes, self.taken_for, strict=True)
            if home is not None
        )
        return f"{self.name}: {self.steps[-1].comments:,} comments ({labels})" + (
            f"; {self.warning}" if self.warning else ""
        )


def prepare_others(
    datasets: Sequence[str], home: Prepared, choices: Choices = NOTHING
) -> tuple[OtherSet, ...]:
    """Each as `prepare_other` has it; those of one name are numbered."""
    found: dict[str, OtherSet] = {}
    for dataset in datasets:
        other = prepare_other(dataset, home, choices)
        numbered = (f"{other.name} ({number})" for number in itertools.count(2))
        name = next(name for name in itertools.chain([other.name], numbered) if name not in found)
        found[name] = replace(other, name=name)
    return tuple(found.values())


def prepare_other(dataset: str, home: Prepared, choices: Choices = NOTHING) -> OtherSet:
    """Make a test set of other origin ready for cells, at most as large as the one at home.

    Args:
        dataset: as users name it, as in `prepare.prepare`.
        choices: of the columns at home; they hold here too where there are such columns.

    Raises:
        UnknownNameError, OptionError, DataError, DownloadError, CacheError.
    """
    parsed = registry.parse(dataset)
    own = parsed.name in registry.OWN
    source = registry.source(dataset, choices.borrowed() if own else NOTHING)
    fingerprint = source.fingerprint()
    key = short_hash(_VERSION, corpus.VERSION, home.key, source.name, fingerprint)
    folder = cache_folder("splits", key)
    table = corpus.load(source, identify=home.protocol.language == "en")
    about = corpus.about(table)
    match = matched(about.classes, home.classes, parsed.shown)
    if not folder.is_dir():
        _write(_renamed(table, match.places, home.classes), home, parsed.shown, folder)
    steps = json.loads((folder / "steps.json").read_text("utf-8"))
    return OtherSet(
        key=key,
        name=parsed.shown,
        title=source.title,
        citation=source.citation,
        fingerprint=fingerprint,
        classes=about.classes,
        taken_for=tuple(
            None if place == _LEFT_OUT else home.classes[place] for place in match.places
        ),
        same_label=match.same_label,
        warning=match.warning,
        steps=tuple(Step(**step | {"counts": tuple(step["counts"])}) for step in steps),
        notes=about.notes,
    )


@dataclass(frozen=True)
class Match:
    """Which class at home each class of another data set is taken for."""

    places: tuple[int, ...]  # an index at home for each class; -1 where there is none
    same_label: bool
    warning: str = ""


def matched(classes: Sequence[str], home: Sequence[str], name: str) -> Match:
    """Match classes by name.

    Where two are told apart at home, a class called as the positive one is told from the rest; if none
    is, the positive class of two stands for the one at home.

    Raises:
        DataError: the classes have nothing in common.
    """
    at_home = {label.casefold(): place for place, label in enumerate(home)}
    places = tuple(at_home.get(label.casefold(), _LEFT_OUT) for label in classes)
    others = [label for label, place in zip(classes, places, strict=True) if place == _LEFT_OUT]
    if len(home) > 2 and len(set(places) - {_LEFT_OUT}) >= 2:
        left_out = f"{_listed(others)} of {name}: no class is called so at home; left out"
        return Match(places, True, left_out if others else "")
    if len(home) == 2 and 1 in places:
        return _told_from_the_rest(places, others, home, name)
    if len(home) == len(classes) == 2:
        return Match((0, 1), False, (
            f"{classes[1]!r} of {name} is taken for {home[1]!r} and {classes[0]!r} for {home[0]!r}: the "
            "names differ, so this measures how far one label carries over to another"
        ))  # fmt: skip
    wanted = repr(home[1]) if len(home) == 2 else "two of these at least"
    raise DataError(
        f"--also-test {name} has the classes {_listed(classes)}, those at home are {_listed(home)}; name "
        f"its classes as at home ({wanted}), or leave it out"
    )


def _told_from_the_rest(
    places: Sequence[int], others: Sequence[str], home: Sequence[str], name: str
) -> Match:
    telling = not {label.casefold() for label in home} <= _NAMELESS
    warning = "" if telling else (
        f"classes are called {home[0]} and {home[1]} here and in {name}; whether they mean the same, "
        "the names do not say"
    )  # fmt: skip
    if len(others) > 1:
        warning = f"{_listed(others)} of {name} count as {home[0]!r}"
    return Match(tuple(max(place, 0) for place in places), telling, warning)


def _listed(labels: Sequence[str], most: int = 6) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(label[:30] for label in labels[:most]) + more


def _renamed(table: pa.Table, places: Sequence[int], home: tuple[str, ...]) -> pa.Table:
    """With the labels of home; comments of other classes left out, and counted as unlabelled."""
    about = corpus.about(table)
    labels = np.asarray(places)[corpus.column(table, "label")]
    known = labels != _LEFT_OUT
    unlabelled = about.unlabelled + int((~known).sum())
    return corpus.relabelled(
        table.filter(pa.array(known)), labels[known], corpus.About(home, about.notes, unlabelled)
    )


def _write(table: pa.Table, home: Prepared, name: str, folder: Path) -> None:
    try:
        rows, steps = test_set(
            table,
            home.protocol,
            home.step("test").comments,
            {
                "training side": _folds(home, "train", "validation"),
                "test sets at home": _folds(home, "test", "natural"),
            },
        )
    except DataError as error:
        raise DataError(f"--also-test {name}: {error}") from error
    with new_folder(folder) as scratch:
        prepare.write_part(table, rows, scratch / "test.parquet")
        steps_json = json.dumps([asdict(step) for step in steps])
        (scratch / "steps.json").write_text(steps_json, "utf-8")


def _folds(home: Prepared, *parts: str) -> npt.NDArray[np.uint64]:
    texts = [text for part in parts for text in prepare.comments(home.key, part).texts]
    return np.array([corpus.fold(text) for text in texts], np.uint64)

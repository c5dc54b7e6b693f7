"""The part of a report that tells how models do on comments of other origin (`--also-test`).

The drop against the test set at home is of other comments: tested by an unpaired bootstrap. Models
against each other are of the same comments: tested in pairs, as at home. Of more classes than two, a
set of other origin may lack some: what is held against home is of the classes that both have.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worthit.bench.saved.record import CellRecord, OutOfDomainData, Part, Run
from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.analysis.bootstrap import Estimate
from worthit.reports.analysis.metrics import Measure
from worthit.reports.analysis.paired_tests import Pair, between, bootstrap_p, holm, pairs_of
from worthit.reports.analysis.ranking_curve import Vector
from worthit.reports.analysis.run_view import by_model, name
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, percent
from worthit.reports.text.tables import listed, tabulated

HEADING = "## On comments of other origin"

_SEED = 1  # other comments than those at home: drawn apart from them
_EQUAL = 1e-6  # float32 does not tell less apart
_MOST_CLASSES = 6  # named in a sentence
_TOO_FEW = "fewer than two classes are both here and at home"


@dataclass(frozen=True)
class Drop:
    """A figure here less the same at home; 95 % interval; p corrected over all sets and models."""

    difference: float
    low: float
    high: float
    p: float

    @property
    def is_shown(self) -> bool:
        return self.p < metrics.ALPHA


@dataclass(frozen=True)
class Transfer:
    """One model on one set, by comments of the classes that home has too; None of fewer than two."""

    other: OutOfDomainData
    cell: CellRecord
    share: Estimate  # accuracy, balanced where classes have their own shares
    auc: Estimate
    home_share: float | None
    home_auc: float | None
    share_drop: Drop | None
    auc_drop: Drop | None
    beats_guessing: bool  # shown to rank or tell these comments better than chance


@dataclass(frozen=True)
class _Told:
    """Comments of some classes, and what a model says of them, as a record keeps it."""

    labels: tuple[int, ...]
    scores: tuple[float, ...]
    kinds: int  # classes at home
    seed: int  # of their resamples

    @classmethod
    def of(
        cls, part: Part, scores: Sequence[float], run: Run, kept: Sequence[int], seed: int
    ) -> "_Told":
        kinds, rows = len(run.data.classes), np.isin(part.labels, kept)
        chosen = class_names.shaped(scores, kinds)[rows].ravel()
        labels = np.asarray(part.labels)[rows]
        return cls(tuple(labels.tolist()), tuple(chosen.tolist()), kinds, seed)

    def value(self, measure: Measure) -> float | None:
        return measure.value(class_names.shaped(self.scores, self.kinds), self.labels)


def measure(run: Run) -> Measure:
    """What is compared between sets: accuracy, if both are balanced, else balanced accuracy."""
    if run.data.balanced:
        return metrics.ACCURACY
    return metrics.BALANCED_ACCURACY if class_names.of_two(run) else metrics.MACRO_RECALL


def _area(run: Run) -> Measure:
    return metrics.ROC_AUC if class_names.of_two(run) else metrics.MACRO_ROC_AUC


def guessing(run: Run, labels: Sequence[int]) -> float:
    """What `measure` is of one and the same answer to all of these comments."""
    return metrics.guessing(labels) if run.data.balanced else 1 / max(len(set(labels)), 1)


def _common(run: Run, other: OutOfDomainData) -> list[int]:
    """The classes that both test sets have comments of."""
    return sorted({*run.data.test.labels} & {*other.part.labels})


def transfers(run: Run) -> list[Transfer]:
    """Each model, by its first seed, on each set of other origin that it has scores of."""
    found = [
        _transfer(run, other, cells[0])
        for other in run.data.out_of_domain
        for cells in by_model(run).values()
        if _scores(cells[0], other) is not None
    ]
    return _corrected(found)


def pairs(run: Run, other: OutOfDomainData) -> tuple[Pair, ...]:
    """All pairs of models on one set, on the same comments."""
    cells = [cells[0] for cells in by_model(run).values()]
    scored = [(cell.name, scores) for cell in cells if (scores := _scores(cell, other)) is not None]
    return pairs_of(other.part.labels, tuple(scored), len(run.data.classes))


def _scores(cell: CellRecord, other: OutOfDomainData) -> tuple[float, ...] | None:
    parts = cell.quality.out_of_domain if cell.quality else ()
    return next((scores.probabilities for scores in parts if scores.name == other.name), None)


def _transfer(run: Run, other: OutOfDomainData, cell: CellRecord) -> Transfer:
    scores, kept = _scores(cell, other), _common(run, other)
    assert scores is not None
    assert cell.quality is not None
    if len(kept) < 2:
        unknown = Estimate(None, reason=_TOO_FEW)
        return Transfer(other, cell, unknown, unknown, None, None, None, None, False)
    here = _Told.of(other.part, scores, run, kept, _SEED)
    home = _Told.of(run.data.test, cell.quality.test, run, kept, 0)
    share, area = measure(run), _area(run)
    (share_here, share_home, share_drop), (auc, auc_home, auc_drop) = (
        _compared(which, here, home) for which in (share, area)
    )
    leads = (_resampled(here)[share] - _guessed(run, here), _resampled(here)[area] - 0.5)
    beats = any(np.nanquantile(lead, 0.025) > _EQUAL for lead in leads)
    return Transfer(other, cell, share_here, auc, share_home, auc_home, share_drop, auc_drop, beats)


def _compared(which: Measure, here: _Told, home: _Told) -> tuple[Estimate, float, Drop]:
    """A figure here, at home, and how they differ."""
    value, at_home = here.value(which), home.value(which)
    assert value is not None
    assert at_home is not None
    replicates = _resampled(here)[which]
    drop = _drop(value - at_home, replicates - _resampled(home)[which])
    return bootstrap.estimate(value, replicates), at_home, drop


@functools.lru_cache(maxsize=64)  # the verdict and its section both ask
def _resampled(told: _Told) -> dict[Measure, Vector]:
    times = bootstrap.counts(len(told.labels), seed=told.seed)
    return bootstrap.resampled(times, told.labels, class_names.shaped(told.scores, told.kinds))


def _guessed(run: Run, told: _Told) -> Vector | float:
    """`guessing` in each resample: one that lacks a rare class is easier to guess."""
    if run.data.balanced:
        return guessing(run, told.labels)
    times = bootstrap.counts(len(told.labels), seed=told.seed)
    truth = np.asarray(told.labels)
    present = [times[truth == kind].any(axis=0) for kind in {*told.labels}]
    chance: Vector = 1 / np.sum(present, axis=0)
    return chance


def _drop(difference: float, replicates: Vector) -> Drop:
    low, high = np.nanquantile(replicates, (0.025, 0.975))
    return Drop(difference, float(low), float(high), bootstrap_p(difference, replicates))


def _corrected(found: Sequence[Transfer]) -> list[Transfer]:
    """p values of each figure, for as many as there are of it."""
    for part in ("share_drop", "auc_drop"):
        drops = [getattr(one, part) for one in found]
        p_values = iter(holm([drop.p for drop in drops if drop is not None]))
        found = [
            one if drop is None else replace(one, **{part: replace(drop, p=next(p_values))})
            for one, drop in zip(found, drops, strict=True)
        ]
    return list(found)


def section(run: Run) -> list[str]:
    """A table for each set, and which models it tells apart; nothing where no set was given."""
    if not run.data.out_of_domain:
        return []
    found = transfers(run)
    if not found:
        return [HEADING, "No model has scores of them in this run."]
    heading = measure(run).heading
    why = "" if run.data.balanced else " is used because classes have their own shares; it"
    chance = (
        "50 % by guessing, as is a ROC AUC of 0.5."
        if class_names.of_two(run)
        else "1/k of k classes by guessing, told with each set; a macro ROC AUC then is 0.5."
    )
    return [
        HEADING,
        "Trained at home, tested elsewhere: no comment below was trained on, nor is any in the test sets at "
        "home. Where a model falls far, its figures at home hold for comments like those at home only. "
        f"Differences are here less at home, in brackets the 95 % interval of an unpaired bootstrap; p for "
        f"no difference, corrected by Holm for all models and sets. {heading.capitalize()}{why} is {chance}",
        *(line for other in run.data.out_of_domain for line in _of_set(run, other, found)),
    ]


def _of_set(run: Run, other: OutOfDomainData, found: Sequence[Transfer]) -> Iterator[str]:
    own = [one for one in found if one.other == other]
    yield f"### {other.name}"
    yield (
        f"{len(other.part.labels):,} comments, {_counted(run, other)} ({other.citation})"
        f"{_drawn(run, other)}{_lengths(run, other)}.{_classes_missing(run, other)}"
    )
    if other.warning:
        yield f"**Warning: {other.warning}.**"
    notes = Footnotes()
    share, area = measure(run).heading, _area(run).heading
    headings = ["model", f"{share} here", "at home", "difference, points", "p", f"{area} here", "at home",
                "difference", "p"]  # fmt: skip
    yield tabulated(headings, [_row(run, one, notes) for one in own])
    yield from listed([*notes.lines(), *other.notes])
    yield from _told_apart(run, other)


def _counted(run: Run, other: OutOfDomainData) -> str:
    """How many comments there are of each class."""
    if class_names.of_two(run):
        return f"{sum(other.part.labels):,} of them {class_names.positive(run)}"
    counts = np.bincount(other.part.labels, minlength=len(run.data.classes))
    names = class_names.names(run.data)
    return _some([f"{counts[kind]:,} {names[kind]}" for kind in np.flatnonzero(counts)])


def _classes_missing(run: Run, other: OutOfDomainData) -> str:
    """What guessing brings, and which classes only one of both sets has; nothing of two classes."""
    if class_names.of_two(run):
        return ""
    names, here, home = class_names.names(run.data), {*other.part.labels}, {*run.data.test.labels}
    kept = [label for label in other.part.labels if label in home]
    said = f" By guessing: {percent(guessing(run, kept))}."
    if home - here:
        said += (
            f" No comment here is called {_some([names[kind] for kind in sorted(home - here)])}: figures at "
            "home, too, are of comments of the other classes, and to answer so is wrong in both."
        )
    if here - home:
        said += (
            f" The {len(other.part.labels) - len(kept):,} comments called "
            f"{_some([names[kind] for kind in sorted(here - home)])}, of which the test set at home has none, "
            "are not in the table."
        )
    return said


def _some(entries: Sequence[str]) -> str:
    more = len(entries) - _MOST_CLASSES
    return ", ".join(entries[:_MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")


def _drawn(run: Run, other: OutOfDomainData) -> str:
    """How the comments were chosen, step by step where it left some out."""
    counts = [step.comments for step in other.steps]
    left_out = [
        f"{before - after:,} left out by {step.name!r}"
        for before, after, step in zip(counts[:-2], counts[1:-1], other.steps[1:-1], strict=True)
        if after < before
    ]
    how = "as many of each class" if run.data.balanced else "with the classes' own shares"
    drawn = f"drawn from {counts[-2]:,}, {how}, at most as many as the test set at home"
    return "".join(f"; {part}" for part in (*left_out, drawn))


def _lengths(run: Run, other: OutOfDomainData) -> str:
    here, home = (int(np.median(part.characters)) for part in (other.part, run.data.test))
    return f"; median length {here:,} characters, at home {home:,}"


def _row(run: Run, one: Transfer, notes: Footnotes) -> list[str]:
    return [
        name(run, one.cell),
        _estimate(one.share, percent, notes),
        "n/a" if one.home_share is None else percent(one.home_share),
        *_differs(one.share_drop, lambda value: f"{100 * value:+.1f}", notes),
        _estimate(one.auc, lambda value: f"{value:.3f}", notes),
        "n/a" if one.home_auc is None else f"{one.home_auc:.3f}",
        *_differs(one.auc_drop, lambda value: f"{value:+.3f}", notes),
    ]


def _estimate(found: Estimate, number: Callable[[float], str], notes: Footnotes) -> str:
    if found.value is None:
        return f"n/a {notes.mark(found.reason)}"
    if found.low is None or found.high is None:
        return f"{number(found.value)} {notes.mark(found.reason)}"
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _differs(drop: Drop | None, number: Callable[[float], str], notes: Footnotes) -> list[str]:
    if drop is None:
        return [f"n/a {notes.mark(_TOO_FEW)}"] * 2
    p = "< 0.001" if drop.p < 0.001 else f"{drop.p:.3f}"
    shown = f"{number(drop.difference)} ({number(drop.low)} to {number(drop.high)})"
    return [shown, f"**{p}**" if drop.is_shown else p]


def _told_apart(run: Run, other: OutOfDomainData) -> Iterator[str]:
    """Which model is the better one here, as far as paired tests support it."""
    found = pairs(run, other)
    if not found:
        return
    shown = {cell.name: name(run, cell) for cell in run.cells}
    better = []
    for pair in found:
        if pair.accuracy_differs:
            ahead = pair if pair.accuracy_difference > 0 else pair.turned()
            better.append(
                f"{shown[ahead.first]} over {shown[ahead.second]} by {100 * ahead.accuracy_difference:.1f} points"
            )
    told = "; ".join(better) or "no two models"
    yield (
        f"More accurate here, by McNemar's test on the same comments, corrected for {len(found)} "
        f"pair{'s' * (len(found) > 1)}: {told}."
    )


def in_words(run: Run, llm: CellRecord, rival: CellRecord | None) -> str:
    """How a model, and one beside it, do elsewhere: a sentence of a verdict; empty if nothing is known.

    Only of sets whose labels are called as at home: of others a fall would say nothing.
    """
    found = {(one.other.name, one.cell.name): one for one in transfers(run)}
    figure = measure(run).heading
    sentences = []
    for other in run.data.out_of_domain:
        own = found.get((other.name, llm.name))
        if own is None or own.share.value is None or not other.same_label:
            continue
        text = (
            f"On {other.name}, of other origin{_fewer(run, other)}, the {figure} of {name(run, llm)} is "
            f"{percent(own.share.value)}"
        )
        if own.share_drop is not None and own.share_drop.is_shown:
            text += f" ({100 * own.share_drop.difference:+.1f} points)"
        beside = rival and found.get((other.name, rival.name))
        if rival and beside and beside.share.value is not None:
            text += f", of {name(run, rival)} {percent(beside.share.value)}{_support(run, other, llm, rival)}"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def _fewer(run: Run, other: OutOfDomainData) -> str:
    """That a set lacks classes, if it does."""
    compared, at_home = len(_common(run, other)), len({*run.data.test.labels})
    return "" if compared == at_home else f" and with {compared} of the {at_home} classes"


def _support(run: Run, other: OutOfDomainData, llm: CellRecord, rival: CellRecord) -> str:
    pair = between(pairs(run, other), llm.name, rival.name)
    if not pair.accuracy_differs:
        return ", and the paired test of accuracy does not tell them apart"
    better = llm if pair.accuracy_difference > 0 else rival
    return f", and the paired test of accuracy supports that {name(run, better)} is better"


def at_chance(run: Run, cell: CellRecord) -> list[OutOfDomainData]:
    """Sets with labels called as at home on which a model is not shown to beat guessing."""
    return [
        one.other
        for one in transfers(run)
        if one.cell.name == cell.name and one.other.same_label and not one.beats_guessing
    ]

"""How models do on out-of-domain comments (`--also-test`).

The drop from the in-domain test set is between different comments. Its variance is that of an unpaired
bootstrap, as in pROC (Robin et al. 2011), and of one comment of each set. Models are compared with each
other on the same comments: paired tests, as in-domain. If an out-of-domain set lacks some of more than
two classes, it is compared on the classes that both sets have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Data, OutOfDomainData, Part
from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import leads, task
from worthit.reports.analysis.paired_tests import (
    Difference,
    Pair,
    corrected,
    pairs_of,
)
from worthit.reports.analysis.run_view import by_model, calibrated
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.bootstrap import Estimate
from worthit.reports.statistics.metrics import Measure
from worthit.reports.statistics.ranking_curve import Matrix, Vector
from worthit.reports.statistics.trainings import Spread
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities, Truth

TOO_FEW_CLASSES = "fewer than two classes are in both sets"

_SEED = 1  # of the out-of-domain resamples: independent of the in-domain ones
_EQUAL = 1e-6  # float32 resolves no less


@dataclass(frozen=True)
class Transfer:
    """One model on one set, on comments of classes that both sets have; None if fewer than two."""

    other: OutOfDomainData
    cell: CellRecord
    share: Estimate  # accuracy; balanced accuracy if classes keep their own shares
    auc: Estimate
    in_domain_share: float | None
    in_domain_auc: float | None
    share_drop: Difference | None  # out-of-domain minus in-domain; p for all sets and models
    auc_drop: Difference | None
    beats_guessing: bool  # shown to rank or classify these comments better than chance


@dataclass(frozen=True)
class Transfers:
    """All models on all out-of-domain sets."""

    results: tuple[Transfer, ...]
    pairs: Mapping[str, tuple[Pair, ...]]  # of all models, by set

    def on(self, other: OutOfDomainData) -> list[Transfer]:
        return [result for result in self.results if result.other.name == other.name]

    def of(self, other: OutOfDomainData, cell: CellRecord) -> Transfer | None:
        return next((one for one in self.on(other) if one.cell.name == cell.name), None)

    def at_chance(self, cell: CellRecord) -> list[OutOfDomainData]:
        """Sets with the in-domain labels on which a model is not shown to beat guessing."""
        return [
            result.other
            for result in self.results
            if result.cell.name == cell.name
            and result.other.same_label
            and not result.beats_guessing
        ]


@dataclass(frozen=True)
class _Comments:
    """The comments of one set that are compared, with their resamples."""

    labels: Truth
    chosen: tuple[
        npt.NDArray[np.bool_], npt.NDArray[np.int64] | None
    ]  # rows, and columns of several labels
    resamples: Matrix
    data: Data

    @classmethod
    def of(cls, part: Part, common: Sequence[int], data: Data, seed: int) -> "_Comments":
        truth = class_names.truth(data, part)
        resamples = bootstrap.counts
        if data.multilabel:
            every, columns = np.ones(len(truth), np.bool_), np.asarray(common)
            return cls(truth[:, columns], (every, columns), resamples(len(truth), seed=seed), data)
        rows = np.isin(truth, common)
        return cls(truth[rows], (rows, None), resamples(int(rows.sum()), seed=seed), data)

    def scores(self, flat: Sequence[float]) -> Probabilities:
        rows, columns = self.chosen
        found = class_names.probabilities(self.data, flat)[rows]
        return found if columns is None else found[:, columns]


def measure(run: Run) -> Measure:
    """What is compared: accuracy if both sets are balanced, else balanced accuracy; of labels what decides."""
    if class_names.of_labels(run):
        return task.ranking(run)
    if run.data.balanced:
        return metrics.ACCURACY
    return metrics.BALANCED_ACCURACY if class_names.of_two(run) else metrics.MACRO_RECALL


def auc_measure(run: Run) -> Measure:
    return task.of(run).auc


def guessing(run: Run, other: OutOfDomainData) -> float:
    """`measure` of a constant answer to the comments of a set that are compared."""
    labels = _Comments.of(other.part, common_classes(run, other), run.data, _SEED).labels
    if labels.ndim == 2:
        return measure(run).value(leads.constant_labels(measure(run), labels), labels) or 0.0
    if run.data.balanced:
        return metrics.majority_accuracy(labels)
    return 1 / max(len(np.unique(labels)), 1)


def common_classes(run: Run, other: OutOfDomainData) -> list[int]:
    """The classes of which both test sets have comments, or labels that some of the comments of each have."""
    if run.data.multilabel:
        sets = [class_names.truth(run.data, part) for part in (run.data.test, other.part)]
        mixed = [np.ptp(labels, axis=0) > 0 for labels in sets if len(labels)]
        return np.flatnonzero(np.all(mixed, axis=0)).tolist() if len(mixed) == 2 else []
    return sorted({*run.data.test.labels} & {*other.part.labels})


def comparable(run: Run, common: Sequence[int]) -> bool:
    """True if enough classes, or labels, are in both sets to compare models by."""
    return len(common) >= (1 if run.data.multilabel else 2)


def too_few(run: Run) -> str:
    """Why nothing is compared if it is not `comparable`."""
    return "no label is in both sets" if run.data.multilabel else TOO_FEW_CLASSES


def transfers(run: Run) -> Transfers:
    """Each model, by its first seed, on each out-of-domain set with scores."""
    results, pairs = [], {}
    for other in run.data.out_of_domain:
        cells = [cells[0] for cells in by_model(run).values()]
        scores = {cell.name: flat for cell in cells if (flat := _scores(cell, other)) is not None}
        results += list(_results(run, other, [cell for cell in cells if cell.name in scores]))
        labels = class_names.truth(run.data, other.part)
        resamples = bootstrap.counts(len(labels))
        models = list(by_model(run).values())
        ranked = [[calibrated(cell) for cell in cells] for cells in models]
        decided, ranks = (_trainings(run, other, of) for of in (models, ranked))
        pairs[other.name] = pairs_of(labels, decided, ranks, resamples)
    return Transfers(tuple(_corrected(results)), pairs)


def _trainings(
    run: Run, other: OutOfDomainData, models: Sequence[Sequence[CellRecord]]
) -> dict[str, list[Probabilities]]:
    """Cell name → of each training with scores, the probabilities of a set's comments."""
    trainings = {
        cells[0].name: [
            class_names.probabilities(run.data, flat)
            for cell in cells
            if (flat := _scores(cell, other)) is not None
        ]
        for cells in models
    }
    return {model: shaped for model, shaped in trainings.items() if shaped}


def _scores(cell: CellRecord, other: OutOfDomainData) -> tuple[float, ...] | None:
    also = cell.quality.out_of_domain if cell.quality else ()
    return next((scores.probabilities for scores in also if scores.name == other.name), None)


def _results(run: Run, other: OutOfDomainData, cells: Sequence[CellRecord]) -> Iterator[Transfer]:
    common = common_classes(run, other)
    if not comparable(run, common):
        unknown = Estimate(None, reason=too_few(run))
        for cell in cells:
            yield Transfer(other, cell, unknown, unknown, None, None, None, None, False)
        return
    here = _Comments.of(other.part, common, run.data, _SEED)
    in_domain = _Comments.of(run.data.test, common, run.data, 0)
    chance = _chance(run, other, here)
    for cell in cells:
        yield _transfer(run, other, cell, here, in_domain, chance)


def _transfer(
    run: Run,
    other: OutOfDomainData,
    cell: CellRecord,
    here: _Comments,
    in_domain: _Comments,
    chance: Vector | float,
) -> Transfer:
    of_answers = _comparison(other, cell, here, in_domain)
    own = calibrated(cell)
    of_ranks = of_answers if own is cell else _comparison(other, own, here, in_domain)
    drawn_shares, share_here, share_in_domain, share_drop = of_answers(measure(run))
    drawn_areas, auc, auc_in_domain, auc_drop = of_ranks(auc_measure(run))
    over_chance = (drawn_shares - chance, drawn_areas - 0.5)
    one = leads.of_one(here.labels)
    beats = any(_is_positive(lead, one) for lead in over_chance)
    return Transfer(
        other, cell, share_here, auc, share_in_domain, auc_in_domain, share_drop, auc_drop, beats
    )


def _is_positive(lead: Vector, one: float) -> bool:
    """Whether a lead over chance is shown: by its resamples, and by their variance and that of one comment.

    Args:
        lead: in each resample, shape (resamples,).
        one: the variance that one comment adds: no resample of a few correct answers has an error.
    """
    reach = float(Spread.of(float(np.nanvar(lead)) + one, ()).reach)
    return bool(np.nanquantile(lead, 0.025) > _EQUAL and np.nanmean(lead) > reach)


def _comparison(
    other: OutOfDomainData, cell: CellRecord, here: _Comments, in_domain: _Comments
) -> Callable[[Measure], tuple[Vector, Estimate, float, Difference]]:
    """A function of a figure: in each resample, out-of-domain, in-domain, and their difference."""
    flat = _scores(cell, other)
    assert flat is not None
    assert cell.quality is not None
    scores, scores_in_domain = here.scores(flat), in_domain.scores(cell.quality.test)
    drawn = metrics.resampled(here.resamples, here.labels, scores)
    drawn_in_domain = metrics.resampled(in_domain.resamples, in_domain.labels, scores_in_domain)
    one = leads.of_one(here.labels) + leads.of_one(in_domain.labels)

    def compare(which: Measure) -> tuple[Vector, Estimate, float, Difference]:
        value = which.value(scores, here.labels)
        value_in_domain = which.value(scores_in_domain, in_domain.labels)
        assert value is not None
        assert value_in_domain is not None
        drop = _difference(value - value_in_domain, drawn[which] - drawn_in_domain[which], one)
        return drawn[which], bootstrap.estimate(value, drawn[which]), value_in_domain, drop

    return compare


def _difference(value: float, replicates: Vector, one: float) -> Difference:
    """A difference of two shares or areas, with the interval and the p value of its variance over comments.

    Args:
        replicates: the difference in each resample, shape (resamples,).
        one: the variance that one comment of each set adds, as in `leads.of_figures`: without it, perfect
            figures of a few comments would be known exactly.
    """
    spread = Spread.of(float(np.nanvar(replicates)) + one, ())
    reach = float(spread.reach)
    return Difference(value, max(value - reach, -1.0), min(value + reach, 1.0), spread.p(value))


def _chance(run: Run, other: OutOfDomainData, here: _Comments) -> Vector | float:
    """`guessing` in each resample: one that lacks a rare class is easier to guess."""
    if here.labels.ndim == 2:
        constant = leads.constant_labels(measure(run), here.labels)
        return metrics.resampled(here.resamples, here.labels, constant)[measure(run)]
    if run.data.balanced:
        return guessing(run, other)
    truth = np.asarray(here.labels)
    present = [here.resamples[truth == label].any(axis=0) for label in np.unique(truth)]
    chance: Vector = 1 / np.sum(present, axis=0)
    return chance


def _corrected(results: Sequence[Transfer]) -> Iterator[Transfer]:
    """Holm's correction of each figure's p values, over all sets and models."""
    shares = iter(corrected([result.share_drop for result in results if result.share_drop]))
    areas = iter(corrected([result.auc_drop for result in results if result.auc_drop]))
    for result in results:
        share_drop, auc_drop = result.share_drop and next(shares), result.auc_drop and next(areas)
        yield replace(result, share_drop=share_drop, auc_drop=auc_drop)

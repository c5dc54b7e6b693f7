"""A cheap model answers when it is sure, and passes the other comments on to a dear one.

How sure it has to be is chosen on validation comments, which neither model was trained or tested on;
all that is told is of the test comments. Cascades of classifiers are old (Viola and Jones 2001);
FrugalGPT (Chen et al. 2023) puts language models at their end.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import CellRecord, Run, significant
from worthit.reports.analysis import bootstrap, bounds, metrics
from worthit.reports.analysis.paired_tests import holm, mcnemar_p
from worthit.reports.analysis.run_view import by_model, name, test_scores
from worthit.reports.text import class_names
from worthit.reports.text.format import percent, percent_with_interval
from worthit.reports.text.tables import tabulated

#: shares of validation comments passed on, between which a sweep draws its line
SWEPT = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cascade:
    """Two cells and how sure the first has to be, with what comes of it on the test comments."""

    cheap: CellRecord
    dear: CellRecord
    sure_from: float  # probability of the likeliest class from which on the cheap one answers
    passed_share: float  # of the test comments
    accuracy: metrics.Share
    compute_ms: float  # a comment, at the best batch sizes of both
    saved_share: float  # of the dear one's compute


@dataclass(frozen=True)
class Tested:
    """A cascade beside each of its models alone, on the same test comments."""

    cascade: Cascade
    difference: float  # in accuracy, less the dear one's
    low: float  # and its 95 % bootstrap interval
    high: float
    p_dear: float  # McNemar's, against the dear one
    more: float  # in accuracy, less the cheap one's
    p_cheap: float

    @property
    def loses(self) -> bool:
        """Whether it is less accurate than the dear model."""
        return self.p_dear < metrics.ALPHA and self.difference < 0

    @property
    def replaces(self) -> bool:
        """Whether it may stand in for the dear model, and is worth more than the cheap one."""
        return not self.loses and self.p_cheap < metrics.ALPHA and self.more > 0


def chosen(run: Run) -> tuple[Tested, ...]:
    """For each model, the cheapest cascade that loses nothing of its accuracy on validation.

    p values are Holm-corrected over what is returned.
    """
    found = []
    for dear in _usable(run):
        candidates = [
            _at(run, cheap, dear, threshold)
            for cheap in _usable(run)
            if bounds.compute_ms(run, cheap).below(bounds.compute_ms(run, dear))
            and (threshold := _threshold(run, cheap, dear)) is not None
        ]
        if candidates:
            found.append(min(candidates, key=lambda cascade: cascade.compute_ms))
    return _corrected([_tested(run, cascade) for cascade in found if cascade.saved_share > 0])


def swept(run: Run, cheap: CellRecord, dear: CellRecord) -> list[Cascade]:
    """From the cheap model alone to the dear one alone, by shares of validation comments passed."""
    assert cheap.quality is not None
    sureness = metrics.sureness(class_names.probabilities(run.data, cheap.quality.validation))
    thresholds = [float(np.quantile(sureness, share)) for share in SWEPT[1:-1]]
    return [_at(run, cheap, dear, threshold) for threshold in (0.0, *thresholds, np.inf)]


def section(run: Run, found: Sequence[Tested]) -> list[str]:
    """A table of the cascades that pay, or why there is none.

    Args:
        found: of `chosen(run)`.
    """
    if not run.data.validation.labels:
        return ["This run kept no validation comments, on which a cascade's threshold is chosen."]
    if len(_usable(run)) < 2:
        return ["A cascade takes two models with scores and a rate."]
    if not found:
        return ["No model can spare another one work without losing accuracy on validation."]
    likeliest = "likelier" if class_names.of_two(run) else "likeliest"
    headings = [
        "cascade", "sure from", "passed on", "test acc (95 % interval)", "points against dear alone",
        "compute, ms/comment", "of it saved", "standing",
    ]  # fmt: skip
    return [
        f"A cheap model answers where the probability of its {likeliest} class is high enough, and passes "
        "the other comments on to a dear one. For each dear model: the cheapest cascade that loses "
        f"nothing on {len(run.data.validation.labels):,} validation comments, where its threshold is "
        "chosen; the figures are of the test comments. Compute is that of both at their best batch "
        "sizes, comments passed on taken to be as long as the others; both models have to be in "
        "memory. **in place of X**: not shown to be less accurate than X, and shown to be more "
        "accurate than the cheap model alone; ≈ cheaper X: not shown to be more accurate than X "
        "alone, which is cheaper.",
        tabulated(headings, [_row(run, tested) for tested in found]),
    ]


def _row(run: Run, tested: Tested) -> list[str]:
    cascade = tested.cascade
    return [
        f"{name(run, cascade.cheap)} → {name(run, cascade.dear)}",
        f"{cascade.sure_from:.2f}",
        percent(cascade.passed_share),
        percent_with_interval(cascade.accuracy),
        f"{100 * tested.difference:+.1f} ({100 * tested.low:+.1f} to {100 * tested.high:+.1f})",
        significant(cascade.compute_ms),
        percent(cascade.saved_share),
        _standing(run, tested),
    ]


def _standing(run: Run, tested: Tested) -> str:
    cheap, dear = name(run, tested.cascade.cheap), name(run, tested.cascade.dear)
    if tested.loses:
        return f"less accurate than {dear}"
    return f"**in place of {dear}**" if tested.replaces else f"≈ cheaper {cheap}"


def _usable(run: Run) -> list[CellRecord]:
    """Cells with scores on validation comments and a rate; of several seeds the first."""
    if not run.data.validation.labels:
        return []
    return [
        cells[0]
        for cells in by_model(run).values()
        if cells[0].quality is not None
        and cells[0].quality.validation
        and bounds.compute_ms(run, cells[0]).value
    ]


def _threshold(run: Run, cheap: CellRecord, dear: CellRecord) -> float | None:
    """The lowest sureness that keeps the dear model's accuracy on validation.

    None if the cheap model would never answer, or always: then it is no cascade.
    """
    assert cheap.quality is not None
    assert dear.quality is not None
    labels = np.asarray(run.data.validation.labels)
    by_cheap = class_names.probabilities(run.data, cheap.quality.validation)
    right_cheap = metrics.called(by_cheap) == labels
    by_dear = class_names.probabilities(run.data, dear.quality.validation)
    right_dear = metrics.called(by_dear) == labels
    sureness = metrics.sureness(by_cheap)
    for threshold in np.unique(sureness):
        answers = sureness >= threshold
        if np.where(answers, right_cheap, right_dear).sum() >= right_dear.sum():
            return None if answers.all() else float(threshold)
    return None


def _at(run: Run, cheap: CellRecord, dear: CellRecord, sure_from: float) -> Cascade:
    """What comes of a threshold, on the test comments."""
    right, passed = _right(run, cheap, dear, sure_from)
    share = metrics.share(int(right.sum()), len(right))
    assert share is not None
    dear_ms = bounds.compute_ms(run, dear).value or 0.0
    compute_ms = (bounds.compute_ms(run, cheap).value or 0.0) + passed.mean() * dear_ms
    return Cascade(
        cheap,
        dear,
        sure_from,
        passed_share=float(passed.mean()),
        accuracy=share,
        compute_ms=float(compute_ms),
        saved_share=float(1 - compute_ms / dear_ms),
    )


def _tested(run: Run, cascade: Cascade) -> Tested:
    """p values are not yet corrected."""
    right, _ = _right(run, cascade.cheap, cascade.dear, cascade.sure_from)
    by_cheap, _ = _right(run, cascade.cheap, cascade.dear, 0.0)
    by_dear, _ = _right(run, cascade.cheap, cascade.dear, np.inf)
    gaps = right.astype(np.float32) - by_dear
    low, high = np.quantile(gaps @ bootstrap.counts(len(gaps)) / len(gaps), (0.025, 0.975))
    return Tested(
        cascade,
        difference=float(gaps.mean()),
        low=float(low),
        high=float(high),
        p_dear=mcnemar_p(right, by_dear),
        more=float(right.mean() - by_cheap.mean()),
        p_cheap=mcnemar_p(right, by_cheap),
    )


def _right(run: Run, cheap: CellRecord, dear: CellRecord, sure_from: float) -> tuple[Mask, Mask]:
    """Which test comments a cascade tells right, and which it passes on, shape (n,) each."""
    assert cheap.quality is not None
    assert dear.quality is not None
    labels = np.asarray(run.data.test.labels)
    by_cheap, by_dear = (test_scores(run, scored) for scored in (cheap.quality, dear.quality))
    passed = metrics.sureness(by_cheap) < sure_from
    right_cheap, right_dear = (metrics.called(scores) == labels for scores in (by_cheap, by_dear))
    return np.where(passed, right_dear, right_cheap), passed


def _corrected(found: Sequence[Tested]) -> tuple[Tested, ...]:
    raw = itertools.chain.from_iterable((one.p_dear, one.p_cheap) for one in found)
    p_values = iter(holm(list(raw)))
    return tuple(replace(one, p_dear=next(p_values), p_cheap=next(p_values)) for one in found)

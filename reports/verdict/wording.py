"""The sentences under a verdict: the figures that decide it, and what would change it."""

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.record import CellRecord, Run, significant
from worthit.reports.analysis import bounds, budgets, human_rater, metrics, transfer
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.run_view import test_scores
from worthit.reports.text import class_names
from worthit.reports.text.format import percent
from worthit.reports.verdict.case import Case, is_llm, is_tuned_llm

_MOST_SENTENCES = 6
_POWER = 0.8  # of the test that more comments would allow
_LARGE_PARAMETERS = 1e9

_Cost = tuple[Callable[[Run, CellRecord], Bounded], str]
_TO_RUN: tuple[_Cost, ...] = (
    (bounds.compute_ms, "compute a comment"),
    (bounds.latency_p50_ms, "latency of one comment"),
)
_TO_HAVE: tuple[_Cost, ...] = ((bounds.training_s, "training time"), (bounds.peak_mb, "memory"))


def sentences(case: Case, rival: CellRecord | None, goes_first: Cascade | None) -> tuple[str, ...]:
    """What decides the verdict, the most important first, at most six.

    Args:
        rival: the cheaper model that decides it; None if none does.
        goes_first: the cascade that may stand in for the LLM.
    """
    found = (
        _accuracy(case, rival),
        _costs(case, rival or case.rivals[0], "To run it", _TO_RUN),
        _costs(case, rival or case.rivals[0], "To have it", _TO_HAVE),
        _budget(case),
        transfer.in_words(case.run, case.llm, rival or case.rivals[0]),
        _cascade(case, goes_first),
        _untuned(case),
        _people(case),
    )
    return tuple(sentence for sentence in found if sentence)[:_MOST_SENTENCES]


def _accuracy(case: Case, rival: CellRecord | None) -> str:
    share = case.accuracy(case.llm)
    text = (
        f"{_introduced(case)} tells {percent(share.value)} ({percent(share.low)} to "
        f"{percent(share.high)}) of {share.comments:,} test comments right"
    )
    if rival is None:
        guessing = metrics.guessing(case.run.data.test.labels)
        commonest = "commoner" if class_names.of_two(case.run) else "commonest"
        return f"{text}; always answering the {commonest} class is right for {percent(guessing)}."
    lead = case.lead(rival)
    points = (
        f"{100 * lead.accuracy_difference:+.1f} points ({100 * lead.accuracy_low:+.1f} to "
        f"{100 * lead.accuracy_high:+.1f})"
    )
    support = "supports" if lead.accuracy_differs else "does not tell from chance"
    p = "p < 0.001" if lead.accuracy_p < 0.001 else f"p = {lead.accuracy_p:.2g}"
    return (
        f"{text}, {case.shown(rival)} {percent(case.accuracy(rival).value)}: a difference of {points}, "
        f"which the paired test {support} ({p}).{_other_seeds(case, rival)}"
    )


def _other_seeds(case: Case, rival: CellRecord) -> str:
    if not case.seeds_disagree(rival):
        return ""
    return f" Other seeds do not bear it out: over all, {_over_seeds(case, rival)}."


def _over_seeds(case: Case, rival: CellRecord) -> str:
    """What both reach, from the worst seed to the best."""
    texts = []
    for cell in (case.llm, rival):
        ends = dict.fromkeys(percent(end(case.trainings(cell))) for end in (min, max))
        texts.append(f"{case.shown(cell)} reaches {' to '.join(ends)}")
    return ", ".join(texts)


def _introduced(case: Case) -> str:
    checkpoint = _checkpoint(case.llm)
    shown = case.shown(case.llm)
    return f"{shown} ({checkpoint}, tuned)" if checkpoint else shown


def _costs(case: Case, rival: CellRecord, opening: str, costs: tuple[_Cost, ...]) -> str:
    ratios = [ratio for of, what in costs if (ratio := _ratio(case, rival, of, what))]
    return f"{opening} takes {' and '.join(ratios)} of {case.shown(rival)}." if ratios else ""


def _ratio(
    case: Case, rival: CellRecord, of: Callable[[Run, CellRecord], Bounded], what: str
) -> str:
    own, other = of(case.run, case.llm), of(case.run, rival)
    if not own.value or not other.value:
        return ""
    cached = ", cached" if "cached" in (own.figure.origin, other.figure.origin) else ""
    times = significant(own.value / other.value)
    return f"{times} × the {what} ({significant(own.value)} {own.figure.unit}{cached})"


def _budget(case: Case) -> str:
    if not budgets.fits(case.run, case.llm):
        return ""
    within = [
        case.shown(cell)
        for cell in case.run.cells
        if budgets.overall(budgets.fits(case.run, cell)) == "fits"
    ]
    return f"The whole budget is kept by: {', '.join(within) or 'none'}."


def _cascade(case: Case, found: Cascade | None) -> str:
    if found is None:
        return ""
    return (
        f"A cascade that asks {case.shown(found.cheap)} first and passes {percent(found.passed_share)} of "
        f"the comments on reaches {percent(found.accuracy.value)} for {percent(1 - found.saved_share)} of "
        f"{case.shown(case.llm)}'s compute."
    )


def _untuned(case: Case) -> str:
    for cell in case.run.cells:
        same = _checkpoint(cell) == _checkpoint(case.llm)
        if is_llm(cell) and not is_tuned_llm(cell) and same and cell.quality is not None:
            share = percent(case.accuracy(cell).value)
            return f"Without tuning the same weights reach {share}."
    return ""


def _checkpoint(cell: CellRecord) -> str:
    return str(cell.setup.settings.get("checkpoint", "")) if cell.setup else ""


def _people(case: Case) -> str:
    rater = human_rater.rater_of(case.run)
    if rater is None or rater.accuracy.value is None:
        return ""
    return (
        f"One rater agrees with the majority of the others on {percent(rater.accuracy.value)} of these "
        "comments, which is what to read these accuracies against."
    )


def changes(case: Case, rival: CellRecord | None, worthwhile_points: float) -> Iterator[str]:
    """What would change the verdict: whatever was small, noisy or left out.

    Args:
        worthwhile_points: a smaller lead need not be shown.
    """
    run, training = case.run, case.llm.training
    if rival is not None and not case.lead(rival).accuracy_differs:
        yield from _more_test_comments(case, rival, worthwhile_points)
    if case.seeds() < 2:
        yield "More seeds: each model was trained once, and another training may score otherwise."
    elif rival is not None and case.seeds_disagree(rival):
        yield f"More seeds: {_over_seeds(case, rival)}; more would tell which is ahead as a rule."
    used, available = run.data.step("train").comments, run.data.usable
    if used < available // 2:
        yield (
            f"More training comments: {used:,} of {available:,} {'balanced ' * run.data.balanced}ones were used; "
            "`--learning-curve` shows what more of them buy."
        )
    if training and training.parameters and training.parameters < _LARGE_PARAMETERS:
        yield (
            f"A larger LLM: this one has {training.parameters / 1e6:,.0f} M parameters (`--checkpoint "
            f"{case.llm.model}=…`)."
        )
    if case.llm.device == "cpu":
        yield "A GPU: this was measured on a CPU, and `worthit compare` sets a run on one beside it."
    if run.noise.value is not None and run.noise.value >= NOISY_PERCENT:
        yield "An idle machine: this one was noisy while it measured."


def _more_test_comments(case: Case, rival: CellRecord, worthwhile_points: float) -> Iterator[str]:
    """How many would show the lead, if it is what it seems, four times in five.

    Of McNemar's test, to first order (Connor 1987), at a level corrected for all pairs of models.
    """
    assert case.llm.quality is not None
    assert rival.quality is not None
    points = max(100 * abs(case.lead(rival).accuracy_difference), worthwhile_points)
    right = [
        metrics.called(test_scores(case.run, scored)) == np.asarray(case.run.data.test.labels)
        for scored in (case.llm.quality, rival.quality)
    ]
    discordant = float((right[0] != right[1]).mean())
    deviations = -NormalDist().inv_cdf(metrics.ALPHA / 2 / len(case.pairs))
    deviations += NormalDist().inv_cdf(_POWER)
    needed = float(deviations**2 * discordant / np.square(points / 100))
    if needed > case.comments:
        shown = significant(float(f"{needed:.2g}"))
        yield f"More test comments: about {shown} would show a difference of {points:.1f} points."

"""The verdict: is fine-tuning the LLM worth it here, or does something cheaper do?

The rules, in the order in which they are asked. "Better" and "worse" are said of accuracies only
where McNemar's test, corrected for the number of pairs, tells them apart on the same test comments;
"cheaper" of compute per comment, and only beyond the bounds of the figures (`worthit.reports.bounds`).

1. No tuned LLM, or no cheaper model beside it, has been measured: no verdict.
2. The tuned LLM is not shown to beat guessing: not worth it here.
3. A cheaper model is better, or not told apart from it:
   - the LLM can be ahead by less than `WORTHWHILE_POINTS` (95 %), or the cheaper one is better: not
     worth it here;
   - else, with fewer than `ENOUGH_COMMENTS` test comments: too little data to tell;
   - else: not worth it here, since what may be left is small.
4. The LLM is better than every cheaper model:
   - it misses a limit of the budget, or of p99 where there is no budget: practical if that limit can
     give way;
   - a cascade keeps its accuracy and saves half of its compute: practical if a cheap model goes first;
   - else: practical.

Of several tuned LLMs the most accurate speaks for all; of several seeds the first, unless the seeds
disagree, when nothing is better than anything.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from worthit.bench.noise import NOISY_PERCENT
from worthit.bench.record import DEFAULT_P99_LIMIT_MS, CellRecord, Run, significant
from worthit.models.registry import MODELS
from worthit.reports import bounds, budgets, cascade, options, people, quality
from worthit.reports.bounds import Bounded
from worthit.reports.cascade import Cascade
from worthit.reports.columns import by_model, name, percent
from worthit.reports.pairs import Pair, between

#: below this lead, in points of accuracy, a dearer model is not worth its cost
WORTHWHILE_POINTS = 1.0
#: from so many test comments on, a lead that still does not show is small
ENOUGH_COMMENTS = 2_000
#: of an LLM's compute that a cascade has to save to be the better answer
WORTHWHILE_SAVING = 0.5

Answer = Literal[
    "practical", "practical if", "not worth it here", "too little data to tell", "no verdict"
]


@dataclass(frozen=True)
class Verdict:
    """What a reader takes away: an answer, the figures that decide it, what would change it."""

    answer: Answer
    headline: str
    reasons: tuple[str, ...]  # three to six sentences, or fewer without a verdict
    changes: tuple[str, ...]  # what would change it


@dataclass(frozen=True)
class _Case:
    """What the rules look at."""

    run: Run
    llm: CellRecord
    rivals: tuple[CellRecord, ...]  # cheaper than the LLM, the most accurate first
    pairs: tuple[Pair, ...]

    def lead(self, rival: CellRecord) -> Pair:
        """The LLM less a rival."""
        return between(self.pairs, self.llm.name, rival.name)

    def is_better(self, rival: CellRecord) -> bool:
        """Whether the LLM is."""
        return self.lead(rival).accuracy_differs and self.lead(rival).accuracy_difference > 0

    def is_worse(self, rival: CellRecord) -> bool:
        return self.lead(rival).accuracy_differs and self.lead(rival).accuracy_difference < 0

    def shown(self, cell: CellRecord) -> str:
        return name(self.run, cell)


def verdict(run: Run, pairs: Iterable[Pair]) -> Verdict:
    """Apply the rules to a run.

    Args:
        pairs: of `worthit.reports.pairs.pairs(run)`.
    """
    scored = [cells[0] for cells in by_model(run).values()]
    tuned = [cell for cell in scored if _is_tuned_llm(cell)]
    if not tuned:
        return _none("this run has no fine-tuned LLM with test scores")
    llm = max(tuned, key=lambda cell: _accuracy(run, cell).value)
    cost = bounds.compute_ms(run, llm)
    if cost.value is None:
        return _none(f"{name(run, llm)} has no throughput: {cost.figure.reason}")
    cheaper = [
        cell for cell in scored if not _is_llm(cell) and bounds.compute_ms(run, cell).below(cost)
    ]
    if not cheaper:
        return _none("this run has no cheaper model to compare with")
    cheaper.sort(key=lambda cell: -_accuracy(run, cell).value)
    case = _Case(run, llm, tuple(cheaper), tuple(pairs))
    return _judged(case)


def _none(reason: str) -> Verdict:
    models = "the main job with `--models tfidf,bert,llama`"
    return Verdict("no verdict", f"No verdict: {reason}.", (), (f"Run {models}.",))


def _judged(case: _Case) -> Verdict:
    run, llm = case.run, case.llm
    if _accuracy(run, llm).low <= _guessing(run):
        return _verdict(
            case, "not worth it here", f"{case.shown(llm)} is not shown to beat guessing", None
        )
    rival = _rival(case)
    if rival is not None:
        return _beaten(case, rival)
    best = case.rivals[0]
    points = f"{100 * case.lead(best).accuracy_difference:.1f} points over {case.shown(best)}"
    missed = _missed_limits(case)
    if missed:
        headline = f"{missed[0]}: {case.shown(llm)} brings {points}"
        return _verdict(case, "practical if", headline, best)
    relay = _relay(case)
    if relay is not None:
        headline = (
            f"{case.shown(relay.cheap)} answers first and passes {percent(relay.passed_share)} on: "
            f"{case.shown(llm)} brings {points}"
        )
        return _verdict(case, "practical if", headline, best)
    return _verdict(case, "practical", f"{case.shown(llm)} brings {points}", best)


def _rival(case: _Case) -> CellRecord | None:
    """The cheaper model to use instead: the cheapest of those the LLM is not shown to beat."""
    good = [
        rival for rival in case.rivals if not case.is_better(rival) or _seeds_disagree(case, rival)
    ]
    better = [rival for rival in good if case.is_worse(rival)]
    return min(better or good, key=lambda cell: _compute_ms(case.run, cell), default=None)


def _beaten(case: _Case, rival: CellRecord) -> Verdict:
    if case.is_worse(rival):
        headline = f"{case.shown(rival)} is more accurate than {case.shown(case.llm)}, and cheaper"
        return _verdict(case, "not worth it here", headline, rival)
    comments = len(case.run.data.test.labels)
    lead = 100 * case.lead(rival).accuracy_high
    if lead >= WORTHWHILE_POINTS and comments < ENOUGH_COMMENTS:
        headline = (
            f"{comments:,} test comments do not tell {case.shown(case.llm)} from {case.shown(rival)}, "
            f"which is {_times_cheaper(case, rival)} cheaper to run"
        )
        return _verdict(case, "too little data to tell", headline, rival)
    headline = (
        f"{case.shown(rival)} is {_times_cheaper(case, rival)} cheaper to run, and "
        f"{case.shown(case.llm)} is not shown to be more accurate"
    )
    return _verdict(case, "not worth it here", headline, rival)


def _verdict(case: _Case, answer: Answer, headline: str, rival: CellRecord | None) -> Verdict:
    opening = {"practical if": "Practical if "}.get(answer, f"{answer.capitalize()}: ")
    reasons = [
        _accuracy_sentence(case, rival),
        _cost_sentence(case, rival),
        _cascade_sentence(case),
        _untuned_sentence(case),
        _people_sentence(case),
        _budget_sentence(case),
    ]
    return Verdict(
        answer,
        f"{opening}{headline}.",
        tuple(reason for reason in reasons if reason),
        tuple(_changes(case, answer, rival)),
    )


def _accuracy_sentence(case: _Case, rival: CellRecord | None) -> str:
    run, llm = case.run, case.llm
    share = _accuracy(run, llm)
    text = (
        f"{_introduced(run, llm)} tells {percent(share.value)} ({percent(share.low)} to "
        f"{percent(share.high)}) of {share.comments:,} test comments right"
    )
    if rival is None:
        return f"{text}; always answering the commoner class would be right for {percent(_guessing(run))}."
    lead = case.lead(rival)
    points = (
        f"{100 * lead.accuracy_difference:+.1f} points ({100 * lead.accuracy_low:+.1f} to "
        f"{100 * lead.accuracy_high:+.1f})"
    )
    support = "which the paired test supports" if lead.accuracy_differs else (
        "which the paired test does not tell from chance"
    )  # fmt: skip
    p = "p < 0.001" if lead.accuracy_p < 0.001 else f"p = {lead.accuracy_p:.2g}"
    return (
        f"{text}, {case.shown(rival)} {percent(_accuracy(run, rival).value)}: a difference of {points}, "
        f"{support} ({p})."
    )


def _cost_sentence(case: _Case, rival: CellRecord | None) -> str:
    rival = rival or case.rivals[0]
    parts = [
        _ratio(case, rival, bounds.compute_ms, "compute a comment"),
        _ratio(case, rival, bounds.latency_p50_ms, "latency of one comment"),
        _ratio(case, rival, bounds.training_s, "training time"),
        _ratio(case, rival, bounds.peak_mb, "memory"),
    ]
    return f"It costs, against {case.shown(rival)}: {', '.join(part for part in parts if part)}."


def _ratio(
    case: _Case, rival: CellRecord, of: Callable[[Run, CellRecord], Bounded], what: str
) -> str:
    own, other = of(case.run, case.llm), of(case.run, rival)
    if not own.value or not other.value:
        return ""
    factor, unit = own.value / other.value, own.figure.unit
    cached = " (cached)" if "cached" in (own.figure.origin, other.figure.origin) else ""
    return f"{significant(factor)} × the {what} ({significant(own.value)} {unit}){cached}"


def _cascade_sentence(case: _Case) -> str:
    relay = _relay(case)
    if relay is None:
        return ""
    return (
        f"A cascade that asks {case.shown(relay.cheap)} first and passes {percent(relay.passed_share)} of "
        f"comments on reaches {percent(relay.accuracy.value)} for {percent(1 - relay.saved_share)} of "
        f"{case.shown(case.llm)}'s compute."
    )


def _relay(case: _Case) -> Cascade | None:
    """The cascade in place of the LLM that the tests support, if it saves enough."""
    for found in cascade.chosen(case.run):
        replaces = cascade.standing(case.run, found).startswith("**")
        if found.dear.name == case.llm.name and replaces and found.saved_share >= WORTHWHILE_SAVING:
            return found
    return None


def _untuned_sentence(case: _Case) -> str:
    untuned = next(
        (cell for cell in _scored(case.run) if _is_llm(cell) and not _is_tuned_llm(cell)), None
    )
    if untuned is None or _checkpoint(untuned) != _checkpoint(case.llm):
        return ""
    share = percent(_accuracy(case.run, untuned).value)
    return f"Without tuning the same weights reach {share}."


def _people_sentence(case: _Case) -> str:
    rater = people.rater(case.run.data.test)
    if rater is None or rater.accuracy.value is None:
        return ""
    return (
        f"One rater agrees with the majority of the others on {percent(rater.accuracy.value)} of these "
        "comments, which is what to read these accuracies against."
    )


def _budget_sentence(case: _Case) -> str:
    fits = budgets.fits(case.run, case.llm)
    if not fits:
        return ""
    within = [
        case.shown(cell)
        for cell in _scored(case.run)
        if budgets.overall(budgets.fits(case.run, cell)) == "fits"
    ]
    return f"The whole budget is kept by: {', '.join(within) or 'none'}."


def _missed_limits(case: _Case) -> list[str]:
    """What would have to give way, in words; empty if nothing has to."""
    found = budgets.fits(case.run, case.llm)
    if found:
        return [
            f"{fit.key} {'down to' if fit.key in options.AT_LEAST else 'up to'} "
            f"{significant(fit.found.value)} will do instead of {fit.limit:g}"
            if fit.found.value is not None
            else f"{fit.key}, of which nothing is known, is within {fit.limit:g}"
            for fit in found
            if fit.verdict != "fits"
        ]
    limit_ms = options.number(case.run, options.P99_LIMIT) or DEFAULT_P99_LIMIT_MS
    p99 = bounds.latency_p99_ms(case.run, case.llm)
    if p99.value is not None and p99.value > limit_ms:
        return [f"1 answer in 100 may take {significant(p99.value)} ms instead of {limit_ms:g}"]
    return []


def _changes(case: _Case, answer: Answer, rival: CellRecord | None) -> Iterable[str]:
    run, comments = case.run, len(case.run.data.test.labels)
    if rival is not None and not case.lead(rival).accuracy_differs:
        points = max(100 * abs(case.lead(rival).accuracy_difference), WORTHWHILE_POINTS)
        needed = _comments_needed(case, rival, points)
        if needed > comments:
            yield (
                f"More test comments: about {needed:,} would show a difference of {points:.1f} points."
            )
    if len(by_model(run).get(case.shown(case.llm), ())) < 2:
        yield "More seeds: each model was trained once, and another training may score otherwise."
    train = run.data.step("train").comments
    available = run.data.step("balanced").comments
    if train < available // 2:
        yield (
            f"More training comments: {train:,} of {available:,} balanced ones were used; "
            "`--learning-curve` shows what more of them buy."
        )
    parameters = case.llm.training.parameters if case.llm.training else None
    if parameters is not None and parameters < 1e9:
        yield (
            f"A larger LLM: this one has {parameters / 1e6:,.0f} M parameters (`--checkpoint "
            f"{case.llm.model}=…`)."
        )
    if case.llm.device == "cpu" and answer != "practical":
        yield "A GPU, which narrows the gap in time, though not in accuracy."
    if run.noise is not None and run.noise.value is not None and run.noise.value >= NOISY_PERCENT:
        yield "An idle machine: this one was noisy while it measured."


def _comments_needed(case: _Case, rival: CellRecord, points: float) -> int:
    """For McNemar's test to show such a difference four times in five (Connor 1987, to first order),

    at a level corrected for all pairs.
    """
    assert case.llm.quality is not None
    assert rival.quality is not None
    labels = np.asarray(case.run.data.test.labels)
    right = [
        quality.called(cell.quality.test) == labels for cell in (case.llm, rival) if cell.quality
    ]
    discordant = float((right[0] != right[1]).mean())
    deviations = norm.isf(quality.ALPHA / 2 / len(case.pairs)) + norm.ppf(0.8)
    needed = deviations**2 * discordant / (points / 100) ** 2
    return int(float(f"{needed:.2g}"))


def _seeds_disagree(case: _Case, rival: CellRecord) -> bool:
    """Whether some seed of the rival is as accurate as some of the LLM."""
    models = by_model(case.run)
    own, others = ([_accuracy(case.run, cell).value for cell in models[case.shown(cell)]]
                   if case.shown(cell) in models else [_accuracy(case.run, cell).value]
                   for cell in (case.llm, rival))  # fmt: skip
    return min(own) <= max(others)


def _times_cheaper(case: _Case, rival: CellRecord) -> str:
    return f"{significant(_compute_ms(case.run, case.llm) / _compute_ms(case.run, rival))} times"


def _introduced(run: Run, cell: CellRecord) -> str:
    checkpoint = _checkpoint(cell)
    return f"{name(run, cell)} ({checkpoint}, tuned)" if checkpoint else name(run, cell)


def _checkpoint(cell: CellRecord) -> str:
    return str(cell.setup.settings.get("checkpoint", "")) if cell.setup else ""


def _compute_ms(run: Run, cell: CellRecord) -> float:
    return bounds.compute_ms(run, cell).value or float("inf")


def _accuracy(run: Run, cell: CellRecord) -> quality.Share:
    assert cell.quality is not None
    share = quality.accuracy(cell.quality.test, run.data.test.labels)
    assert share is not None
    return share


def _guessing(run: Run) -> float:
    toxic = float(np.mean(run.data.test.labels))
    return max(toxic, 1 - toxic)


def _scored(run: Run) -> Sequence[CellRecord]:
    return [cell for cell in run.cells if cell.quality is not None]


def _is_llm(cell: CellRecord) -> bool:
    return cell.model in MODELS and MODELS[cell.model].kind == "llm"


def _is_tuned_llm(cell: CellRecord) -> bool:
    return _is_llm(cell) and cell.training is not None and cell.training.train_s.value is not None


def section(found: Verdict) -> list[str]:
    """The verdict as the top of a report."""
    change = "What would change it: " + " ".join(found.changes) if found.changes else ""
    return [f"## {found.headline}", " ".join(found.reasons), change]

"""The verdict: is fine-tuning the LLM worth it here, or does something cheaper do the job?

The rules, in order. A model is "better" or "worse" only if McNemar's test on the same test comments,
corrected for the number of pairs, is significant. It is "cheaper" if its compute per comment costs
less beyond the bounds of both figures, by the rules of `worthit.reports.analysis.costs`.

1. No tuned LLM, or no cheaper model, was measured: no verdict.
2. The tuned LLM is not shown to beat the majority class: not worth it here.
3. A cheaper model is better, does not differ significantly, or seeds disagree on which is better:
   - seeds disagree: too little data to tell;
   - the LLM can lead by less than `WORTHWHILE_POINTS` (95 %), or the cheaper one is better: not
     worth it here;
   - with fewer than `ENOUGH_COMMENTS` test comments: too little data to tell;
   - else: not worth it here, since a remaining lead is small.
4. The LLM is better than every cheaper model:
   - it is not known to stay within a limit of the budget, or of p99 without a budget: practical if
     that limit can be relaxed;
   - on an out-of-domain set with the same labels it is not shown to beat guessing: practical if the
     comments are in-domain;
   - a cascade keeps its accuracy and saves half of its compute: practical if a cheap model answers
     first;
   - else: practical.

The most accurate of several tuned LLMs represents all. The first of several seeds is tested, and the
LLM is better or worse only if it is with each seed of both. `wording` has the sentences.
"""

from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import CellRecord, significant
from worthit.reports.analysis import costs, metrics
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.budgets import Fit
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.run_view import name
from worthit.reports.text.format import percent
from worthit.reports.verdict import wording
from worthit.reports.verdict.case import Case, is_llm, is_tuned_llm, test_accuracy

#: below this lead, in points of accuracy, a more expensive model is not worth its cost
WORTHWHILE_POINTS = 1.0
#: with this many test comments, a lead that is not significant is small
ENOUGH_COMMENTS = 2_000
#: share of an LLM's compute that a cascade has to save to be the better answer
WORTHWHILE_SAVING = 0.5

_QUIET = "Measure again on an idle machine."

Answer = Literal[
    "practical", "practical if", "not worth it here", "too little data to tell", "no verdict"
]


@dataclass(frozen=True)
class Verdict:
    """An answer, the figures that decide it, and what would change it."""

    answer: Answer
    headline: str
    reasons: tuple[str, ...] = ()  # the most important first; empty without a verdict
    changes: tuple[str, ...] = ()  # what would change it


def decide(analysis: Analysis) -> Verdict:
    """Apply the rules to a run."""
    run, values = analysis.run, analysis.values
    scored = [cells[0] for cells in analysis.models.values()]
    tuned = [cell for cell in scored if is_tuned_llm(cell)]
    if not tuned:
        return _none("this run has no fine-tuned LLM with test scores")
    llm = max(tuned, key=lambda cell: test_accuracy(analysis, cell).value)
    cost = values[llm.name, "compute_ms"]
    if cost.value is None:
        return _none(f"{name(run, llm)} has no throughput: {cost.figure.reason}")
    if cost.disturbed:
        by = cost.figure.disturbed
        return _none(f"the throughput of {name(run, llm)} was disturbed ({by})", _QUIET)
    cheaper = [
        cell
        for cell in scored
        if not is_llm(cell) and costs.is_cheaper(values, cell.name, llm.name)
    ]
    if not cheaper:
        others = [values[cell.name, "compute_ms"] for cell in scored if not is_llm(cell)]
        if any(other.disturbed for other in others):
            return _none(
                "other work on the machine disturbed the throughput of the other models", _QUIET
            )
        return _none("this run has no cheaper model to compare with")
    cheaper.sort(key=lambda cell: -test_accuracy(analysis, cell).value)
    return _decide(Case(analysis, llm, tuple(cheaper)))


def _none(
    reason: str, change: str = "Run the main job with `--models tfidf,bert,llama`."
) -> Verdict:
    return Verdict("no verdict", f"No verdict: {reason}.", changes=(change,))


def _decide(case: Case) -> Verdict:
    if case.accuracy(case.llm).low <= metrics.majority_accuracy(case.run.data.test.labels):
        words = f"{case.name(case.llm)} is not shown to beat guessing"
        return _verdict(case, "not worth it here", words, None)
    rival = _rival(case)
    if rival is not None:
        return _not_better(case, rival)
    best = case.rivals[0]
    gain = (
        f"{case.name(case.llm)} gains {100 * case.lead(best).value:.1f} points "
        f"over {case.name(best)}"
    )
    condition = _condition(case)
    if condition:
        return _verdict(case, "practical if", f"{condition}: {gain}", best)
    return _verdict(case, "practical", gain, best)


def _rival(case: Case) -> CellRecord | None:
    """The cheaper model to use instead: the cheapest of those that the LLM is not shown to beat.

    Models that beat the LLM come first, those on which seeds disagree last.
    """
    candidates = [rival for rival in case.rivals if not case.is_better(rival)]
    better = [rival for rival in candidates if case.is_worse(rival)]
    equal = [rival for rival in candidates if not case.lead(rival).is_significant]
    return min(better or equal or candidates, key=case.compute_ms, default=None)


def _not_better(case: Case, rival: CellRecord) -> Verdict:
    llm, other = case.name(case.llm), case.name(rival)
    if case.is_worse(rival):
        words = f"{other} is more accurate than {llm}, and cheaper"
        return _verdict(case, "not worth it here", words, rival)
    ratio = costs.times_cheaper(case.analysis.values, rival.name, case.llm.name)
    times = f"{_rounded(ratio)} times cheaper to run" if ratio else "cheaper to run"
    if case.seeds_disagree(rival):
        more = "more" if case.lead(rival).value > 0 else "less"
        words = (
            f"{llm} is {more} accurate than {other} with the first seed, but not with every seed; "
            f"{other} is {times}"
        )
        return _verdict(case, "too little data to tell", words, rival)
    possible_points = 100 * case.lead(rival).high
    if possible_points >= WORTHWHILE_POINTS and case.comments < ENOUGH_COMMENTS:
        words = (
            f"on {case.comments:,} test comments, {llm} and {other} do not differ significantly; "
            f"{other} is {times}"
        )
        return _verdict(case, "too little data to tell", words, rival)
    words = f"{other} is {times}, and {llm} is not shown to be more accurate"
    return _verdict(case, "not worth it here", words, rival)


def _rounded(ratio: float) -> str:
    """Two digits: a ratio of times does not repeat to a third."""
    return significant(float(f"{ratio:.2g}"))


def _condition(case: Case) -> str:
    """What has to hold for the LLM to be practical; empty if nothing has to."""
    limits = _limits(case)
    if limits:
        return " and ".join(limits)
    at_chance = case.analysis.transfers.at_chance(case.llm)
    if at_chance:
        names = ", ".join(other.name for other in at_chance)
        return f"comments are in-domain (on {names} it is not shown to beat guessing)"
    first = _first_cascade(case)
    if first is not None:
        passed = percent(first.passed_share)
        return f"{case.name(first.cheap)} answers first and passes {passed} on"
    return ""


def _limits(case: Case) -> list[str]:
    """The limits that the LLM is not known to stay within: of the budget, else of p99."""
    fits = case.analysis.fits[case.llm.name]
    if fits:
        return [_limit(fit) for fit in fits if fit.kind != "fits"]
    limit_ms = case.analysis.options.p99_limit_ms
    p99 = case.analysis.values[case.llm.name, "latency_p99_ms"]
    if p99.value is None:
        return [f"1 answer in 100 may take over {limit_ms:g} ms ({p99.figure.reason})"]
    if p99.disturbed:
        return [f"1 answer in 100 may take over {limit_ms:g} ms (the measurement was disturbed)"]
    if p99.value > limit_ms:
        return [f"1 answer in 100 may take {significant(p99.value)} ms instead of {limit_ms:g}"]
    return []


def _limit(fit: Fit) -> str:
    if fit.figure.value is None or fit.figure.disturbed:
        return f"{fit.key}, which is unknown, is within {fit.limit:g}"
    way = "down to" if fit.at_least else "up to"
    return f"{fit.key} {way} {significant(fit.figure.value)} is acceptable instead of {fit.limit:g}"


def _first_cascade(case: Case) -> Cascade | None:
    """The cascade that can replace the LLM, if it saves enough."""
    for test in case.analysis.cascades:
        cascade = test.cascade
        enough = cascade.saved_share >= WORTHWHILE_SAVING
        if cascade.expensive == case.llm and test.replaces and enough:
            return cascade
    return None


def _verdict(case: Case, answer: Answer, words: str, rival: CellRecord | None) -> Verdict:
    """The verdict with its reasons.

    Args:
        words: the headline after the answer.
        rival: the cheaper model that decides it; None if none does.
    """
    opening = "Practical if " if answer == "practical if" else f"{answer.capitalize()}: "
    return Verdict(
        answer,
        f"{opening}{words}.",
        wording.reasons(case, rival, _first_cascade(case)),
        tuple(wording.changes(case, rival, WORTHWHILE_POINTS)),
    )

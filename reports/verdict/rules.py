"""The verdict: is fine-tuning the LLM worth it here, or does something cheaper do the job?

The rules, in order. One interval decides: that of 95 % of the LLM's lead over a rival, on the same
test comments, in the figure that `worthit.reports.analysis.leads` chooses (accuracy, unless a class is
rare). It is compared with the smallest worthwhile lead (`--worthwhile`, 1 point): the LLM is better if
the whole interval is at or above it, and not better if the whole interval is below it. A rival is
"cheaper" if its compute per comment costs less beyond the bounds of both figures, by the rules of
`worthit.reports.analysis.costs`.

1. No tuned LLM or no cheaper model was measured, or the figure that decides is unknown for the LLM: no
   verdict.
2. The LLM is shown to beat a constant answer by less than a worthwhile lead: not worth it here.
3. The LLM is not better than some cheaper rival: not worth it here.
4. The LLM is not shown to beat a constant answer, or not shown to be better than every cheaper rival,
   or than a model that may be cheaper (its throughput was disturbed or is missing, or it ran on another
   device or on a server without prices): too little data to tell.
5. The LLM is better than every cheaper rival:
   - it is not known to stay within a limit of the budget, or of p99 without a budget: practical if
     that limit can be relaxed;
   - on an out-of-domain set with the same labels it is not shown to beat guessing: practical if the
     comments are in-domain;
   - accuracy decides, and a cascade keeps it and saves half of its compute: practical if a cheap model answers
     first;
   - else: practical.

Several tuned LLMs: those that the most accurate one leads by less than a worthwhile lead are
represented by the cheapest of them. Others that are not shown to be less accurate are decided too, and
the verdict is the most favourable one, so that one comment cannot choose between them; of equal
verdicts, it is that of the cheapest.

Errors. "Practical" needs a test against every rival, so it is wrong in at most 2.5 % of runs, however
many rivals there are (intersection-union test, Berger 1982), times the number of LLMs that are decided.
For "not worth it here" one rival is enough: the chance to overlook a lead that is worthwhile over all of
m rivals is 2.5 % each, and at most m times that together. `simulation` shows how often each answer
occurs, `wording` has the sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from worthit.bench.saved.record import CellRecord, significant
from worthit.reports.analysis import costs
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.budgets import Fit
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.run_view import name
from worthit.reports.statistics import metrics
from worthit.reports.text.format import percent
from worthit.reports.verdict import amounts, languages, warnings, wording
from worthit.reports.verdict.case import (
    Case,
    compute_ms,
    figure,
    is_cheaper,
    is_llm,
    is_tuned_llm,
    lead,
    worthwhile,
)

#: share of an LLM's compute that a cascade has to save to be the better answer
WORTHWHILE_SAVING = 0.5

_PRICES = (
    "Prices of both: of the endpoint's tokens (`--price-in` and `--price-out`) or comments (`--api-price`), "
    "and of this machine (`--machine-price`)."
)
_QUIET = "Measure again on an idle machine."

Answer = Literal[  # the most favourable for the LLM first
    "practical", "practical if", "too little data to tell", "not worth it here", "no verdict"
]


@dataclass(frozen=True)
class Verdict:
    """An answer, the figures that decide it, and what could change it."""

    answer: Answer
    headline: str
    reasons: tuple[str, ...] = ()  # the most important first; empty without a verdict
    changes: tuple[str, ...] = ()  # what could change it
    warnings: tuple[str, ...] = ()  # what to know before it is believed


def decide(analysis: Analysis) -> Verdict:
    """Apply the rules to a run."""
    found = warnings.few_test_comments(analysis.run)
    return replace(_answer(analysis), warnings=(found,) if found else ())


def _answer(analysis: Analysis) -> Verdict:
    scored = [cells[0] for cells in analysis.models.values()]
    tuned = [cell for cell in scored if is_tuned_llm(cell)]
    if not tuned:
        return _none("this run has no fine-tuned LLM with test scores")
    cheapest_first = sorted(_contenders(analysis, tuned), key=lambda llm: compute_ms(analysis, llm))
    verdicts = [_of(analysis, llm, scored) for llm in cheapest_first]
    return min(verdicts, key=lambda verdict: get_args(Answer).index(verdict.answer))


def _contenders(analysis: Analysis, tuned: Sequence[CellRecord]) -> list[CellRecord]:
    """The tuned LLMs that may be the best one; the cheapest of equivalent ones represents them."""
    best = max(tuned, key=lambda llm: figure(analysis, llm))
    others = {llm.name: lead(analysis, best, llm) for llm in tuned if llm is not best}
    least = worthwhile(analysis)
    equal = [llm for llm in tuned if llm is best or others[llm.name].high < least]
    cheapest = min(equal, key=lambda llm: (_is_disturbed(analysis, llm), compute_ms(analysis, llm)))
    undecided = [llm for llm in tuned if llm not in equal and others[llm.name].low <= 0]
    return [cheapest, *undecided]


def _is_disturbed(analysis: Analysis, llm: CellRecord) -> bool:
    return analysis.values[llm.name, "compute_ms"].disturbed


def _of(analysis: Analysis, llm: CellRecord, scored: Sequence[CellRecord]) -> Verdict:
    """The verdict on one LLM."""
    cost = analysis.values[llm.name, "compute_ms"]
    if cost.value is None:
        named = wording.with_weights(analysis.run, llm)
        return _none(f"{named} has no throughput: {cost.figure.reason}")
    if cost.disturbed:
        named, by = wording.with_weights(analysis.run, llm), cost.figure.disturbed
        return _none(f"the throughput of {named} was disturbed ({by})", _QUIET)
    cheaper = [cell for cell in scored if not is_llm(cell) and is_cheaper(analysis, cell, llm)]
    unranked = [
        cell
        for cell in scored
        if not is_llm(cell) and not costs.compares(analysis.values, cell.name, llm.name)
    ]
    if cheaper:
        return _decide(Case.of(analysis, llm, cheaper, unranked))
    if unranked:
        return _none(*_unranked(analysis, unranked[0], llm))
    return _none("this run has no cheaper model to compare with")


def _unranked(analysis: Analysis, cell: CellRecord, llm: CellRecord) -> tuple[str, str]:
    """Why it is unknown whether a model is cheaper than the LLM, and what would tell."""
    cost = analysis.values[cell.name, "compute_ms"]
    named = wording.with_weights(analysis.run, llm)
    text = f"whether {name(analysis.run, cell)} is cheaper than {named} is unknown"
    if costs.is_on_server(analysis.values, cell.name):
        return f"{text}: no prices compare a server with this machine", _PRICES
    if cost.value is None:
        return f"{text}: it has no throughput ({cost.figure.reason})", "Measure again."
    if cost.disturbed:
        return f"{text}: other work on the machine disturbed its throughput", _QUIET
    return (
        f"{text}: {cell.device} and {llm.device} have no common price",
        "A price of each part (`--machine-price`).",
    )


def _none(
    reason: str, change: str = "Run the main job with `--models tfidf,bert,llama`."
) -> Verdict:
    return Verdict("no verdict", f"No verdict: {reason}.", changes=(change,) * bool(change))


def _decide(case: Case) -> Verdict:
    llm = wording.with_weights(case.run, case.llm)
    decides = case.figure(case.llm)
    if decides.value is None:
        what = "total cost" if case.in_money else case.measure.heading
        return _none(f"the {what} of {llm} is unknown: {decides.figure.reason}", "")
    over_guessing = decides.high - case.guessing
    if over_guessing < case.worthwhile:
        words = (
            f"{llm} beats guessing by less than {amounts.size(case, case.worthwhile)}, if at all"
        )
        return _verdict(case, "not worth it here", words, None)
    rival = _rival(case)
    if rival is not None:
        return _verdict(case, "not worth it here", _instead(case, rival), rival)
    if not decides.low > case.guessing:
        words = f"on {case.comments:,} test comments, {llm} is not shown to beat guessing"
        return _verdict(case, "too little data to tell", words, None)
    closest = case.closest()
    if case.standing(closest) != "better":
        return _verdict(case, "too little data to tell", _undecided(case, closest), closest)
    for other in case.unranked:
        if case.standing(other) != "better":
            words, change = _unranked(case.analysis, other, case.llm)
            found = _verdict(case, "too little data to tell", words, other)
            return replace(found, changes=(change, *found.changes))
    gain = f"{llm} {amounts.gain(case, closest)} over {case.name(closest)}"
    condition = _condition(case)
    if condition:
        return _verdict(case, "practical if", f"{condition}: {gain}", closest)
    return _verdict(case, "practical", gain, closest)


def _rival(case: Case) -> CellRecord | None:
    """The cheaper model to use instead: the cheapest of those over which the LLM is not better.

    Models that are shown to be better than the LLM come first.
    """
    decided = [rival for rival in case.rivals if case.lead(rival).high < case.worthwhile]
    worse = [rival for rival in decided if case.standing(rival) == "worse"]
    return min(
        worse or decided, key=lambda rival: -(case.times_cheaper(rival) or 1.0), default=None
    )


def _instead(case: Case, rival: CellRecord) -> str:
    llm, other = wording.with_weights(case.run, case.llm), case.name(rival)
    size = amounts.size(case, case.worthwhile)
    times = f"{other} is {_times_cheaper(case, rival)}"
    standing = case.standing(rival)
    if standing == "worse":
        cheaper = "is cheaper to run" if case.in_money else "cheaper"
        return f"{other} {wording.better(case)} than {llm}, and {cheaper}"
    if standing == "equivalent":
        return f"{times}, and equivalent to {llm}, within {size}"
    return f"{times}, and {llm} leads it by less than {size}, if at all"


def _undecided(case: Case, rival: CellRecord) -> str:
    llm, other = wording.with_weights(case.run, case.llm), case.name(rival)
    found = case.lead(rival)
    if amounts.is_unknown(found):
        return f"the lead of {llm} over {other} is n/a, since a cost of one of them is unknown"
    interval = amounts.interval(case, found)
    return (
        f"on {case.comments:,} test comments, the lead of {llm} over {other} is between {interval}, and "
        f"{amounts.size(case, case.worthwhile)} would be worth it; {other} is {_times_cheaper(case, rival)}"
    )


def _times_cheaper(case: Case, rival: CellRecord) -> str:
    return f"{wording.times_cheaper(case, rival, case.llm)} to run"


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
    p50 = case.analysis.values[case.llm.name, "latency_p50_ms"]
    if p99.value is None and p50.value is not None and p50.low > limit_ms and not p50.disturbed:
        took_ms = _beyond(p50.value, limit_ms)
        return [f"half of the answers may take {took_ms} ms or more instead of {limit_ms:g}"]
    if p99.value is None:
        return [f"1 answer in 100 may take over {limit_ms:g} ms ({p99.figure.reason})"]
    if p99.disturbed:
        return [f"1 answer in 100 may take over {limit_ms:g} ms (the measurement was disturbed)"]
    if p99.value > limit_ms:
        took_ms = _beyond(p99.value, limit_ms)
        return [f"1 answer in 100 may take {took_ms} ms instead of {limit_ms:g}"]
    if p99.high > limit_ms:
        took_ms = _beyond(p99.high, limit_ms)
        return [f"1 answer in 100 may take up to {took_ms} ms instead of {limit_ms:g}"]
    return []


def _limit(fit: Fit) -> str:
    """What has to be accepted: a figure that misses its limit, or the bound of it that may."""
    if fit.figure.value is None or fit.kind == "unknown":
        what = "an estimate" if fit.figure.estimated else "unknown"
        return f"{fit.key}, which is {what}, is within {fit.limit:.10g}"
    way, worst = ("down to", fit.figure.low) if fit.at_least else ("up to", fit.figure.high)
    value = _beyond(worst if fit.kind == "borderline" else fit.figure.value, fit.limit)
    return f"{fit.key} {way} {value} is acceptable instead of {fit.limit:.10g}"


def _beyond(value: float, limit: float) -> str:
    """A value beyond its limit, with enough digits to distinguish them."""
    text = significant(value)
    if float(text.replace(",", "")) != limit:
        return text
    longer = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next(one for one in longer if float(one) != limit)


def _first_cascade(case: Case) -> Cascade | None:
    """The cascade that can replace the LLM, if it saves enough; it is tested in accuracy only."""
    if case.measure != metrics.ACCURACY:
        return None
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
        f"{opening}{words}.{languages.caution(case)}",
        wording.reasons(case, rival, _first_cascade(case)),
        tuple(wording.changes(case, rival)),
    )

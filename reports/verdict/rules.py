"""The verdict: is fine-tuning the LLM worth it here, or does something cheaper do?

The rules, in the order in which they are asked. "Better" and "worse" are said of accuracies only
where McNemar's test, corrected for the number of pairs, tells them apart on the same test comments;
"cheaper" of compute per comment, and only beyond the bounds of the figures (`worthit.reports.analysis.bounds`).

1. No tuned LLM, or no cheaper model beside it, has been measured: no verdict.
2. The tuned LLM is not shown to beat guessing: not worth it here.
3. A cheaper model is better, or not told apart from it, or seeds disagree on which is better:
   - seeds disagree: too little data to tell;
   - the LLM can be ahead by less than `WORTHWHILE_POINTS` (95 %), or the cheaper one is better: not
     worth it here;
   - else, with fewer than `ENOUGH_COMMENTS` test comments: too little data to tell;
   - else: not worth it here, since what may be left is small.
4. The LLM is better than every cheaper model:
   - it is not known to keep a limit of the budget, or of p99 where there is no budget: practical if
     that limit can give way;
   - on a test set of other origin, its classes called as at home, it is not shown to beat guessing:
     practical if the comments are like those at home;
   - a cascade keeps its accuracy and saves half of its compute: practical if a cheap model goes first;
   - else: practical.

Of several tuned LLMs the most accurate speaks for all; of several seeds the first, and then the LLM
is better or worse only if it is with each seed of both. The sentences are in
`worthit.reports.verdict.wording`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import DEFAULT_P99_LIMIT_MS, CellRecord, Run, significant
from worthit.reports import options
from worthit.reports.analysis import bounds, budgets, cascade, metrics, transfer
from worthit.reports.analysis.cascade import Cascade, Tested
from worthit.reports.analysis.paired_tests import Pair, pairs
from worthit.reports.analysis.run_view import by_model, name
from worthit.reports.text.format import percent
from worthit.reports.verdict import wording as reasons
from worthit.reports.verdict.case import Case, accuracy, is_llm, is_tuned_llm

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
    reasons: tuple[str, ...] = ()  # three to six sentences; none without a verdict
    changes: tuple[str, ...] = ()  # what would change it


def headline(run: Run) -> str:
    """The verdict in one line."""
    return verdict(run, pairs(run), cascade.chosen(run)).headline


def section(found: Verdict) -> list[str]:
    """The verdict as the top of a report."""
    change = "What would change it: " + " ".join(found.changes) if found.changes else ""
    return [f"## {found.headline}", " ".join(found.reasons), change]


def verdict(run: Run, pairs: Sequence[Pair], cascades: Sequence[Tested]) -> Verdict:
    """Apply the rules to a run.

    Args:
        pairs: of `worthit.reports.analysis.paired_tests.pairs(run)`.
        cascades: of `worthit.reports.analysis.cascade.chosen(run)`.
    """
    scored = [cells[0] for cells in by_model(run).values()]
    tuned = [cell for cell in scored if is_tuned_llm(cell)]
    if not tuned:
        return _none("this run has no fine-tuned LLM with test scores")
    llm = max(tuned, key=lambda cell: accuracy(run, cell).value)
    cost = bounds.compute_ms(run, llm)
    if cost.value is None:
        return _none(f"{name(run, llm)} has no throughput: {cost.figure.reason}")
    cheaper = [
        cell for cell in scored if not is_llm(cell) and bounds.compute_ms(run, cell).below(cost)
    ]
    if not cheaper:
        return _none("this run has no cheaper model to compare with")
    cheaper.sort(key=lambda cell: -accuracy(run, cell).value)
    return _judged(Case(run, llm, tuple(cheaper), tuple(pairs), tuple(cascades)))


def _none(reason: str) -> Verdict:
    change = "Run the main job with `--models tfidf,bert,llama`."
    return Verdict("no verdict", f"No verdict: {reason}.", changes=(change,))


def _judged(case: Case) -> Verdict:
    if case.accuracy(case.llm).low <= metrics.guessing(case.run.data.test.labels):
        words = f"{case.shown(case.llm)} is not shown to beat guessing"
        return _given(case, "not worth it here", words, None)
    rival = _rival(case)
    if rival is not None:
        return _beaten(case, rival)
    best = case.rivals[0]
    gain = (
        f"{case.shown(case.llm)} brings {100 * case.lead(best).accuracy_difference:.1f} points "
        f"over {case.shown(best)}"
    )
    condition = _condition(case)
    if condition:
        return _given(case, "practical if", f"{condition}: {gain}", best)
    return _given(case, "practical", gain, best)


def _rival(case: Case) -> CellRecord | None:
    """The cheaper model to use instead: the cheapest of those the LLM is not shown to beat.

    Those that beat it come first, those on which seeds disagree last.
    """
    good = [rival for rival in case.rivals if not case.is_better(rival)]
    better = [rival for rival in good if case.is_worse(rival)]
    alike = [rival for rival in good if not case.lead(rival).accuracy_differs]
    return min(better or alike or good, key=case.compute_ms, default=None)


def _beaten(case: Case, rival: CellRecord) -> Verdict:
    own, other = case.shown(case.llm), case.shown(rival)
    if case.is_worse(rival):
        words = f"{other} is more accurate than {own}, and cheaper"
        return _given(case, "not worth it here", words, rival)
    times = f"{_about(case.compute_ms(case.llm) / case.compute_ms(rival))} times cheaper to run"
    if case.seeds_disagree(rival):
        more = "more" if case.lead(rival).accuracy_difference > 0 else "less"
        words = f"{own} is {more} accurate than {other} with the first seed, not with each"
        return _given(case, "too little data to tell", f"{words}; {other} is {times}", rival)
    possible_points = 100 * case.lead(rival).accuracy_high
    if possible_points >= WORTHWHILE_POINTS and case.comments < ENOUGH_COMMENTS:
        words = f"{case.comments:,} test comments do not tell {own} from {other}, which is {times}"
        return _given(case, "too little data to tell", words, rival)
    words = f"{other} is {times}, and {own} is not shown to be more accurate"
    return _given(case, "not worth it here", words, rival)


def _about(ratio: float) -> str:
    """Two digits: no machine repeats a ratio of times to a third."""
    return significant(float(f"{ratio:.2g}"))


def _condition(case: Case) -> str:
    """What has to hold for the LLM to be practical, in words; empty if nothing has to."""
    limits = _limits(case)
    if limits:
        return " and ".join(limits)
    elsewhere = transfer.at_chance(case.run, case.llm)
    if elsewhere:
        names = ", ".join(other.name for other in elsewhere)
        return f"comments are like those at home (on {names} it is not shown to beat guessing)"
    first = _goes_first(case)
    if first is not None:
        return (
            f"{case.shown(first.cheap)} answers first and passes {percent(first.passed_share)} on"
        )
    return ""


def _limits(case: Case) -> list[str]:
    """The limits that the LLM is not known to keep: of the budget, else of p99."""
    found = budgets.fits(case.run, case.llm)
    if found:
        return [_limit(fit) for fit in found if fit.verdict != "fits"]
    limit_ms = options.number(case.run, options.P99_LIMIT) or DEFAULT_P99_LIMIT_MS
    p99 = bounds.latency_p99_ms(case.run, case.llm)
    if p99.value is None:
        return [f"1 answer in 100 may take over {limit_ms:g} ms ({p99.figure.reason})"]
    if p99.value > limit_ms:
        return [f"1 answer in 100 may take {significant(p99.value)} ms instead of {limit_ms:g}"]
    return []


def _limit(fit: budgets.Fit) -> str:
    if fit.found.value is None:
        return f"{fit.key}, of which nothing is known, is within {fit.limit:g}"
    way = "down to" if fit.key in options.AT_LEAST else "up to"
    return f"{fit.key} {way} {significant(fit.found.value)} will do instead of {fit.limit:g}"


def _goes_first(case: Case) -> Cascade | None:
    """The cascade that may stand in for the LLM, if it saves enough."""
    for tested in case.cascades:
        found = tested.cascade
        enough = found.saved_share >= WORTHWHILE_SAVING
        if found.dear == case.llm and tested.replaces and enough:
            return found
    return None


def _given(case: Case, answer: Answer, words: str, rival: CellRecord | None) -> Verdict:
    """The verdict in full.

    Args:
        words: the headline, behind the answer.
        rival: the cheaper model that decides it; None if none does.
    """
    opening = "Practical if " if answer == "practical if" else f"{answer.capitalize()}: "
    return Verdict(
        answer,
        f"{opening}{words}.",
        reasons.sentences(case, rival, _goes_first(case)),
        tuple(reasons.changes(case, rival, WORTHWHILE_POINTS)),
    )

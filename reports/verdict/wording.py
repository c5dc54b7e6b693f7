"""The sentences of a verdict: the figures that decide it, and what could change it."""

import math
import re
from collections.abc import Iterator

import numpy as np

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.data import OutOfDomainData
from worthit.bench.saved.record import CellRecord, Run, significant
from worthit.models.registry import MODELS
from worthit.reports.analysis import budgets, costs, leads, prices, run_view, task, transfer
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.leads import Standing
from worthit.reports.analysis.objective import class_shares
from worthit.reports.analysis.paired_tests import between
from worthit.reports.statistics import metrics
from worthit.reports.text.format import joined, percent, points, two_digits, with_interval
from worthit.reports.verdict import amounts, languages
from worthit.reports.verdict.case import Case, figure, is_cheaper, is_llm, is_tuned_llm, lead

_MOST_SENTENCES = 6
_LARGE_PARAMETERS = 1e9
#: of a pinned revision, or of a converted file
_HASH = re.compile(r"@[0-9a-f]{40}$|-[0-9a-f]{16}$")

#: key of the table of figures → what it is called in a sentence
_COSTS_OF_RUNNING = {costs.KEY: "compute per comment", "latency_p50_ms": "median latency"}
_COSTS_OF_OWNING = {"training_s": "training time", "peak_mb": "memory"}


def reasons(case: Case, rival: CellRecord | None, cascade: Cascade | None) -> tuple[str, ...]:
    """What decides the verdict, the most important first, at most six sentences.

    Args:
        rival: the cheaper model that decides it; None if none does.
        cascade: the cascade that can replace the LLM.
    """
    other = rival or case.rivals[0]
    sentences = (
        languages.of_verdict(case),
        " ".join(filter(None, (_figure(case, rival), _trainings(case, rival)))),
        _costs(case, other, f"Running {case.name(case.llm)} takes", _COSTS_OF_RUNNING),
        _costs(case, other, "It needs", _COSTS_OF_OWNING),
        _budget(case),
        out_of_domain(case, other),
        _cascade(case, cascade),
        _other_llms(case),
        _endpoints(case),
        _untuned(case),
        _human_rater(case),
    )
    return tuple(sentence for sentence in sentences if sentence)[:_MOST_SENTENCES]


def with_weights(run: Run, llm: CellRecord) -> str:
    """An LLM with its weights and their size: `llama (SmolLM2-135M-Instruct, 135 M parameters)`.

    What is unknown, or already in the row's name, is omitted.
    """
    name = run_view.name(run, llm)
    weights = _HASH.sub("", _checkpoint(llm).rpartition("/")[2]).removesuffix(".gguf")
    known = [weights] if weights and weights not in name else []
    if llm.training and llm.training.parameters:
        known.append(f"{parameters(llm.training.parameters)} parameters")
    return f"{name} ({', '.join(known)})" if known else name


def parameters(count: int) -> str:
    """A number of parameters: `135 M`, `1.5 B`."""
    return f"{count / 1e6:,.0f} M" if count < _LARGE_PARAMETERS else f"{count / 1e9:.1f} B"


def better(case: Case) -> str:
    """What the better model does: `is more accurate`."""
    if case.in_money:
        running = " and running" * case.analysis.options.prices_compute
        return f"costs less in errors{running}"
    return "is more accurate" if case.measure == metrics.ACCURACY else "is better"


def _figure(case: Case, rival: CellRecord | None) -> str:
    """The figure that decides, of the LLM and of the rival, and what their difference shows."""
    if case.in_money:
        return amounts.total_costs(case, rival, _shown(case, rival) if rival else "")
    reached = with_interval(case.figure(case.llm), percent)
    if case.measure == metrics.ACCURACY:
        text = f"{case.name(case.llm)} classifies {reached} of {case.comments:,} test comments correctly"
    else:
        article = "an" if case.measure.heading.startswith(("a", "F1")) else "a"
        text = (
            f"{case.name(case.llm)} has {article} {case.measure.heading} of {reached} on "
            f"{case.comments:,} test comments"
        )
    if rival is None:
        return f"{text}; {case.constant} gives {percent(case.guessing)}."
    lead, value = case.lead(rival), case.figure(rival).value
    of_rival = "n/a" if value is None else percent(value)
    return (
        f"{text}, {case.name(rival)} {of_rival}: a difference of {points(lead.value)} points "
        f"({points(lead.low)} to {points(lead.high)}), {_shown(case, rival)}.{_recalls(case, rival)}"
    )


def _recalls(case: Case, rival: CellRecord) -> str:
    """What recalls the thresholds for a recall gave on the test set; empty for other objectives."""
    decisions = case.analysis.decisions
    if decisions.objective.name != "recall" or not decisions.choices[case.llm.name].comments:
        return ""
    reached = [
        f"{case.name(cell)} {percent(recall)}"
        for cell in (case.llm, rival)
        if (recall := leads.recall(case.run, cell)) is not None
    ]
    return (
        f" Thresholds find {percent(decisions.objective.recall)} of the positive validation comments; of those of "
        f"the test set they found: {joined(reached)}."
    )


def _shown(case: Case, rival: CellRecord) -> str:
    """What the interval of the difference says of the smallest worthwhile lead."""
    texts: dict[Standing, str] = {
        "better": f"all of it at or above the {amounts.size(case, case.worthwhile)} that would be worth it",
        "equivalent": f"all of it within ±{amounts.size(case, case.worthwhile)}: equivalent",
        "worse": f"all of it below 0: {case.name(rival)} {better(case)}",
        "not better": f"all of it below the {amounts.size(case, case.worthwhile)} that would be worth it",
        "undecided": f"an interval that includes the {amounts.size(case, case.worthwhile)} that would be worth it",
    }
    return texts[case.standing(rival)]


def _trainings(case: Case, rival: CellRecord | None) -> str:
    """Whether the interval covers that trainings differ."""
    both = (case.llm,) if rival is None else (case.llm, rival)
    repeated = [
        f"{count} trainings of {case.name(cell)}"
        for cell in both
        if (count := len(run_view.trainings(case.run, cell))) > 1
    ]
    text = ""
    if repeated:
        text = (
            f"Figures are means of {joined(repeated)}, and the interval covers how these differ. "
        )
    once = [case.name(cell) for cell in case.trained_once(*both)]
    if once:
        text += (
            f"{joined(once)} {'was' if len(once) == 1 else 'were each'} trained once: that another training "
            "may give another result is not covered."
        )
    return text.strip()


def _other_llms(case: Case) -> str:
    """How the LLM compares with the other tuned ones that might represent them."""
    return " ".join(
        _other_llm(case, cells[0])
        for cells in case.analysis.models.values()
        if is_tuned_llm(cells[0]) and cells[0] != case.llm
    )


def _other_llm(case: Case, other: CellRecord) -> str:
    over = lead(case.analysis, case.llm, other)
    llm, name = case.name(case.llm), case.name(other)
    if amounts.is_unknown(over):
        return ""
    low, high = (amounts.signed(case, end) for end in (over.low, over.high))
    interval = f"({amounts.signed(case, over.value)} {amounts.unit(case)}, {low} to {high})"
    standing = over.standing(case.worthwhile)
    if standing == "equivalent":
        cheaper = ""
        if is_cheaper(case.analysis, case.llm, other):
            cheaper = f", and {llm} is {times_cheaper(case, case.llm, other)} to run"
        return f"{llm} and {name} are equivalent {interval}{cheaper}."
    if over.low <= 0 <= over.high:
        return f"Whether {llm} or {name} {better(case)} is undecided {interval}."
    return ""


def times_cheaper(case: Case, cell: CellRecord, other: CellRecord) -> str:
    """`at least 9.6 times cheaper`, or `cheaper` if that is 1."""
    ratio = costs.times_cheaper(case.analysis.values, cell.name, other.name)
    times = two_digits(ratio or 1)
    least = "at least " * (cell.device != other.device)
    return "cheaper" if times == "1" else f"{least}{times} times cheaper"


def _costs(case: Case, rival: CellRecord, opening: str, names: dict[str, str]) -> str:
    ratios = [ratio for key, what in names.items() if (ratio := _ratio(case, rival, key, what))]
    return f"{opening} {' and '.join(ratios)} of {case.name(rival)}." if ratios else ""


def _ratio(case: Case, rival: CellRecord, key: str, what: str) -> str:
    llm, other = (case.analysis.values[cell.name, key] for cell in (case.llm, rival))
    if key == costs.KEY and rival.is_endpoint:
        return _compute_ratio(case, rival, what)
    if not llm.value or not other.value or llm.disturbed or other.disturbed:
        return ""
    if key == costs.KEY:
        return _compute_ratio(case, rival, what)
    times = two_digits(llm.value / other.value)
    of_other = ""
    if other.figure.origin == "cached":
        of_other = f"; {case.name(rival)}: {significant(other.value)} {other.figure.unit}, cached"
    cached = ", cached" * (llm.figure.origin == "cached")
    return f"{times} × the {what} ({significant(llm.value)} {llm.figure.unit}{cached}{of_other})"


def _compute_ratio(case: Case, rival: CellRecord, what: str) -> str:
    values, llm = case.analysis.values, case.llm
    times = costs.times_cheaper(values, rival.name, llm.name)
    if times is None:
        return ""
    if rival.is_endpoint:
        return f"{two_digits(times)} × the price of a comment"
    least = "" if rival.device == llm.device else "at least "
    return f"{least}{two_digits(times)} × the {what} ({costs.written(values, llm.name)})"


def _budget(case: Case) -> str:
    if not case.analysis.options.limits:
        return ""
    within = [
        case.name(cell)
        for cell in run_view.first_seeds(case.run)
        if budgets.overall(case.analysis.fits[cell.name]) == "fits"
    ]
    return f"Within the whole budget: {', '.join(within) or 'no model'}."


def _cascade(case: Case, cascade: Cascade | None) -> str:
    if cascade is None:
        return ""
    return (
        f"A cascade of {case.name(cascade.cheap)} and {case.name(case.llm)}, which passes "
        f"{percent(cascade.passed_share)} of the comments on, reaches "
        f"{percent(cascade.accuracy.value)} and saves {percent(cascade.saved_share)} of "
        f"{case.name(case.llm)}'s compute."
    )


def out_of_domain(case: Case, rival: CellRecord) -> str:
    """How the LLM and a rival do out-of-domain; empty if nothing is known.

    Sets with other labels are omitted: a drop on them has no meaning.
    """
    sets = [other for other in case.run.data.out_of_domain if other.same_label]
    return " ".join(filter(None, (_on_set(case, other, rival) for other in sets)))


def _on_set(case: Case, other: OutOfDomainData, rival: CellRecord) -> str:
    transfers = case.analysis.transfers
    result, rivals = transfers.of(other, case.llm), transfers.of(other, rival)
    if result is None or result.share.value is None:
        return ""
    common = len(transfer.common_classes(case.run, other))
    in_domain = int(np.count_nonzero(class_shares(case.run)))
    what = "labels" if case.run.data.multilabel else "classes"
    fewer = "" if common == in_domain else f", with {common} of the {in_domain} {what}"
    heading = transfer.measure(case.run).heading
    text = (
        f"On the out-of-domain set {other.name}{fewer}, {case.name(case.llm)} has "
        f"a{'n' * heading.startswith('a')} {heading} of {percent(result.share.value)}"
    )
    if result.share_drop is not None and result.share_drop.is_significant:
        text += f" ({points(result.share_drop.value)} points)"
    if rivals is None or rivals.share.value is None:
        return f"{text}."
    text += f", {case.name(rival)} {percent(rivals.share.value)}"
    over = between(transfers.pairs[other.name], case.llm.name, rival.name).accuracy
    pair = (case.llm, rival)
    all_seeds = " over all seeds" * any(len(run_view.trainings(case.run, one)) > 1 for one in pair)
    accuracy = task.of(case.run).correct.heading
    return (
        f"{text}: in {accuracy}{all_seeds}, a difference of {with_interval(over, points)} points."
    )


def _untuned(case: Case) -> str:
    """What the LLM's weights reach without tuning, by the best of several ways to ask them."""
    untuned = [
        cell
        for cell, *_ in case.analysis.models.values()
        if is_llm(cell) and not is_tuned_llm(cell) and cell.quality is not None
        and _checkpoint(cell) == _checkpoint(case.llm)
    ]  # fmt: skip
    if not untuned:
        return ""
    best = max(untuned, key=lambda cell: figure(case.analysis, cell))
    prompt = best.training.settings.get("prompt") if best.training else None
    asked = f" ({best.model}, prompt `{prompt}`)" if prompt else ""
    if case.in_money:
        total = case.analysis.values[best.name, prices.TOTAL_COST].value
        cost = "n/a" if total is None else significant(total)
        return f"Without tuning, the same weights cost {cost} per 1,000 comments{asked}."
    value = case.figure(best).value
    reached = "n/a" if value is None else percent(value)
    return f"Without tuning, the same weights reach {reached}{amounts.of_measure(case)}{asked}."


def _endpoints(case: Case) -> str:
    """What models on a server reach: they are no local LLM, tuned or not."""
    cells = [cells[0] for cells in case.analysis.models.values() if cells[0].is_endpoint]
    if not cells:
        return ""
    if case.in_money:
        totals = [case.analysis.values[cell.name, prices.TOTAL_COST] for cell in cells]
        texts = [with_interval(total, significant) for total in totals]
    else:
        texts = [with_interval(case.figure(cell), percent) for cell in cells]
    reached = [f"{case.name(cell)} {text}" for cell, text in zip(cells, texts, strict=True)]
    unit = " per 1,000 comments" * case.in_money
    return f"On a server, not tuned by this run: {joined(reached)}{unit}{amounts.of_measure(case)}."


def _checkpoint(cell: CellRecord) -> str:
    return str(cell.setup.settings.get("checkpoint", "")) if cell.setup else ""


def _human_rater(case: Case) -> str:
    rater = case.analysis.rater
    if rater is None or rater.accuracy.value is None or case.in_money:
        return ""
    voted = f"the {rater.comments:,} test comments with two votes or more"
    if rater.comments == len(case.run.data.test.ids):
        voted = "these comments"
    return (
        f"For comparison, one human rater agrees with the majority of the others on "
        f"{percent(rater.accuracy.value)} of {voted}."
    )


def changes(case: Case, rival: CellRecord | None) -> Iterator[str]:
    """What could change the verdict: whatever was small, noisy or left out."""
    run, training = case.run, case.llm.training
    yield from languages.other_weights(case)
    if rival is not None and case.standing(rival) == "undecided":
        yield from _more_test_comments(case, rival)
    yield from _more_seeds(case, rival or case.closest())
    used, available = run.data.step("train").comments, run.data.usable
    if used < available // 2:
        yield (
            f"More training comments: {used:,} of {available:,} {'balanced ' * run.data.balanced}ones "
            "were used; `--learning-curve` shows what more of them bring."
        )
    if training and training.parameters and training.parameters < _LARGE_PARAMETERS:
        model = case.llm.model
        trained_as = MODELS[model].trained_as or model if model in MODELS else ""
        option = f"--checkpoint {trained_as}=…" if trained_as else "--models hf:…"
        yield (
            f"A larger LLM: this one has {parameters(training.parameters)} parameters (`{option}`)."
        )
    if all(cell.device == "cpu" for cell in run.cells):
        yield "A GPU: this run used a CPU; `worthit compare` compares it with a run on a GPU."
    if run.noise.value is not None and run.noise.value >= NOISY_PERCENT:
        yield "An idle machine: this one was noisy before the measurement."


def _more_test_comments(case: Case, rival: CellRecord) -> Iterator[str]:
    """How many test comments would tell no lead from one of twice the worthwhile size."""
    needed = case.lead(rival).comments_to_decide(case.worthwhile)
    if math.isinf(needed):
        return
    if needed > case.comments:
        number = two_digits(needed)
        yield (
            f"More test comments: about {number} would show that a lead of 0 is not worth it, or that one of "
            f"{amounts.size(case, 2 * case.worthwhile)} is, each in {100 * leads.POWER:.0f} % of cases."
        )
    else:
        yield (
            f"Another worthwhile lead (`--worthwhile`): the present one is too close to "
            f"{amounts.size(case, case.worthwhile)} to be decided by these comments."
        )


def _more_seeds(case: Case, rival: CellRecord) -> Iterator[str]:
    """More trainings, where they would add what is unknown or narrow the interval."""
    once = [case.name(cell) for cell in case.trained_once(case.llm, rival)]
    spread = case.lead(rival).spread
    if amounts.is_unknown(case.lead(rival)):
        return
    if once:
        yield f"More seeds: {joined(once)} may score differently in another training (`--seeds 3`)."
    elif case.standing(rival) != "undecided":
        return
    elif math.isinf(case.lead(rival).comments_to_decide(case.worthwhile)):
        yield "More seeds: trainings differ so much that more test comments alone would not decide."
    elif spread.trainings > spread.comments:
        yield "More seeds: they account for more of the interval than the test comments do."

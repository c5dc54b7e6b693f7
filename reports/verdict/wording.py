"""The sentences of a verdict: the figures that decide it, and what would change it."""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved.record import CellRecord, OutOfDomainData, significant
from worthit.reports.analysis import budgets, costs, metrics, transfer
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.paired_tests import between
from worthit.reports.analysis.run_view import scores
from worthit.reports.text.format import percent, points, with_interval
from worthit.reports.verdict.case import Case, is_llm, is_tuned_llm

_MOST_SENTENCES = 6
_POWER = 0.8  # of the test with more comments
_LARGE_PARAMETERS = 1e9

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
        _accuracy(case, rival),
        _costs(case, other, f"Running {case.name(case.llm)} takes", _COSTS_OF_RUNNING),
        _costs(case, other, "It needs", _COSTS_OF_OWNING),
        _budget(case),
        out_of_domain(case, other),
        _cascade(case, cascade),
        _untuned(case),
        _human_rater(case),
    )
    return tuple(sentence for sentence in sentences if sentence)[:_MOST_SENTENCES]


def _accuracy(case: Case, rival: CellRecord | None) -> str:
    share, checkpoint = case.accuracy(case.llm), _checkpoint(case.llm)
    weights = f" ({checkpoint}, tuned)" if checkpoint else ""
    text = (
        f"{case.name(case.llm)}{weights} classifies {with_interval(share, percent)} of "
        f"{share.comments:,} test comments correctly"
    )
    if rival is None:
        majority = metrics.majority_accuracy(case.run.data.test.labels)
        return f"{text}; the majority class alone gives {percent(majority)}."
    lead = case.lead(rival)
    difference = f"{points(lead.value)} points ({points(lead.low)} to {points(lead.high)})"
    significance = "significant" if lead.is_significant else "not significant"
    p = "p < 0.001" if lead.p < 0.001 else f"p = {lead.p:.2g}"
    text += (
        f", {case.name(rival)} {percent(case.accuracy(rival).value)}: a difference of {difference}, "
        f"{significance} in the paired test ({p})."
    )
    if not case.seeds_disagree(rival):
        return text
    return f"{text} Other seeds do not confirm it: over all seeds, {_over_seeds(case, rival)}."


def _over_seeds(case: Case, rival: CellRecord) -> str:
    """The accuracies of both models, from the worst seed to the best."""
    texts = []
    for cell in (case.llm, rival):
        ends = dict.fromkeys(percent(end(case.trainings(cell))) for end in (min, max))
        texts.append(f"{case.name(cell)} reaches {' to '.join(ends)}")
    return ", ".join(texts)


def _costs(case: Case, rival: CellRecord, opening: str, names: dict[str, str]) -> str:
    ratios = [ratio for key, what in names.items() if (ratio := _ratio(case, rival, key, what))]
    return f"{opening} {' and '.join(ratios)} of {case.name(rival)}." if ratios else ""


def _ratio(case: Case, rival: CellRecord, key: str, what: str) -> str:
    llm, other = (case.analysis.values[cell.name, key] for cell in (case.llm, rival))
    if not llm.value or not other.value or llm.disturbed or other.disturbed:
        return ""
    if key == costs.KEY:
        return _compute_ratio(case, rival, what)
    cached = ", cached" if "cached" in (llm.figure.origin, other.figure.origin) else ""
    times = significant(llm.value / other.value)
    return f"{times} × the {what} ({significant(llm.value)} {llm.figure.unit}{cached})"


def _compute_ratio(case: Case, rival: CellRecord, what: str) -> str:
    values, llm = case.analysis.values, case.llm
    times = costs.times_cheaper(values, rival.name, llm.name)
    if times is None:
        return ""
    least = "" if rival.device == llm.device else "at least "
    return f"{least}{significant(times)} × the {what} ({costs.written(values, llm.name)})"


def _budget(case: Case) -> str:
    if not case.analysis.options.limits:
        return ""
    within = [
        case.name(cell)
        for cell in case.run.cells
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
    in_domain = len({*case.run.data.test.labels})
    fewer = "" if common == in_domain else f", with {common} of the {in_domain} classes"
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
    lead = between(transfers.pairs[other.name], case.llm.name, rival.name).accuracy
    if not lead.is_significant:
        return f"{text}; their accuracies do not differ significantly."
    return f"{text}; {case.name(case.llm if lead.value > 0 else rival)} is significantly better."


def _untuned(case: Case) -> str:
    for cell in case.run.cells:
        same = _checkpoint(cell) == _checkpoint(case.llm)
        if is_llm(cell) and not is_tuned_llm(cell) and same and cell.quality is not None:
            return f"Without tuning, the same weights reach {percent(case.accuracy(cell).value)}."
    return ""


def _checkpoint(cell: CellRecord) -> str:
    return str(cell.setup.settings.get("checkpoint", "")) if cell.setup else ""


def _human_rater(case: Case) -> str:
    rater = case.analysis.rater
    if rater is None or rater.accuracy.value is None:
        return ""
    return (
        f"For comparison, one human rater agrees with the majority of the others on "
        f"{percent(rater.accuracy.value)} of these comments."
    )


def changes(case: Case, rival: CellRecord | None, worthwhile_points: float) -> Iterator[str]:
    """What would change the verdict: whatever was small, noisy or left out.

    Args:
        worthwhile_points: a smaller lead need not be shown.
    """
    run, training = case.run, case.llm.training
    if rival is not None and not case.lead(rival).is_significant:
        yield from _more_test_comments(case, rival, worthwhile_points)
    if case.seeds() < 2:
        yield "More seeds: each model was trained once, and another training may score differently."
    elif rival is not None and case.seeds_disagree(rival):
        yield f"More seeds: {_over_seeds(case, rival)}."
    used, available = run.data.step("train").comments, run.data.usable
    if used < available // 2:
        yield (
            f"More training comments: {used:,} of {available:,} {'balanced ' * run.data.balanced}ones "
            "were used; `--learning-curve` shows what more of them bring."
        )
    if training and training.parameters and training.parameters < _LARGE_PARAMETERS:
        yield (
            f"A larger LLM: this one has {training.parameters / 1e6:,.0f} M parameters (`--checkpoint "
            f"{case.llm.model}=…`)."
        )
    if case.llm.device == "cpu":
        yield "A GPU: this run used a CPU; `worthit compare` compares it with a run on a GPU."
    if run.noise.value is not None and run.noise.value >= NOISY_PERCENT:
        yield "An idle machine: this one was noisy during the measurement."


def _more_test_comments(case: Case, rival: CellRecord, worthwhile_points: float) -> Iterator[str]:
    """The number of test comments that would show the present lead with a power of 80 %.

    For McNemar's test, to first order (Connor 1987), at a level corrected for all pairs of models.
    """
    points = max(100 * abs(case.lead(rival).value), worthwhile_points)
    correct = [
        metrics.predicted(scores(case.run, cell)) == np.asarray(case.run.data.test.labels)
        for cell in (case.llm, rival)
    ]
    discordant = float((correct[0] != correct[1]).mean())
    deviations = -NormalDist().inv_cdf(metrics.ALPHA / 2 / len(case.analysis.pairs))
    deviations += NormalDist().inv_cdf(_POWER)
    needed = float(deviations**2 * discordant / np.square(points / 100))
    if needed > case.comments:
        number = significant(float(f"{needed:.2g}"))
        yield f"More test comments: about {number} would show a difference of {points:.1f} points."

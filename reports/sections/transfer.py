"""How models do on out-of-domain comments (`--also-test`)."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from worthit.bench.saved.data import OutOfDomainData
from worthit.bench.saved.record import Run
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.paired_tests import Difference
from worthit.reports.analysis.run_view import name
from worthit.reports.analysis.transfer import (
    Transfer,
    auc_measure,
    common_classes,
    comparable,
    guessing,
    measure,
    too_few,
)
from worthit.reports.sections import seeds
from worthit.reports.sections.glossary import link
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, estimate, p_value, percent, points, with_interval
from worthit.reports.text.tables import listed, table

HEADING = "## Out-of-domain comments"

_MOST_CLASSES = 6  # named in a sentence


def section(analysis: Analysis) -> list[str]:
    """A table for each out-of-domain set; nothing without one."""
    sets = analysis.run.data.out_of_domain
    if not sets:
        return []
    if not analysis.transfers.results:
        return [HEADING, "No model has scores for these comments in this run."]
    return [
        HEADING,
        " ".join(filter(None, (_conclusion(analysis, other) for other in sets))),
        *(line for other in sets for line in _of_set(analysis, other)),
    ]


def _conclusion(analysis: Analysis, other: OutOfDomainData) -> str:
    drops = {
        name(analysis.run, result.cell): result.share_drop
        for result in analysis.transfers.on(other)
        if result.share_drop is not None
    }
    if not drops:
        return ""
    heading = measure(analysis.run).heading
    significant = {model: drop for model, drop in drops.items() if drop.is_significant}
    if not significant:
        return f"On {other.name}, no model's {heading} differs significantly from in-domain."
    models = ", ".join(f"{model} {points(drop.value)}" for model, drop in significant.items())
    return (
        f"On {other.name}, the {heading} of {len(significant)} of {len(drops)} models differs significantly "
        f"from in-domain, in points: {models}."
    )


def _of_set(analysis: Analysis, other: OutOfDomainData) -> Iterator[str]:
    run = analysis.run
    yield f"### {other.name}"
    yield (
        f"{len(other.part.ids):,} {link('out-of-domain')} comments, {_counts(run, other)} "
        f"({other.citation}){_selection(run, other)}{_lengths(run, other)}.{_guessing(run, other)}"
        f"{_seeds(analysis)}{_missing_classes(run, other)}"
    )
    if other.warning:
        yield f"**Warning: {other.warning}.**"
    notes = Footnotes()
    share, area = measure(run).heading, auc_measure(run).heading
    headings = [
        "model", f"{share}, out-of-domain", "in-domain", "difference, points", "p",
        f"{area}, out-of-domain", "in-domain", "difference", "p",
    ]  # fmt: skip
    body = [_row(run, result, notes) for result in analysis.transfers.on(other)]
    yield from table("Out-of-domain and in-domain", headings, body, notes)
    yield from listed(other.notes)
    yield from _significant_pairs(analysis, other)


def _counts(run: Run, other: OutOfDomainData) -> str:
    if class_names.of_two(run):
        return f"{sum(other.part.labels):,} of them {class_names.positive(run)}"
    truth, names = class_names.truth(run.data, other.part), class_names.names(run.data)
    counts = np.bincount(truth, minlength=len(names)) if truth.ndim == 1 else truth.sum(axis=0)
    return _first([f"{counts[label]:,} {names[label]}" for label in np.flatnonzero(counts)])


def _first(entries: Sequence[str]) -> str:
    more = len(entries) - _MOST_CLASSES
    return ", ".join(entries[:_MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")


def _selection(run: Run, other: OutOfDomainData) -> str:
    """How the comments were selected, with each step that omitted some."""
    counts = [step.comments for step in other.steps]
    omitted = [
        f"{before - after:,} omitted by the step {step.name!r}"
        for before, after, step in zip(counts[:-2], counts[1:-1], other.steps[1:-1], strict=True)
        if after < before
    ]
    own = f"with their own {'label' if run.data.multilabel else 'class'} shares"
    how = "the same number of each class" if run.data.balanced else own
    drawn = f"drawn from {counts[-2]:,}, {how}, at most as many as in the in-domain test set"
    return "".join(f"; {part}" for part in (*omitted, drawn))


def _lengths(run: Run, other: OutOfDomainData) -> str:
    here, in_domain = (int(np.median(part.characters)) for part in (other.part, run.data.test))
    return f"; median length {here:,} characters, in-domain {in_domain:,}"


def _guessing(run: Run, other: OutOfDomainData) -> str:
    if not comparable(run, common_classes(run, other)):
        return ""
    chance = guessing(run, other)
    return f" Guessing gives {percent(chance)} and a ROC AUC of 0.5."


def _seeds(analysis: Analysis) -> str:
    first = seeds.of_first(analysis)
    return f" Figures are{first.lstrip(',')}, pairs with all of them." if first else ""


def _missing_classes(run: Run, other: OutOfDomainData) -> str:
    names = class_names.names(run.data)
    if run.data.multilabel:
        common = common_classes(run, other)
        left_out = [name for number, name in enumerate(names) if number not in common]
        text = f" Left out: {_first(left_out)}, which all or none of the comments of one set have."
        return text * bool(left_out)
    here, in_domain = {*other.part.labels}, {*run.data.test.labels}
    text = ""
    if in_domain - here:
        text += (
            f" No comment has the class {_first([names[label] for label in sorted(in_domain - here)])}: the "
            "in-domain figures are without it, too, and predicting it is an error in both sets."
        )
    if here - in_domain:
        excluded = sum(label not in in_domain for label in other.part.labels)
        text += (
            f" The table excludes {excluded:,} comments of the class "
            f"{_first([names[label] for label in sorted(here - in_domain)])}, which the in-domain test set lacks."
        )
    return text


def _row(run: Run, result: Transfer, notes: Footnotes) -> list[str]:
    in_domain, in_domain_auc = result.in_domain_share, result.in_domain_auc
    return [
        name(run, result.cell),
        estimate(result.share, percent, notes),
        "n/a" if in_domain is None else percent(in_domain),
        *_difference(run, result.share_drop, points, notes),
        estimate(result.auc, "{:.3f}".format, notes),
        "n/a" if in_domain_auc is None else f"{in_domain_auc:.3f}",
        *_difference(run, result.auc_drop, "{:+.3f}".format, notes),
    ]


def _difference(
    run: Run, drop: Difference | None, number: Callable[[float], str], notes: Footnotes
) -> list[str]:
    if drop is None:
        return [notes.missing(too_few(run))] * 2
    return [with_interval(drop, number), p_value(drop.p, bold=drop.is_significant)]


def _significant_pairs(analysis: Analysis, other: OutOfDomainData) -> Iterator[str]:
    pairs = analysis.transfers.pairs[other.name]
    if not pairs:
        return
    names = {cell.name: name(analysis.run, cell) for cell in analysis.run.cells}
    by = " by subset accuracy" * class_names.of_labels(analysis.run)
    better = []
    for pair in pairs:
        if pair.accuracy.is_significant:
            lead = pair if pair.accuracy.value > 0 else pair.reversed()
            better.append(
                f"{names[lead.first]} over {names[lead.second]} by {100 * lead.accuracy.value:.1f} points"
            )
    yield (
        f"{link('statistically significant', 'Significantly')} more accurate{by} on these comments, in "
        f"{len(better)} of {len(pairs)} pair{'s' * (len(pairs) > 1)}{': ' if better else ''}{'; '.join(better)}."
    )

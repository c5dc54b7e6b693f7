"""The glossary at the end of a report: each definition and method once, in one place.

Sections link to a term by `link`. A report prints only the terms that it links to.
"""

import re
from collections.abc import Callable, Iterable

from worthit.reports.analysis import bounds, metrics
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.text.format import percent

_LINK = re.compile(r"\]\(#([a-z0-9-]+)\)")


def link(term: str, text: str = "") -> str:
    """A Markdown link to a term of the glossary.

    Args:
        text: shown instead of the term.

    Raises:
        LookupError: the glossary has no such term.
    """
    if term not in TERMS:
        raise LookupError(f"the glossary has no term {term!r}")
    return f"[{text or term}](#{_anchor(term)})"


def section(analysis: Analysis, paragraphs: Iterable[str]) -> list[str]:
    """The terms that paragraphs of a report link to, also through other definitions."""
    texts = {_anchor(term): _text(analysis, term) for term in TERMS}
    names = {_anchor(term): term for term in TERMS}
    used: set[str] = set()
    open_ends = _links(paragraphs)
    while open_ends:
        used |= open_ends
        open_ends = _links(texts[anchor] for anchor in open_ends) - used
    if not used:
        return []
    lines = [
        f'- <a id="{anchor}"></a>**{names[anchor]}**: {text}'
        for anchor, text in texts.items()
        if anchor in used
    ]
    return ["## Glossary", "\n".join(lines)]


def _links(texts: Iterable[str]) -> set[str]:
    return {anchor for text in texts for anchor in _LINK.findall(text)}


def _anchor(term: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def _text(analysis: Analysis, term: str) -> str:
    text = TERMS[term]
    return text if isinstance(text, str) else text(analysis)


def _cheaper(analysis: Analysis) -> str:
    noise = bounds.noise(analysis.run) * 100
    others = f"by more than the machine's noise, {noise:.3g} %" if noise else (
        "by any difference, since this machine's noise was not measured"
    )  # fmt: skip
    return (
        "a lower cost, by more than its uncertainty. Median latencies differ if their 95 % intervals do "
        f"not overlap; other times, rates and energy, {others}; memory, by more than the "
        f"{100 * bounds.MEMORY_OFF:g} % within which it repeats. Parts that are estimates are taken as known to "
        f"±{100 * bounds.ESTIMATES_OFF:g} %."
    )


def _guessing(analysis: Analysis) -> str:
    majority = metrics.majority_accuracy(analysis.run.data.test.labels)
    return (
        f"always answering the most common class. It is correct for {percent(majority)} of the test "
        "comments and costs nothing. ≈ guessing: not shown to be more accurate than that."
    )


#: term → definition, in the order of the report
TERMS: dict[str, str | Callable[[Analysis], str]] = {
    # costs and the frontier
    "frontier": "a model is on the frontier of a cost if every cheaper model is less accurate. "
    "“dominated by X”: X is cheaper and more accurate. “≈ cheaper X”: X is cheaper, and the accuracies do "
    "not differ significantly. “costs as better X”: X is more accurate, and the costs do not differ.",
    "cheaper": _cheaper,
    "guessing": _guessing,
    # cascades
    "cascade": "X → Y: X answers if the probability of its predicted class reaches a threshold, and passes the "
    "other comments on to Y. For each Y, the cheapest cascade that loses no accuracy on the validation "
    "comments, where the threshold is chosen; all figures are of the test comments. Both models have to be "
    "in memory. Comments that are passed on count as long as the others.",
    "in place of Y": "a cascade X → Y that is not shown to be less accurate than Y, and shown to be more "
    "accurate than X alone. “≈ cheaper X”: not shown to be more accurate than X alone.",
    # quality
    # throughput, latency, memory, energy
    # budgets and prices
}

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
    "95 % interval": "the percentiles 2.5 and 97.5 of a figure over 1,000 bootstrap resamples of the comments, "
    "and of the seeds if there are several; the figure itself is then the mean over seeds. Precision, recall "
    "and accuracy at natural prevalence, and test accuracy in the results table, have Wilson intervals.",
    "statistically significant": "p < 0.05 in a paired test on the same comments: McNemar's exact test for accuracy, "
    "the paired bootstrap for ROC AUC. The p values are corrected for the number of pairs (Holm), the intervals "
    "are not. Of several seeds, the first is tested.",
    "balanced accuracy": "the mean recall of the classes.",
    "precision": "the share of the comments predicted positive that are positive. It is lower if positive comments "
    "are rarer.",
    "recall": "the share of the positive comments that are predicted positive.",
    "F1": "the harmonic mean of precision and recall.",
    "macro": "a mean over the classes that occur in the test set, each with the same weight. Each class is "
    "compared with the rest. Precision is 0 for a class that is never predicted.",
    "ROC AUC": "the probability that a positive comment scores higher than a negative one; 0.5 is chance.",
    "average precision": "the mean precision over the thresholds of the positive comments. Chance raises its "
    "macro mean; the interval corrects for that.",
    "Brier score": "the mean squared difference of probability and label; 0 is best, and 1 is worst. For more "
    "than two classes, the differences of all classes are summed, and 2 is worst.",
    "calibration error": "the expected calibration error over 10 bins of equal width, for more than two classes "
    "that of the predicted class; 0 is best. Chance raises it; the interval corrects for that.",
    "one rater": "how often one human rater agrees with the majority of the other raters of a comment; a tie of the "
    "others counts half. Models are compared with the majority of all raters. For a rater, the own vote is "
    "excluded, because it would count in the rater's favour.",
    "natural prevalence": "the share of positive comments in the corpus. Precision at this share is what moderators "
    "get in practice.",
    "out-of-domain": "comments of another dataset than the training comments; none of them is in the training side or "
    "in an in-domain test set. A difference is out-of-domain minus in-domain, with the 95 % interval of an "
    "unpaired bootstrap; its p value is corrected for all models and sets (Holm). If the classes keep their own "
    "shares, balanced accuracy replaces accuracy.",
    # throughput, latency, memory, energy
    # budgets and prices
}

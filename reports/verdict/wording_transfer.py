"""The sentence of a verdict on out-of-domain comments."""

from worthit.bench.saved.record import CellRecord, OutOfDomainData
from worthit.reports.analysis import transfer
from worthit.reports.analysis.paired_tests import between
from worthit.reports.text.format import percent
from worthit.reports.verdict.case import Case


def sentence(case: Case, rival: CellRecord) -> str:
    """How the LLM and a rival do out-of-domain; empty if nothing is known.

    Sets with other labels are omitted: a drop on them has no meaning.
    """
    sentences = (
        _of_set(case, other, rival) for other in case.run.data.out_of_domain if other.same_label
    )
    return " ".join(text for text in sentences if text)


def _of_set(case: Case, other: OutOfDomainData, rival: CellRecord) -> str:
    transfers = case.analysis.transfers
    result = transfers.of(other, case.llm)
    if result is None or result.share.value is None:
        return ""
    text = (
        f"On the out-of-domain set {other.name}{_fewer_classes(case, other)}, "
        f"{case.name(case.llm)} has {_article(case)} of {percent(result.share.value)}"
    )
    if result.share_drop is not None and result.share_drop.is_significant:
        text += f" ({100 * result.share_drop.value:+.1f} points)"
    rivals = transfers.of(other, rival)
    if rivals is not None and rivals.share.value is not None:
        text += f", {case.name(rival)} {percent(rivals.share.value)}"
        text += _significance(case, other, rival)
    return f"{text}."


def _article(case: Case) -> str:
    heading = transfer.measure(case.run).heading
    return f"an {heading}" if heading.startswith("a") else f"a {heading}"


def _fewer_classes(case: Case, other: OutOfDomainData) -> str:
    """That the set lacks classes, if it does."""
    common = len(transfer.common_classes(case.run, other))
    in_domain = len({*case.run.data.test.labels})
    return "" if common == in_domain else f", with {common} of the {in_domain} classes"


def _significance(case: Case, other: OutOfDomainData, rival: CellRecord) -> str:
    pairs = case.analysis.transfers.pairs[other.name]
    lead = between(pairs, case.llm.name, rival.name).accuracy
    if not lead.is_significant:
        return "; their accuracies do not differ significantly"
    better = case.llm if lead.value > 0 else rival
    return f"; {case.name(better)} is significantly better"

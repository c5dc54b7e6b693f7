"""What the next labels buy, beside what they cost and what another model would gain."""

from worthit.bench.saved.record import significant
from worthit.reports.analysis import labels, paired_tests
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.labels import NEXT, Gain, Prospect
from worthit.reports.sections.glossary import link
from worthit.reports.text.format import Footnotes, points
from worthit.reports.text.tables import listed, table

_NO_CURVE = "`--label-price` needs learning curves, which this run has not: `pytest bench/ --learning-curve`."


def paragraphs(analysis: Analysis) -> list[str]:
    """Prospects of more labels at the price of one; nothing without a price."""
    price = analysis.options.label_price
    if price is None:
        return []
    if not analysis.curves:
        return [_NO_CURVE]
    own = analysis.decisions.measured
    found = labels.prospects(own, analysis.curves, paired_tests.pairs(own, analysis.resamples))
    notes = Footnotes()
    body = [
        [
            prospect.model,
            _gain(prospect, notes),
            _price_of_a_point(prospect, price),
            f"{prospect.better} {points(prospect.lead.value)}" if prospect.lead else "",
            _labels(prospect, price),
        ]
        for prospect in found
    ]
    headings = [
        "model", f"{NEXT} more labels, points", "price of a point", "changing to, points",
        "labels that gain as much",
    ]  # fmt: skip
    return [
        f"The next {NEXT} labels cost {significant(NEXT * price)}. What they gain is an estimate: each curve is "
        f"extrapolated ({link('more labels', 'method')}), to at most twice the labels. Gains and changes are by the "
        "models' own answers, as in the curves.",
        *listed([_sentence(prospect) for prospect in found if _is_compared(prospect)]),
        *table("What more labels buy", headings, body, notes),
    ]


def _is_compared(prospect: Prospect) -> bool:
    return prospect.lead is not None and prospect.gain is not None and not prospect.reason


def _sentence(prospect: Prospect) -> str:
    gain, lead = prospect.gain, prospect.lead
    assert gain is not None
    assert lead is not None
    return (
        f"{NEXT} more labels gain {prospect.model} an estimated {_points(gain)} points of accuracy; changing "
        f"to {prospect.better} gains {100 * lead.value:.1f} ({100 * lead.low:.1f} to {100 * lead.high:.1f})"
    )


def _gain(prospect: Prospect, notes: Footnotes) -> str:
    gain = prospect.gain
    if gain is None:
        return f"not determined {notes.mark(prospect.reason)}"
    if not gain.is_determined:
        interval = f"{points(gain.low)} to {points(gain.high)}"
        return f"not determined, {interval} {notes.mark(prospect.reason)}"
    return f"*≈{_points(gain)}*"


def _points(gain: Gain) -> str:
    return f"{100 * gain.value:.1f} ({100 * gain.low:.1f} to {100 * gain.high:.1f})"


def _price_of_a_point(prospect: Prospect, price: float) -> str:
    gain = prospect.gain
    if gain is None or not gain.is_determined:
        return ""
    least, middle, most = (
        significant(NEXT * price / (100 * share)) for share in (gain.high, gain.value, gain.low)
    )
    return f"*≈{middle} ({least} to {most})*"


def _labels(prospect: Prospect, price: float) -> str:
    if not _is_compared(prospect):
        return ""
    if prospect.labels is None:
        return f"over {prospect.comments:,}"
    return f"*≈{prospect.labels:,}*, for {significant(prospect.labels * price)}"

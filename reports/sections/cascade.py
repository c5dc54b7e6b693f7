"""The section on cascades: a cheap model first, an expensive one for the comments it passes on."""

from worthit.bench.saved.record import Run, significant
from worthit.reports.analysis import cascade
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.cascade import CascadeTest
from worthit.reports.analysis.run_view import name
from worthit.reports.sections.glossary import link
from worthit.reports.text.format import percent, points, with_interval
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Which cascades can replace their expensive model, or why there is none."""
    run = analysis.run
    if not analysis.cascades:
        return ["## Cascades", cascade.why_none(run, analysis.values)]
    headings = [
        "cascade", "threshold", "passed on", "test acc (95 % interval)",
        "points against expensive alone", "compute, ms/comment", "of it saved", "standing",
    ]  # fmt: skip
    return [
        "## Cascades",
        _conclusion(analysis),
        *table("Cascades", headings, [_row(run, test) for test in analysis.cascades]),
    ]


def _conclusion(analysis: Analysis) -> str:
    run = analysis.run
    validation = len(run.data.validation.labels)
    texts = [
        f"{_label(run, test)} can replace {name(run, test.cascade.expensive)} and saves "
        f"{percent(test.cascade.saved_share)} of its {link('compute')}"
        for test in analysis.cascades
        if test.replaces
    ]
    text = "; ".join(texts) or f"No {link('cascade')} can replace its expensive model"
    return (
        f"{text}. Thresholds are from {validation:,} validation comments, all figures from the test "
        f"comments ({link('cascade', 'method')}, {link('in place of Y', 'standings')})."
    )


def _row(run: Run, test: CascadeTest) -> list[str]:
    found = test.cascade
    return [
        _label(run, test),
        f"{found.threshold:.2f}",
        percent(found.passed_share),
        with_interval(found.accuracy, percent),
        with_interval(test.difference, points),
        significant(found.compute_ms),
        percent(found.saved_share),
        _standing(run, test),
    ]


def _label(run: Run, test: CascadeTest) -> str:
    return f"{name(run, test.cascade.cheap)} → {name(run, test.cascade.expensive)}"


def _standing(run: Run, test: CascadeTest) -> str:
    cheap, expensive = name(run, test.cascade.cheap), name(run, test.cascade.expensive)
    if test.loses:
        return f"less accurate than {expensive}"
    return f"**in place of {expensive}**" if test.replaces else f"≈ cheaper {cheap}"

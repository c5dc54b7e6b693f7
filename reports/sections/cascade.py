"""The section on cascades: a cheap model first, an expensive one for the comments it passes on."""

from worthit.bench.saved.record import CellRecord, Run, significant
from worthit.reports.analysis import cascade
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.cascade import CascadeTest
from worthit.reports.analysis.frontier import CascadeStanding
from worthit.reports.analysis.run_view import name
from worthit.reports.sections import seeds
from worthit.reports.sections.glossary import link
from worthit.reports.text import class_names
from worthit.reports.text.format import percent, points, with_interval
from worthit.reports.text.tables import table

_DEVICE_HEADING = ["accelerator, ms/comment"]


def section(analysis: Analysis) -> list[str]:
    """Which cascades can replace their expensive model, or why there is none; nothing for several labels."""
    run = analysis.run
    if class_names.of_labels(run):
        return []
    if not analysis.cascades:
        return ["## Cascades", cascade.why_none(run, analysis.values)]
    on_device = any(test.cascade.device_ms for test in analysis.cascades)
    headings = [
        "cascade", "threshold", "passed on", "test acc (95 % interval)",
        "points against expensive alone", "CPU time, core-ms/comment", *_DEVICE_HEADING[:on_device], "compute saved",
        "standing",
    ]  # fmt: skip
    return [
        "## Cascades",
        _conclusion(analysis),
        *table("Cascades", headings, [_row(run, test, on_device) for test in analysis.cascades]),
    ]


def standing_text(standing: CascadeStanding, cheap: str, expensive: str) -> str:
    """How tables call the standing of a cascade.

    Args:
        cheap, expensive: the names of its models.
    """
    return {
        "less accurate": f"less accurate than {expensive}",
        "undecided": f"too little data against {expensive}",
        "no gain": f"not shown to beat {cheap}",
        "replaces": f"**in place of {expensive}**",
        "more expensive": f"more expensive than {expensive}",
        "same cost": f"costs as {expensive}",
    }[standing]


def _conclusion(analysis: Analysis) -> str:
    run = analysis.run
    validation = len(run.data.validation.labels)
    first = seeds.of_first(analysis)
    texts = [_replacement(run, test) for test in analysis.cascades if test.replaces]
    text = "; ".join(texts) or f"No {link('cascade')} is shown to replace its expensive model"
    return (
        f"{text}. Thresholds and cheap models were chosen on {validation:,} validation comments; all "
        f"figures are of the test comments{first} ({link('cascade', 'method')}, "
        f"{link('in place of Y', 'standings')})."
    )


def _parts(test: CascadeTest) -> tuple[CellRecord, CellRecord]:
    return test.cascade.cheap, test.cascade.expensive


def _replacement(run: Run, test: CascadeTest) -> str:
    found, at_least = test.cascade, "" if _on_one_device(test) else "at least "
    return (
        f"{_label(run, test)} can replace {name(run, found.expensive)}: "
        f"{with_interval(test.difference, points)} points of accuracy, and {at_least}"
        f"{percent(found.saved_share)} of its {link('compute')} saved"
    )


def _row(run: Run, test: CascadeTest, on_device: bool) -> list[str]:
    found = test.cascade
    cheap, expensive = name(run, found.cheap), name(run, found.expensive)
    return [
        _label(run, test),
        f"{found.threshold:.2f}",
        percent(found.passed_share),
        with_interval(found.accuracy, percent),
        with_interval(test.difference, points),
        significant(found.core_ms),
        *([significant(found.device_ms)] if on_device else []),
        ("" if _on_one_device(test) else "≥ ") + percent(found.saved_share),
        standing_text(test.standing, cheap, expensive),
    ]


def _on_one_device(test: CascadeTest) -> bool:
    return len({one.device for one in _parts(test)}) == 1


def _label(run: Run, test: CascadeTest) -> str:
    return f"{name(run, test.cascade.cheap)} → {name(run, test.cascade.expensive)}"

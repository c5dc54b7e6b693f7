"""Saved runs as one JSON-able value: everything that the page shows.

Pure: the same runs give the same value. It contains no comment text. Names come from files of others, so
every text is made safe to show; `document` makes the whole safe to embed.
"""

from collections.abc import Sequence
from typing import Any

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import bounds, cascade, figures, leads, paired_tests, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.cascade import Cascade
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.analysis.frontier import CascadePoint, CascadeStanding, Point
from worthit.reports.analysis.run_view import first_seeds, name, scores, truth
from worthit.reports.compare import comparable
from worthit.reports.options import ReportOptions
from worthit.reports.page import cost_parts, values
from worthit.reports.page.plain import plain, visible
from worthit.reports.pictures import titles
from worthit.reports.sections import machine, report
from worthit.reports.sections.cascade import standing_text
from worthit.reports.statistics import metrics
from worthit.reports.text import disturbed
from worthit.reports.text.format import percent, shared_by
from worthit.reports.verdict import rules

Value = dict[str, Any]

#: figures whose limits the page shows first
_MAIN_LIMITS = ("accuracy", "latency_p50_ms", "peak_mb", "energy_mj")
#: figures by which frontiers rank models, if not by accuracy
_RANKING = {metrics.LABEL_F1: "macro_f1", metrics.MICRO_F1: "micro_f1"}


def of(runs: Sequence[Run]) -> Value:
    """All runs, the first one first.

    Raises:
        OptionError: the options of a run make no sense.
    """
    found: Value = visible(
        {
            "figures": [_spec(spec, runs) for spec in figures.FIGURES],
            "runs": [_run(run) | {"other_comments": _other_comments(runs[0], run)} for run in runs],
        }
    )
    return found


def _other_comments(first: Run, run: Run) -> str:
    """Why a run's accuracies do not compare with those of the first run; empty if they do."""
    return "" if run is first else comparable.why_other_comments(first.data, run.data)


def _spec(spec: FigureSpec, runs: Sequence[Run]) -> Value:
    names = (spec.of_bounds or spec.headed(run) for run in runs)
    headings = dict.fromkeys(heading.replace(" (95 % interval)", "") for heading in names)
    heading = " or ".join(headings)
    if spec.key == "deciding":
        measures = dict.fromkeys(leads.measure(run).heading for run in runs)
        heading += f" ({' or '.join(measures)})"
    if not heading and spec.detail:
        heading = ": ".join(spec.detail)
    return {
        "key": spec.key,
        "heading": heading or spec.key,
        "percent": spec.number is percent,
        "better": spec.better,
        "limit": spec.limit is not None,
        "main": spec.key in _MAIN_LIMITS,
        "results": spec.results,
        "cost": spec.frontier is not None,
    }


def _run(measured: Run) -> Value:
    analysis = Analysis.of(measured)
    run, verdict = analysis.run, rules.decide(analysis)
    return {
        "id": run.run_id,
        "summary": plain(report.headline(run)),
        "incomplete": "" if run.complete else "Cells are missing: the run was interrupted.",
        "machine": _machine(run),
        "verdict": {
            "headline": plain(verdict.headline),
            "warnings": [plain(text) for text in verdict.warnings],
            "reasons": [plain(text) for text in verdict.reasons],
            "changes": [plain(text) for text in verdict.changes],
        },
        "noise": plain(machine.noise_warning(run)),
        "disturbed": plain(disturbed.sentence({name(run, cell): cell for cell in run.cells})),
        "answers": plain(report.about(analysis)),
        "test_set": run.data.test_set,
        "comments": len(run.data.test.labels),
        "classes": list(run.data.classes),
        "ranking": _RANKING.get(task.ranking(run), "accuracy"),
        **_majority(run),
        "prices": _prices(analysis.options),
        "limits": _limits(analysis.options),
        "models": [_model(analysis, cell) for cell in first_seeds(run)],
        "cascades": [
            _cascade(analysis, number, test.cascade)
            for number, test in enumerate(analysis.cascades)
        ],
        "no_cascades": "" if analysis.cascades else plain(cascade.why_none(run, analysis.values)),
        "curves": _curves(analysis),
    }


def _majority(run: Run) -> Value:
    """The accuracy of the best constant answer, and what it answers."""
    answer = "most common set of labels" if run.data.multilabel else "majority class"
    share = metrics.majority_accuracy(truth(run)) if run.data.test.labels else None
    return {"majority": share, "majority_answer": answer}


def _machine(run: Run) -> str:
    parts = (
        f"{run.machine['cpu']}, {run.machine['cores_allowed']} cores",
        *run.machine["accelerators"],
    )
    return ", ".join(parts)


def _prices(options: ReportOptions) -> Value:
    return {
        "machine_per_hour": options.machine_per_hour,
        "part_per_hour": dict(options.part_per_hour),
        "electricity_per_kwh": options.electricity_per_kwh,
        "api_per_million": options.api_per_million,
        "price_in_per_million": options.price_in_per_million,
        "price_out_per_million": options.price_out_per_million,
        "volume": options.volume,
    }


def _limits(options: ReportOptions) -> Value:
    """Key of a figure → its limit, in the figure's unit."""
    specs, found = figures.by_limit(), {}
    for key, limit in options.limits.items():
        scale = specs[key].limit.scale  # type: ignore[union-attr]
        found[specs[key].key] = limit / scale
    return found


def _model(analysis: Analysis, cell: CellRecord) -> Value:
    run = analysis.run
    points = {
        one.figure.key: point
        for one in analysis.frontiers
        for point in one.points
        if point.cell == cell.name
    }
    any_point = next(iter(points.values()))  # what is read of it is the same at each cost
    differ = paired_tests.differ(analysis.pairs)
    return {
        "label": name(run, cell),
        "model": cell.model,
        "device": cell.device,
        "trainings": max(1, len(analysis.models.get(name(run, cell), ()))),
        "figures": {spec.key: _figure(run, cell, spec) for spec in figures.FIGURES},
        "standings": {key: _standing(point) for key, point in points.items() if key != "price"},
        "cost_parts": cost_parts.of(run, cell),
        "tested": any_point.tested,
        "tested_accuracy": any_point.tested_accuracy,
        "beats_guessing": any_point.beats_guessing,
        "differs_from": [
            other.tested
            for other in analysis.frontiers[0].points
            if differ(other.tested, any_point.tested)
        ],
        **_confusion(run, cell),
    }


def _figure(run: Run, cell: CellRecord, spec: FigureSpec) -> Value:
    found = values.figure(spec.bounded(run, cell), spec.number)
    if spec.key != "training_s" or cell.training is None or found["value"] is None:
        return found
    notes = (found.get("reason", ""), shared_by(cell.training.processes))
    return found | {"reason": "; ".join(filter(None, notes))}


def _standing(point: Point) -> Value:
    reason = plain(point.reason)
    if point.standing == "disturbed":
        reason = f"disturbed: {point.cost.figure.disturbed}"
    return {"kind": point.standing, "by": point.by, "reason": reason}


def _confusion(run: Run, cell: CellRecord) -> Value:
    """The confusion matrix, or why there is none."""
    if cell.quality is None:
        reason = plain(bounds.test_accuracy(run, cell).figure.reason)
        return {"confusion": None, "no_confusion": reason}
    if run.data.multilabel:
        return {"confusion": None, "no_confusion": "a comment may have several labels"}
    if len(run.data.classes) > titles.MOST_CLASSES_DRAWN:
        reason = f"more than {titles.MOST_CLASSES_DRAWN} classes are not readable"
        return {"confusion": None, "no_confusion": reason}
    counts = metrics.confusion(scores(run, cell), run.data.test.labels)
    return {"confusion": counts.tolist(), "no_confusion": ""}


def _cascade(analysis: Analysis, number: int, found: Cascade) -> Value:
    """A cascade with its costs, and the line from its cheap model to its expensive one."""
    run = analysis.run
    points = {one.figure.key: one.cascades[number] for one in analysis.frontiers}
    by_accuracy = analysis.cascades[number].standing
    cheap, expensive = name(run, found.cheap), name(run, found.expensive)
    return {
        "label": f"{cheap} → {expensive}",
        "cheap": cheap,
        "expensive": expensive,
        "threshold": found.threshold,
        "passed_share": found.passed_share,
        "accuracy": values.share(found.accuracy),
        "difference": values.difference(analysis.cascades[number].difference),
        "standing": _standing_text(by_accuracy, cheap, expensive),
        "replaces": by_accuracy == "replaces",
        "saved_share": found.saved_share,
        "compute_ms": found.compute_ms,
        "costs": {
            key: {
                "figure": values.figure(point.cost),
                "standing": _standing_at_cost(point),
                "pays": point.pays,
            }
            for key, point in points.items()
            if key != "price"
        },
        "sweep": [
            {
                "passed_share": one.passed_share,
                "compute_ms": one.compute_ms,
                "accuracy": values.share(one.accuracy),
            }
            for one in cascade.sweep(run, analysis.values, found.cheap, found.expensive)
        ],
    }


def _standing_at_cost(point: CascadePoint) -> str:
    """As in the table of the frontier."""
    if point.cost.value is None:
        return f"n/a: {plain(point.cost.figure.reason)}"
    if point.cost.estimated:
        return "not ranked: the cost of some model is an estimate"
    return _standing_text(point.standing, point.cheap, point.expensive)


def _standing_text(standing: CascadeStanding, cheap: str, expensive: str) -> str:
    if standing == "disturbed":
        return "not ranked: disturbed"
    return plain(standing_text(standing, cheap, expensive))


def _curves(analysis: Analysis) -> list[Value]:
    return [
        {
            "label": label,
            "points": [
                {
                    "comments": point.comments,
                    "accuracy": values.share(point.accuracy),
                    "train_s": values.plain_figure(point.train_s),
                }
                for point in points
            ],
        }
        for label, points in analysis.curves.items()
    ]

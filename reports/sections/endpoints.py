"""The section on models that run on a server: what was sent, what came back, and what is not measured."""

from collections import Counter

import numpy as np

from worthit.bench.saved.record import CellRecord, Requests, Run
from worthit.reports.analysis import figures, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import name
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, joined, percent, written
from worthit.reports.text.tables import folded, listed, tabulated

_MEASUREMENTS = ("latency", "throughput", "quality")


def section(analysis: Analysis) -> list[str]:
    """Nothing without endpoints."""
    run = analysis.run
    cells = [cell for cell in run_view.first_seeds(run) if cell.is_endpoint]
    if not cells:
        return []
    return [
        "## Endpoints",
        " ".join([_where(run, cells), *_sentences(analysis, cells)]),
        *folded("Requests, answers and tokens", *_requests(run, cells), *_tokens(run, cells)),
    ]


def summary(run: Run) -> str:
    """What figures of endpoints mean, below the results; empty without endpoints."""
    cells = [cell for cell in run_view.first_seeds(run) if cell.is_endpoint]
    if not cells:
        return ""
    names = joined([name(run, cell) for cell in cells])
    verb = "run" if len(cells) > 1 else "runs"
    earlier = " (cached) there: some answers are those of earlier requests."
    has_cached = any(
        cell.quality and cell.quality.requests and cell.quality.requests.cached for cell in cells
    )
    return (
        f" {names} {verb} on a server: latency includes the network, throughput is at the best number of "
        "requests at once, and the server's compute, memory and energy are not measured."
        f"{earlier * has_cached}"
    )


def _where(run: Run, cells: list[CellRecord]) -> str:
    places = [
        f"{name(run, cell)} is {cell.setup.checkpoint}" for cell in cells if cell.setup is not None
    ]
    return (
        f"{joined(places)}, an {link('endpoint')}. Comments were sent there. Nothing was trained. Each "
        "comment was asked about once; another time the server may answer differently, which no interval covers. "
        "How it computes, and what else it did meanwhile, is unknown."
    )


def _sentences(analysis: Analysis, cells: list[CellRecord]) -> list[str]:
    run, sentences = analysis.run, []
    for cell in cells:
        quality, model = cell.quality, name(run, cell)
        if quality is None or quality.requests is None:
            continue
        found = quality.requests
        if quality.test_no_answer:
            share = percent(quality.test_no_answer / len(run.data.test.ids))
            sentences.append(
                f"{model} gave no answer to {quality.test_no_answer:,} of the test comments ({share}). All its "
                f"own scores are then equal, and accuracy counts the comment as {_tie(analysis, cell)}."
            )
        by_text = _answered(found) - found.by_log_probabilities
        if by_text:
            sentences.append(
                f"{by_text:,} of {_answered(found):,} answers of {model} are without log-probabilities: their "
                "scores are 0 or 1, and comments with equal scores cannot be ranked."
            )
        if found.cached:
            sentences.append(
                f"{found.cached:,} of {found.comments:,} answers of {model} are those of earlier requests; "
                "what rests on them is marked (cached)."
            )
    return sentences


def _answered(requests: Requests) -> int:
    return requests.comments - sum(requests.no_answer.values())


def _tie(analysis: Analysis, cell: CellRecord) -> str:
    """The class that the chosen answers give to a comment with equal scores of all classes."""
    names = class_names.names(analysis.run.data)
    classes = len(names)
    equal = np.full(1, 0.5) if classes == 2 else np.full((1, classes), 1 / classes)
    decided = analysis.decisions.choices[cell.name].decided(equal)
    return names[int(metrics.predicted(decided)[0])]


def _requests(run: Run, cells: list[CellRecord]) -> list[str]:
    body, reasons = [], Counter[str]()
    for cell in cells:
        for part in _MEASUREMENTS:
            measured = getattr(cell, part)
            found: Requests | None = measured.requests if measured is not None else None
            if found is None:
                continue
            body.append(
                [
                    name(run, cell), part, f"{found.comments:,}", f"{found.cached:,}",
                    f"{found.retries:,}", f"{found.rate_limited:,}",
                    f"{sum(found.no_answer.values()):,}", f"{found.by_log_probabilities:,}",
                ]
            )  # fmt: skip
            reasons.update(found.no_answer)
    headings = [
        "model", "for", "comments", "of them cached", "sent again", "of that for the rate",
        "no answer", "by log-probabilities",
    ]  # fmt: skip
    why = "; ".join(f"{reason} ({count:,})" for reason, count in sorted(reasons.items()))
    return [tabulated(headings, body, left=2), *listed([f"no answer: {why}"] if why else [])]


def _tokens(run: Run, cells: list[CellRecord]) -> list[str]:
    notes = Footnotes()
    specs = [spec for spec in figures.FIGURES if spec.detail and spec.detail[0] == "endpoint"]
    body = [
        [name(run, cell), *(written(spec.read(run, cell), notes, spec.number) for spec in specs)]
        for cell in cells
    ]
    headings = ["model", *(spec.detail[1] for spec in specs if spec.detail)]
    return [tabulated(headings, body), *listed(notes.lines())]

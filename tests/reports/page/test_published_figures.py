"""The figures that a page embeds are those of the report's tables: the committed runs, without a browser."""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from worthit.bench.saved.record import NOT_TUNED, CellRecord, significant
from worthit.reports import saved_runs
from worthit.reports.analysis import figures, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.options import ReportOptions
from worthit.reports.page import content, document
from worthit.reports.page.plain import plain
from worthit.reports.sections import cascade, frontier, prices, results_table
from worthit.reports.text import class_names
from worthit.reports.text.format import percent, points

pytestmark = pytest.mark.xdist_group("published")  # so that each run is analysed once

_RUNS = sorted((Path(content.__file__).parents[2] / "reports" / "runs").glob("*.json"))
_STANDINGS = {
    "frontier": "frontier",
    "dominated": "dominated by {by}",
    "same accuracy": "not shown to beat {by}",
    "same cost": "costs as better {by}",
    "guessing": "not shown to beat guessing",
    "disturbed": "not ranked",
    "not ranked": "not ranked",
    "unknown": "n/a",
}

Value = dict[str, Any]
Rows = Mapping[str, Mapping[str, str]]  # name of the row → heading → entry


@dataclasses.dataclass(frozen=True)
class Published:
    """A committed run."""

    analysis: Analysis  # of its report
    page: Value  # what the HTML of its page embeds, from the same analysis

    @property
    def models(self) -> list[tuple[CellRecord, Value]]:
        """The cell and what the page has of it."""
        run = self.analysis.run
        cells = {run_view.name(run, cell): cell for cell in run_view.first_seeds(run)}
        assert [model["label"] for model in self.page["models"]] == list(cells)
        return [(cells[model["label"]], model) for model in self.page["models"]]


@pytest.fixture(scope="module", params=_RUNS, ids=lambda file: str(file.stem))
def published(request: pytest.FixtureRequest) -> Published:
    run = saved_runs.load(request.param)
    analysis = Analysis.of(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Analysis, "of", lambda _: analysis)
        page = document.render(content.of([run]), "", single=True)
    (data,) = re.findall(r'type="application/json" id="content">(.*?)</script>', page, re.DOTALL)
    (found,) = json.loads(data)["runs"]
    assert found["id"] == request.param.stem
    return Published(analysis, found)


def table(paragraphs: Sequence[str], heading: str) -> tuple[Rows, Mapping[str, str]]:
    """The first table with this heading, and its footnotes by their marks."""
    number, text = next(
        (number, text)
        for number, text in enumerate(paragraphs)
        if text.startswith("|") and heading in text.splitlines()[0]
    )
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    (_, *headings), _, *body = ([entry.strip() for entry in row] for row in cells)
    below = "".join(paragraphs[number + 1 : number + 2])
    reasons = dict(re.findall(r"^- (\[\d+\]) (.*)$", below, re.MULTILINE))
    return {name: dict(zip(headings, row, strict=True)) for name, *row in body}, reasons


def written(found: Value, number: Callable[[float], str], *, interval: bool = False) -> str:
    """A figure of the page as reports write it."""
    text = number(found["value"])
    text = f"*≈{text}*" if found.get("estimated") else text
    text += " (cached)" * bool(found.get("cached")) + " (disturbed)" * bool(found.get("disturbed"))
    return f"{text} ({number(found['low'])} to {number(found['high'])})" if interval else text


def check(found: Value, entry: str, reasons: Mapping[str, str], expected: str) -> None:
    """The entry of a table is this figure of the page, or n/a for the same reason."""
    text, _, mark = entry.partition(" [")
    assert text == expected
    if found["value"] is None:
        assert found["reason"] == plain(reasons[f"[{mark}"])


def test_the_results_are_those_of_the_report(published: Published) -> None:
    run = published.analysis.run
    rows, reasons = table(results_table.table(published.analysis), "model")
    columns = [spec for spec in figures.FIGURES if spec.results and spec.has_column(run)]
    assert len(columns) >= 8
    labels = [model["label"] for _, model in published.models]
    assert [*rows] in (labels, [*labels, class_names.constant(run)])
    for cell, model in published.models:
        for spec in columns:
            found, entry = model["figures"][spec.key], rows[model["label"]][spec.headed(run)]
            if spec.key == "training_s" and spec.read(run, cell).reason == NOT_TUNED:
                assert entry.startswith("n/a")  # the page has the choice of the prompt
                assert found["value"] == (model["figures"]["choosing_s"]["value"] or 0.0)
                continue
            is_known = found["value"] is not None
            expected = written(found, spec.number, interval=spec.interval) if is_known else "n/a"
            check(found, entry, reasons, expected)


@pytest.mark.parametrize("part", ["latency", "memory", "energy", "training"])
def test_the_details_are_those_of_the_report(published: Published, part: str) -> None:
    run = published.analysis.run
    rows, reasons = table(results_table.figure_table(run, part).split("\n\n"), "model")
    columns = [
        spec
        for spec in figures.FIGURES
        if spec.detail and spec.detail[0] == part and spec.has_column(run)
    ]
    for cell, model in published.models:
        if getattr(cell, part) is None:
            continue
        for spec in columns:
            assert spec.detail is not None
            found, entry = model["figures"][spec.key], rows[model["label"]][spec.detail[1]]
            expected = "n/a" if found["value"] is None else written(found, significant)
            check(found, entry, reasons, expected)


def test_limits_compare_the_bounds_of_the_report(published: Published) -> None:
    for cell, model in published.models:
        for spec in figures.by_limit().values():
            bounded = published.analysis.values[cell.name, spec.key]
            found = model["figures"][spec.key]
            assert found["value"] == bounded.value
            if bounded.value is not None:
                assert found["low"] == bounded.low
                assert found.get("high", math.inf) == bounded.high


def test_standings_at_each_cost_are_those_of_the_report(published: Published) -> None:
    rows, _ = table(frontier.section(published.analysis), "model")
    entries = {
        (name, heading): plain(entry.partition(" [")[0])
        for name, row in rows.items()
        for heading, entry in row.items()
    }
    for one in published.analysis.frontiers:
        assert one.figure.frontier is not None
        heading, key = one.figure.frontier[0], one.figure.key
        if key == "price":  # ranked in the browser
            continue
        for _, model in published.models:
            standing = model["standings"][key]
            expected = _STANDINGS[standing["kind"]].format(by=standing["by"])
            assert entries[model["label"], heading] == expected
        for found in published.page["cascades"]:
            expected = found["costs"][key]["standing"].split(": ")[0]
            assert entries[found["label"], heading] == expected


def test_cascades_are_those_of_the_report(published: Published) -> None:
    if not published.analysis.cascades:
        assert published.page["no_cascades"]
        return
    rows, _ = table(cascade.section(published.analysis), "cascade")
    assert [*rows] == [found["label"] for found in published.page["cascades"]]
    for found in published.page["cascades"]:
        row = rows[found["label"]]
        assert row["threshold"] == f"{found['threshold']:.2f}"
        assert row["passed on"] == percent(found["passed_share"])
        accuracy = written(found["accuracy"], percent, interval=True)
        assert row["test acc (95 % interval)"] == accuracy
        difference = written(found["difference"], points, interval=True)
        assert row["points against expensive alone"] == difference
        assert row["compute saved"].removeprefix("≥ ") == percent(found["saved_share"])
        assert plain(row["standing"]) == found["standing"]


def test_the_quantities_that_the_page_prices_give_the_prices_of_the_report(
    published: Published,
) -> None:
    """The quantities that the page multiplies with prices give the report's prices."""
    options = ReportOptions.of({"--machine-price": "3.6"})  # 0.001 per second
    priced = dataclasses.replace(published.analysis, options=options)
    rows, _ = table(prices.section(priced), "scoring a million")
    columns = (("scoring a million", "machine_ms", 1e6 / 1e3), ("one training", "training_s", 1))
    for cell, model in published.models:
        for heading, key, seconds in columns:
            entry, part = rows[model["label"]][heading], model["cost_parts"][key]
            if cell.is_endpoint or part["value"] is None:
                assert entry.startswith(("n/a", "none"))
            elif part["nothing"]:
                assert entry == "none"
            else:
                price = float(re.sub(r"[^\d.]", "", entry.partition(" [")[0]))
                assert price == pytest.approx(part["value"] * seconds * 0.001, rel=0.006)


def test_confusion_matrices_have_the_accuracy_of_the_report(published: Published) -> None:
    run = published.analysis.run
    for cell, model in published.models:
        if model["confusion"] is not None:
            counts = model["confusion"]
            share = run_view.accuracy(run, cell)
            assert share is not None
            assert sum(map(sum, counts)) == share.comments == published.page["comments"]
            correct = sum(row[number] for number, row in enumerate(counts))
            assert correct / share.comments == pytest.approx(share.value)

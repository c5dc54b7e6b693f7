"""Cascades of the page in a real browser: limits, prices and tables treat them like models."""

import dataclasses
from typing import Any

import pytest

from tests import page_runs
from tests.reports.page.conftest import Open, settle
from tests.reports.page.test_browser import column, listed, set_number
from tests.reports.page.test_formulas import same
from worthit.bench.saved import record
from worthit.reports.analysis import bounds, prices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.page.plain import plain
from worthit.reports.sections.cascade import standing_text

pytestmark = pytest.mark.xdist_group("browser")

CASCADE = "cascade tfidf → llama"


def cascade() -> tuple[record.Run, ...]:
    """Two models, and the cascade of both."""
    return (page_runs.cascade(),)


def hexagons(page: Any) -> list[list[Any]]:
    """Of the hexagon in each plot: the opacity, and whether it is grey."""
    found: list[list[Any]] = page.evaluate(
        "() => ['plot', 'cascades-plot'].flatMap((id) => byId(id).data)"
        ".filter((trace) => trace.marker?.symbol?.startsWith('hexagon'))"
        ".map((trace) => [trace.opacity, trace.marker.color === palette().off])"
    )
    return found


def test_a_cascade_is_judged_by_its_own_figures(open_page: Open) -> None:
    page = open_page(cascade)
    set_number(page, "limit-accuracy", "90")  # the cheap model alone misses it
    assert listed(page, "fits") == ["llama", CASCADE]
    assert hexagons(page) == [[1, False], [1, False]]
    names = f"llama, {CASCADE}"
    text = f"1 of 2 models and 1 of 1 cascades stay within all limits: {names}."
    page.locator("#remaining").get_by_text(text, exact=True).wait_for()
    set_number(page, "limit-latency_p50_ms", "5")  # the expensive model alone misses it
    assert listed(page, "fits") == [CASCADE]
    set_number(page, "limit-accuracy", "99")
    (missed,) = [text for text in listed(page, "misses") if text.startswith(CASCADE)]
    assert f"{CASCADE} | test acc: 95.0 %" in missed
    assert hexagons(page) == [[0.45, True], [0.45, True]]


def test_a_cascade_without_a_figure_of_its_own_misses_what_its_models_miss(open_page: Open) -> None:
    page = open_page(cascade)
    set_number(page, "limit-peak_mb", "100")
    assert [text.split(" | ")[0] for text in listed(page, "misses")] == ["tfidf", "llama", CASCADE]
    reason = listed(page, "misses")[-1].split(" | ")[1]
    assert "tfidf: peak memory, MB: 900" in reason
    assert "llama: peak memory, MB: 900" in reason
    assert hexagons(page) == [[0.45, True], [0.45, True]]
    set_number(page, "limit-peak_mb", "5000")  # both models together were not measured
    why = "peak memory, MB: n/a, two models in one process were not measured"
    assert listed(page, "unknown") == [f"{CASCADE} | {why}"]
    assert hexagons(page) == [[0.7, False], [0.7, False]]


def test_the_price_of_a_cascade_is_that_of_the_report(open_page: Open) -> None:
    page, (run,) = open_page(cascade), cascade()
    set_number(page, "machine-0", "3.6")
    set_number(page, "price-volume", "500000")
    price, standing, with_training = page.evaluate(
        "() => [CASCADES[0].figure('price'), CASCADES[0].standingAt('price'),"
        " CASCADES[0].figure('price_with_training')]"
    )
    given = {"--machine-price": "3.6", "--volume": "500000"}
    analysis = Analysis.of(dataclasses.replace(run, options=given))
    (point,) = next(one.cascades for one in analysis.frontiers if one.figure.key == "price")
    same(price, point.cost)
    text = plain(standing_text(point.standing, point.cheap, point.expensive))
    assert standing == {"standing": text, "pays": point.pays}
    trainings = [prices.training(run, cell, analysis.options) for cell in run.cells]
    share = bounds.total(trainings, "").times(1e6 / 500_000, "")
    same(with_training, bounds.total([point.cost, share], ""))


def test_tables_have_the_cascades_that_plots_and_the_report_have(open_page: Open) -> None:
    page = open_page(cascade)
    page.locator("#plot-details summary").click()
    rows = ["tfidf", "llama", CASCADE]
    assert column(page, "The plot as a table", 1) == rows
    assert column(page, "The plot as a table", 4)[-1] == "in place of llama"
    page.locator("#results summary", has_text="Standing of each model").click()
    assert column(page, "Standings", 1) == rows
    page.locator("#filters label", has_text="tfidf").locator("input").uncheck()
    settle(page)
    assert column(page, "The plot as a table", 1) == ["llama"]
    assert listed(page, "fits") == ["llama"]

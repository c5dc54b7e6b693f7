"""The page in a real browser: plot, limits, prices, tables, themes, phones, several runs."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests import multiclass_runs, multilabel_runs, page_runs
from tests.reports.page.conftest import Open, settle
from worthit.bench.saved import record
from worthit.bench.saved.record import CurvePoint, measured
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.page.plain import plain
from worthit.reports.verdict import rules

pytestmark = pytest.mark.xdist_group("browser")  # so that one browser starts


def everything() -> tuple[record.Run, ...]:
    """Every kind of figure, in one run."""
    return (page_runs.run(),)


def classes() -> tuple[record.Run, ...]:
    """Twelve classes, with learning curves and cascades."""
    return (multiclass_runs.run(multiclass_runs.many(12), multiclass_runs.NOISES),)


def two() -> tuple[record.Run, ...]:
    """The same models on two machines; the names of the second run are hostile."""
    first = page_runs.run(*page_runs.measured_cells())
    bert, name = first.cells[2], page_runs.HOSTILE
    assert bert.quality is not None
    hostile = dataclasses.replace(
        bert, model=name, learning_curve=(CurvePoint(10, measured(1, "s", "c"), bert.quality.test),)
    )
    data = dataclasses.replace(first.data, classes=("a" * 200, name), title=name)
    second = dataclasses.replace(
        first, run_id="other", machine={**first.machine, "cpu": name}, data=data, cells=(*first.cells, hostile)
    )  # fmt: skip
    return first, second


def of_a(page: Any) -> Any:
    """The page without its second run."""
    page.get_by_label("B: other").uncheck()
    settle(page)
    return page


def listed(page: Any, kind: str) -> list[str]:
    """The models of one list, with reasons."""
    texts = page.locator(f"ul[data-kind={kind}] li > span:last-child").all_inner_texts()
    return [" | ".join(text.split("\n")) for text in texts]


def drawn(page: Any) -> list[dict[str, Any]]:
    """The points of the models: their label, position, opacity and symbol."""
    found: list[dict[str, Any]] = page.evaluate(
        "() => byId('plot').data.filter((trace) => trace.mode === 'markers').map((trace) => ({"
        "label: trace.hovertext.split('<br>')[0], x: trace.x[0], y: trace.y[0], opacity: trace.opacity ?? 1,"
        "symbol: trace.marker.symbol, bar: trace.error_x?.array?.[0] ?? null}))"
    )
    return found


def column(page: Any, table: str, number: int) -> list[str]:
    """The entries of a column, from 1, of the table with this caption."""
    rows = f"[role=region][aria-label='{table}'] tbody tr > :nth-child({number})"
    return [text.replace("\n", " ") for text in page.locator(rows).all_inner_texts()]


def set_number(page: Any, field: str, value: str) -> None:
    page.locator(f"#{field}").fill(value)
    settle(page)


def test_the_first_screen_has_the_answer_and_the_frontier(open_page: Open) -> None:
    page, (run,) = open_page(classes), classes()
    assert page.locator("h1").inner_text() == plain(rules.decide(Analysis.of(run)).headline)
    box = page.locator("#plot .main-svg").first.bounding_box()
    assert box["y"] + box["height"] < 800
    points = {point["label"]: point for point in drawn(page)}
    analysis = Analysis.of(run)
    (compute,) = [one for one in analysis.frontiers if one.figure.key == "compute_ms"]
    for point in compute.points:
        assert points[point.label]["x"] == point.cost.value
        assert ("-open" not in points[point.label]["symbol"]) == (point.standing == "frontier")
        assert points[point.label]["bar"] == pytest.approx(
            point.cost.high - point.cost.figure.value
        )  # type: ignore[operator]


def test_both_axes_take_any_figure_log_or_linear(open_page: Open) -> None:
    page = open_page(everything)
    page.locator("#axis-x").select_option("peak_mb")
    page.locator("#log-x").uncheck()
    page.locator("#axis-y").select_option("roc_auc")
    settle(page)
    axes = page.evaluate(
        "() => [byId('plot').layout.xaxis, byId('plot').layout.yaxis].map((a) => [a.type, a.title.text])"
    )
    assert axes == [["linear", "peak memory, MB"], ["linear", "ROC AUC"]]
    assert all(point["x"] == 200 for point in drawn(page))
    assert "no frontier" in page.locator("#plot-note").inner_text()
    page.locator("#log-y").check()
    page.locator("#axis-x").select_option("training_s")
    page.locator("#log-x").check()
    settle(page)
    assert page.evaluate("() => byId('plot').layout.yaxis.type") == "log"
    free = {point["label"]: point["x"] for point in drawn(page)}["llama-zero-shot-cpu"]
    assert free == 1  # what costs nothing stands at a third of the least cost, 3 s


def test_a_tooltip_shows_figures_with_their_bounds(open_page: Open) -> None:
    page = of_a(open_page(two, single=False))
    page.locator("#plot .scatterlayer .point").last.hover(force=True)
    text = page.locator("#plot .hovertext").text_content()
    assert "llama-cuda" in text
    assert re.search(r"test acc: 99\.0 % \(9\d\.\d % to 9\d\.\d %\)", text)


def test_a_model_that_cannot_be_drawn_is_named_with_the_reason(open_page: Open) -> None:
    page = open_page(everything)
    note = page.locator("#plot-note").inner_text()
    assert "static-cpu (static-cpu: quality: memory)" in note
    assert "static-cpu" not in [point["label"] for point in drawn(page)]
    page.locator("#plot-details summary").click()
    row = dict(
        zip(
            column(page, "The plot as a table", 1),
            column(page, "The plot as a table", 3),
            strict=True,
        )
    )
    assert row["static-cpu"].startswith("n/a [")
    assert row["bert-cpu"] == "98.0 % (93.0 % to 99.4 %)"


def test_limits_grey_models_out_and_say_why(open_page: Open) -> None:
    page = open_page(everything)
    assert len(listed(page, "fits")) == 9
    set_number(page, "limit-accuracy", "97")
    assert listed(page, "misses") == [
        "lsa-cpu | test acc: 76.0 % (66.8 % to 83.3 %); the limit is at least 97.0 %",
        *(f"{model} | test acc: {text}; the limit is at least 97.0 %" for model, text in {
            "tfidf-cpu": "88.0 % (80.2 % to 93.0 %)",
            "llama-zero-shot-cpu": "90.0 % (82.6 % to 94.5 %)",
            "word2vec-cpu": "88.0 % (80.2 % to 93.0 %)",
            "embeddings-cpu": "90.0 % (82.6 % to 94.5 %)",
        }.items()),
    ]  # fmt: skip
    assert listed(page, "unknown") == ["static-cpu | test acc: n/a, static-cpu: quality: memory"]
    opacity = {point["label"]: point["opacity"] for point in drawn(page)}
    assert opacity["lsa-cpu"] < 0.5 < opacity["bert-cpu"]
    page.locator("#remaining").get_by_text("0 of 9 models stay within all limits").wait_for()
    page.locator("#reset").click()
    settle(page)
    assert len(listed(page, "fits")) == 9


def test_an_estimate_never_decides_a_limit(open_page: Open) -> None:
    page = open_page(everything)
    set_number(page, "limit-energy_mj", "2500")
    (unknown,) = [text for text in listed(page, "unknown") if text.startswith("word2vec")]
    assert "≈2,000; an estimate never decides" in unknown


def test_a_slider_works_from_the_keyboard_and_its_ends_mean_no_limit(open_page: Open) -> None:
    page = of_a(open_page(two, single=False))
    slider = page.locator("#limit-accuracy-slider")
    assert slider.get_attribute("aria-valuetext") == "no limit"
    slider.focus()
    slider.press("End")
    settle(page)
    assert slider.get_attribute("aria-valuetext") == "at least 100.0 %"
    assert page.locator("#limit-accuracy").input_value() == "100"
    assert not listed(page, "fits")
    slider.press("Home")
    settle(page)
    assert page.locator("#limit-accuracy").input_value() == ""
    assert len(listed(page, "fits")) == 5


def test_a_limit_on_a_figure_that_no_model_has_is_disabled_with_the_reason(open_page: Open) -> None:
    page = open_page(classes)
    assert page.locator("#limit-energy_mj-slider").is_disabled()
    assert "not measured in this run" in page.locator("#limits").inner_text()
    disabled = page.locator("#axis-x option:disabled").all_inner_texts()
    assert "energy of CPU and GPU, mJ/comment (not available)" in disabled


def test_prices_update_costs_and_break_even(open_page: Open) -> None:
    page = of_a(open_page(two, single=False))
    assert "no price is given" in page.locator("#costs").inner_text()
    set_number(page, "machine-0", "3.6")
    assert column(page, "Costs", 2)[:3] == [
        "0.05 (0.0481 to 0.052)",
        "0.2 (0.192 to 0.208)",
        "1 (0.962 to 1.04)",
    ]
    assert column(page, "Costs", 4)[3] == "none"
    assert column(page, "Break-even in run A", 2)[2] == "never"
    set_number(page, "price-api_per_million", "2")
    assert column(page, "Break-even in run A", 3)[0] == "1,540 (1,480 to 1,600)"
    before = column(page, "Costs", 5)[2]
    set_number(page, "price-volume", "1000")
    assert column(page, "Costs", 5)[2] != before
    set_number(page, "limit-price_with_training", "10")
    assert [text.split(" | ")[0] for text in listed(page, "fits")] == [
        "lsa-cpu · A",
        "llama-zero-shot-cpu · A",
    ]


def test_a_heading_sorts_in_both_orders_and_missing_figures_go_last(open_page: Open) -> None:
    page = open_page(everything)
    heading = page.locator("[aria-label=Results] th", has_text="test acc")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert (column(page, "Results", 1)[0], column(page, "Results", 1)[-1]) == (
        "lsa-cpu",
        "static-cpu",
    )
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert (column(page, "Results", 1)[0], column(page, "Results", 1)[-1]) == (
        "llama-cuda",
        "static-cpu",
    )
    page.locator("#price-volume").fill("5")  # the order survives new figures
    settle(page)
    assert column(page, "Results", 1)[0] == "llama-cuda"


def test_the_theme_follows_the_system_and_the_button(open_page: Open) -> None:
    page = open_page(everything)

    def colours() -> tuple[str, str]:
        settle(page)
        script = "() => [getComputedStyle(document.body).backgroundColor, byId('plot').layout.paper_bgcolor]"
        return tuple(page.evaluate(script))

    light, dark = ("rgb(244, 246, 249)", "#ffffff"), ("rgb(15, 19, 25)", "#171c24")
    page.emulate_media(color_scheme="dark")
    assert colours() == dark
    page.emulate_media(color_scheme="light")
    assert colours() == light
    page.get_by_role("button", name="Switch to the dark theme").click()
    assert colours() == dark
    page.get_by_role("button", name="Switch to the light theme").click()
    assert colours() == light


@pytest.mark.parametrize("runs", [classes, two])
def test_the_page_never_scrolls_sideways(
    open_page: Open, runs: Callable[[], tuple[record.Run, ...]]
) -> None:
    page = open_page(runs, single=runs is classes)
    page.locator("#machine-0").fill("1")
    page.evaluate(
        "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        settle(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        plot = page.locator("#plot .main-svg").first.bounding_box()
        assert plot["x"] + plot["width"] <= width


def test_several_runs_and_devices_can_be_filtered(open_page: Open) -> None:
    page = open_page(two, single=False)
    assert page.locator("article").count() == 2
    assert len(drawn(page)) == 11
    shapes = {point["label"]: point["symbol"].removesuffix("-open") for point in drawn(page)}
    assert shapes["bert-cpu · A"] != shapes["bert-cpu · B"]
    assert shapes["bert-cpu · A"] != shapes["llama-cuda · A"]
    of_a(page)
    assert page.locator("article").count() == 1
    assert [point["label"] for point in drawn(page)][0] == "lsa-cpu · A"
    for name in ("cuda", "bert"):
        page.locator("#filters label", has_text=re.compile(f"{name}$")).locator("input").uncheck()
    settle(page)
    assert len(drawn(page)) == 3
    names = ["lsa-cpu · A", "tfidf-cpu · A", "llama-zero-shot-cpu · A"]
    assert column(page, "Results", 1) == names


def test_curves_cascades_and_matrices_are_drawn(open_page: Open) -> None:
    page, (run,) = open_page(classes), classes()
    analysis = Analysis.of(run)
    names = page.evaluate("() => byId('learning-accuracy').data.map((trace) => trace.name)")
    assert names == list(analysis.curves)
    accuracies = [100 * point.accuracy.value for point in analysis.curves["bert"]]
    assert page.evaluate("() => byId('learning-accuracy').data[1].y") == pytest.approx(accuracies)
    lines = page.evaluate(
        "() => byId('cascades-plot').data.filter((t) => t.mode === 'lines').length"
    )
    assert lines == len(analysis.cascades) > 0
    matrix = page.locator("[aria-label='Confusion matrix of bert'] td").all_inner_texts()
    assert sum(map(int, matrix)) == 300


def several_labels() -> tuple[record.Run, ...]:
    return (multilabel_runs.run(),)


def test_several_labels_are_ranked_by_the_figure_of_the_report(open_page: Open) -> None:
    page, (run,) = open_page(several_labels), several_labels()
    assert page.locator("#axis-y").input_value() == "macro_f1"
    (frontier,) = [one for one in Analysis.of(run).frontiers if one.figure.key == "compute_ms"]
    points = {point["label"]: point for point in drawn(page)}
    for point in frontier.points:
        assert points[point.label]["y"] == pytest.approx(100 * point.accuracy.value)  # type: ignore[operator]
        assert ("-open" not in points[point.label]["symbol"]) == (point.standing == "frontier")
    page.locator("#axis-y").select_option("accuracy")
    settle(page)
    assert "Only macro F1 against a cost is ranked" in page.locator("#plot-note").inner_text()
    assert "a comment may have several labels" in page.locator("#confusion").inner_text()
    assert "no single confidence" in page.locator("#cascades").inner_text()


def test_a_long_name_never_widens_the_page(open_page: Open) -> None:
    page = open_page(long_names)
    page.set_viewport_size({"width": 360, "height": 740})
    settle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def long_names() -> tuple[record.Run, ...]:
    run = multiclass_runs.run(("c" * 300, "b", "a"), multiclass_runs.NOISES)
    first = dataclasses.replace(run.cells[0], model="m" * 300)
    return (dataclasses.replace(run, cells=(first, *run.cells[1:])),)


def test_a_run_without_curves_says_so_or_leaves_them_out(open_page: Open) -> None:
    page = open_page(everything)
    assert page.locator("#learning-card").is_hidden()
    assert "no validation comments" in page.locator("#cascades").inner_text()
    assert "n/a: static-cpu: quality: memory" in page.locator("#confusion").inner_text()


def test_hostile_names_are_text_everywhere(open_page: Open) -> None:
    page = open_page(two, single=False)
    assert page.locator("img, [onerror]").count() == 0
    page.locator("#plot .scatterlayer .point").last.hover(force=True)
    text = page.locator("#plot .hovertext").text_content()  # without its line breaks
    assert "</script><img src=xonerror=alert(1)>" in text
    assert "<img src=x" in page.locator("#confusion").inner_text()
    assert "<img src=x" in page.locator("#learning-accuracy").inner_text()


def test_every_control_has_a_name_and_every_plot_a_table(open_page: Open) -> None:
    page = open_page(classes)
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('input, select, button')].filter((one) => "
        "!one.labels?.length && !one.getAttribute('aria-label') && !one.textContent).length"
    )
    assert unnamed == 0
    assert page.locator("#remaining[role=status][aria-live=polite]").count() == 1
    for plot, table in {
        "plot": "The plot as a table",
        "learning-accuracy": "Learning curves",
        "cascades-plot": "Cascades",
    }.items():
        assert page.locator(f"#{plot}[role=img][aria-label]").count() == 1
        assert page.locator(f"[role=region][aria-label='{table}'] tbody tr").count() > 0

"""The page in a real browser: what it says about missing values, and what survives a change of the inputs."""

import pytest

from tests.reports.page.conftest import Open, settle
from tests.reports.page.test_browser import everything, listed, set_number, two

pytestmark = pytest.mark.xdist_group("browser")


def test_a_negative_figure_on_a_log_axis_is_left_out_with_the_reason(open_page: Open) -> None:
    page = open_page(everything, reset=False)
    script = """() => {
      const [below, known] = [{ value: -0.2, reason: "" }, { value: 3, reason: "" }];
      const unknown = { value: null, reason: "not metered" };
      return [
        isPlaceable(below, true), isPlaceable(below, false),
        whyNotDrawn({ x: below, y: known }), whyNotDrawn({ x: below, y: unknown }),
      ];
    }"""
    why = "a log scale has no values below 0"
    assert page.evaluate(script) == [False, True, why, "not metered"]


def test_a_device_has_no_sign_because_shapes_are_of_models(open_page: Open) -> None:
    page = open_page(everything)
    of_group = {
        title: page.locator(f"#filters fieldset:has(legend:text-is('{title}')) .swatch")
        for title in ("Models", "Devices")
    }
    assert of_group["Devices"].count() == 2
    assert not "".join(of_group["Devices"].all_inner_texts()).strip()
    signs = of_group["Models"].all_inner_texts()
    assert len(set(signs)) == len(signs) == 9


def test_what_a_reader_opened_stays_open_when_an_input_changes(open_page: Open) -> None:
    page = open_page(everything)
    titles = page.locator("#results details[open] > summary")
    for title in ("All other figures", "Standing of each model"):
        page.locator("#results summary", has_text=title).click()
    set_number(page, "limit-accuracy", "97")
    assert [text.split(" (")[0] for text in titles.all_inner_texts()] == [
        "All other figures",
        "Standing of each model, cost by cost",
    ]
    page.locator("#results summary", has_text="All other figures").click()
    set_number(page, "limit-accuracy", "98")
    assert titles.all_inner_texts() == ["Standing of each model, cost by cost"]


def test_only_another_width_draws_the_page_again(open_page: Open) -> None:
    page = open_page(everything)
    settle(page)  # the size of the test before
    drawn = "() => document.documentElement.dataset.drawn"
    before = page.evaluate(drawn)
    page.set_viewport_size({"width": 1280, "height": 700})
    settle(page)
    assert page.evaluate(drawn) == before
    page.set_viewport_size({"width": 900, "height": 700})
    settle(page)
    assert page.evaluate(drawn) != before


def test_a_run_on_other_comments_has_a_warning_beside_its_verdict(open_page: Open) -> None:
    page = open_page(two, single=False)
    warning = "Accuracies of B do not compare with those of A: the classes of the runs differ."
    found = [article.inner_text() for article in page.locator("article").all()]
    assert [warning in text for text in found] == [False, True]


def test_a_limit_that_makes_no_sense_is_marked_and_not_used(open_page: Open) -> None:
    page = open_page(everything)
    field = page.locator("#limit-accuracy")
    for value, is_refused in {"97": False, "970": True, "0": True, "-1": True, "": False}.items():
        set_number(page, "limit-accuracy", value)
        assert field.get_attribute("aria-invalid") == ("true" if is_refused else "false")
        assert (len(listed(page, "fits")) == 9) == (value != "97")
    set_number(page, "limit-accuracy", "0")
    page.locator("#limit-accuracy-slider").press("End")
    assert field.get_attribute("aria-invalid") == "false"


def test_a_slider_of_shares_never_begins_below_0(open_page: Open) -> None:
    """A limit below 0 is none: the slider would jump back to its first step for ever."""
    page = open_page(everything, reset=False)
    script = """() => {
      ENTRIES[0].figure = () => ({ value: 0.01 });
      const { low } = limitRange(SPECS.get("accuracy"));
      delete ENTRIES[0].figure;
      return low;
    }"""
    assert page.evaluate(script) == 0


def test_a_slider_over_a_narrow_range_takes_every_step(open_page: Open) -> None:
    page = open_page(everything)  # all models take 200 MB: the steps are less than a digit apart
    slider = page.locator("#limit-peak_mb-slider")
    slider.press("Home")
    for _ in range(3):
        slider.press("ArrowRight")
    assert slider.input_value() == "3"
    assert page.locator("#limit-peak_mb").input_value() == "181"


def test_costs_say_over_how_many_comments_a_training_is_spread(open_page: Open) -> None:
    page = open_page(everything)
    set_number(page, "machine-0", "1")
    for volume, text in {"1000": "1,000", "": "1,000,000"}.items():
        set_number(page, "price-volume", volume)
        assert f"spread over {text} comments." in page.locator("#costs").inner_text()


def test_a_model_without_a_figure_neither_meets_nor_misses_its_limit(open_page: Open) -> None:
    page = open_page(everything)
    set_number(page, "limit-accuracy", "1")  # which all others meet
    assert [text.split(" | ")[0] for text in listed(page, "unknown")] == ["static-cpu"]
    assert len(listed(page, "fits")) == 8
    titles = page.locator("#models-within h3").all_inner_texts()
    assert titles == ["Within all limits", "Unknown: not measured, an estimate, or disturbed"]


def test_the_count_of_models_is_read_aloud_only_when_it_changes(open_page: Open) -> None:
    page = open_page(everything)
    page.locator("#remaining").get_by_text("No limit is set; models shown: 9.").wait_for()
    page.evaluate("() => { window.before = byId('remaining').firstChild; }")
    page.locator("#log-x").uncheck()
    page.wait_for_timeout(400)  # the announcement waits until a slider stands still
    assert page.evaluate("() => window.before === byId('remaining').firstChild")


def test_a_linear_axis_has_room_for_bounds_below_0(open_page: Open) -> None:
    page = open_page(everything, reset=False)
    script = "(isLog) => boundsOf({ value: -1, low: -2, high: 1 }, isLog)"
    assert page.evaluate(script, False) == [-2, 1]
    assert page.evaluate(script, True) == [1]

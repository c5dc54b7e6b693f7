"""The page in a real browser: what it says about missing values, and what survives a change of the inputs."""

import pytest

from tests.reports.page.conftest import Open
from tests.reports.page.test_browser import everything

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

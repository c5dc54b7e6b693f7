"""reports/analysis/objective.py: what answers are chosen for."""

import pytest

from tests import factories
from worthit.bench.saved.record import Run
from worthit.datasets.errors import OptionError
from worthit.reports import options
from worthit.reports.analysis.objective import Objective, require_suitable


def run(labels: tuple[int, ...], classes: tuple[str, ...] = factories.CLASSES, **given: str) -> Run:
    data = factories.data(factories.part(labels), classes=classes)
    return factories.run(data, options=factories.options(**given))


@pytest.mark.parametrize(
    ("labels", "given", "name"),
    [
        ((0, 1) * 10, {}, "accuracy"),
        ((1,) * 9 + (0,), {}, "balanced-accuracy"),
        ((0,) * 9 + (1,), {}, "accuracy"),  # average precision decides, which has no threshold
        ((1,) * 9 + (0,), {"objective": "accuracy"}, "accuracy"),
        ((0, 1) * 10, {"cost_miss": "2", "cost_false_alarm": "1"}, "cost"),
        ((0, 1) * 10, {"cost_miss": "2", "cost_false_alarm": "1", "objective": "f1"}, "f1"),
        ((0, 1) * 10, {"objective": "recall"}, "recall"),
    ],
)
def test_the_objective_follows_options_and_shares(
    labels: tuple[int, ...], given: dict[str, str], name: str
) -> None:
    assert Objective.of(run(labels, **given)).name == name


def test_costs_need_two_classes() -> None:
    made = run((0, 1, 2) * 5, ("a", "b", "c"), cost_miss="2", cost_false_alarm="1")
    assert Objective.of(made).name == "accuracy"
    with pytest.raises(OptionError, match="needs two classes; this run has 3") as no:
        require_suitable(3, multilabel=False, given=made.options)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cost_miss": "2"}, "together"),
        ({"objective": "cost"}, "needs --cost-miss and --cost-false-alarm"),
        ({"objective": "luck"}, "it takes accuracy, balanced-accuracy, f1, recall, cost"),
        ({"cost_miss": "0", "cost_false_alarm": "1"}, "above 0"),
        ({"cost_miss": "x", "cost_false_alarm": "1"}, "takes a number"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        options.checked(given.get)

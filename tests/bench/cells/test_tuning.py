"""bench/cells/tuning.py: the search, with a model that exists only as numbers and a clock by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from worthit.bench.cells import tuning
from worthit.bench.cells.tuning import NOTHING_TO_TUNE, Outcome, OutOfTimeError, Score, Trial
from worthit.datasets.errors import CellError

SIZES = (125, 250, 500, 1_000)
GIVEN = {"C": 1.0, "epochs": 1, "other": "x"}
SPACE = {"C": (0.1, 1.0, 10.0, 100.0), "epochs": (1, 2)}


class Simulated:
    """Trains at a constant rate on a clock that only it moves.

    Args:
        value: the score of settings after training on a number of comments.
    """

    def __init__(
        self,
        value: Callable[[dict[str, Any], int], float | Score],
        s_per_comment: float = 0.01,
        scoring_s: float = 0.5,
        stops: bool = True,
        fixed_s: float = 0.0,
    ) -> None:
        self.now_s = 1_000.0
        self.calls: list[tuple[dict[str, Any], int]] = []
        self._value, self._stops = value, stops
        self._s_per_comment, self._scoring_s, self._fixed_s = s_per_comment, scoring_s, fixed_s

    def clock(self) -> float:
        return self.now_s

    def _score(self, settings: dict[str, Any], comments: int) -> Score:
        value = self._value(settings, comments)
        return value if isinstance(value, Score) else Score(value - 1, value)

    def __call__(self, settings: tuning.Settings, comments: int, left_s: float) -> Trial:
        whole = {**GIVEN, **settings}
        self.calls.append((whole, comments))
        epochs = whole["epochs"]
        training_s = self._fixed_s + self._s_per_comment * comments * epochs
        if self._stops and training_s + self._scoring_s > left_s:
            self.now_s += left_s
            raise OutOfTimeError
        self.now_s += training_s + self._scoring_s
        return Trial(self._score(whole, comments), training_s, self._scoring_s, epochs)


def search(model: Simulated, budget_s: float, **changed: Any) -> Outcome:
    arguments = {"space": SPACE, "given": GIVEN, "sizes": SIZES} | changed
    return tuning.search(model, budget_s=budget_s, clock=model.clock, **arguments)


def best_at_10(settings: dict[str, Any], comments: int) -> float:
    return 0.9 if settings["C"] == 10.0 else 0.8


def test_the_best_settings_are_chosen_on_all_comments() -> None:
    model = Simulated(best_at_10)
    found = search(model, 600)
    assert found.chosen["C"] == 10.0
    assert (found.given, found.best, found.comments) == (0.8, 0.9, 1_000)
    assert found.reason == ""
    assert found.trials == len(model.calls)
    assert found.tried == 8  # all combinations
    assert model.calls[0] == (GIVEN, 125)


def test_only_the_better_half_is_trained_on_twice_the_comments() -> None:
    model = Simulated(best_at_10)
    search(model, 600)
    on = {size: [settings for settings, at in model.calls if at == size] for size in SIZES}
    assert [len(on[size]) for size in SIZES] == [
        1,
        8,
        5,
        3,
    ]  # a probe; then 7, 4 and 2 with the given ones
    assert all(GIVEN in on[size] for size in SIZES)
    assert {settings["C"] for settings in on[1_000] if settings != GIVEN} == {10.0}


@pytest.mark.parametrize("s_per_comment", [0.0001, 0.003, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("stops", [True, False])
def test_the_budget_is_respected_whether_or_not_a_training_can_be_stopped(
    s_per_comment: float, stops: bool
) -> None:
    model = Simulated(best_at_10, s_per_comment, stops=stops)
    search(model, 60)
    assert model.now_s - 1_000 <= 60


def test_a_model_is_given_its_whole_budget_if_it_has_more_to_try() -> None:
    space = {"C": tuple(range(500)), "epochs": (1,)}
    for s_per_comment in (0.001, 0.01):
        model = Simulated(best_at_10, s_per_comment)
        search(model, 60, space=space)
        assert 45 < model.now_s - 1_000 <= 60


def test_the_given_settings_stay_unless_others_are_better() -> None:
    found = search(Simulated(lambda settings, comments: 0.8), 600)
    assert found.chosen == {}
    assert found.reason == "no other settings are better"
    assert (found.given, found.best, found.comments) == (0.8, 0.8, 1_000)


@pytest.mark.parametrize(
    ("loss", "value", "is_chosen"),
    [(0.4, 0.8, True), (0.4, 0.81, True), (0.4, 0.79, False), (0.6, 0.9, False)],
)
def test_others_need_a_lower_loss_and_no_worse_value(
    loss: float, value: float, is_chosen: bool
) -> None:
    def score(settings: dict[str, Any], comments: int) -> Score:
        return Score(-loss, value) if settings["C"] == 10.0 else Score(-0.5, 0.8)

    assert bool(search(Simulated(score), 600, space={"C": (1.0, 10.0)}).chosen) == is_chosen


def test_settings_that_are_better_only_on_few_comments_are_not_chosen() -> None:
    def fades(settings: dict[str, Any], comments: int) -> float:
        return 0.9 if settings == GIVEN and comments == 1_000 else 0.5 + 0.01 * settings["C"] / 100

    assert search(Simulated(fades), 600).chosen == {}


def test_a_slow_model_is_tuned_on_the_part_that_fits() -> None:
    model = Simulated(best_at_10, s_per_comment=0.1)
    found = search(model, 120)
    assert found.comments == 250
    assert max(at for _, at in model.calls) == 250


def test_time_that_is_left_is_spent_on_more_comments() -> None:
    model = Simulated(best_at_10, s_per_comment=0.01, fixed_s=20)
    found = search(model, 400, space={"C": (1.0, 10.0)})  # all comments seem to take 170 s at first
    assert {at for _, at in model.calls} >= {500, 1_000}
    assert found.comments == 1_000


def test_a_part_that_saves_no_time_is_left_out() -> None:
    model = Simulated(best_at_10, s_per_comment=0.01, scoring_s=100.0)
    search(model, 2_000)
    assert {at for _, at in model.calls} == {125, 1_000}  # the first tells how long it takes


@pytest.mark.parametrize(
    ("s_per_comment", "reason"),
    [
        (1.0, "a training on 125 comments does not fit"),
        (0.1, "two trainings on 250 comments take about 51 s, too long for the budget"),
    ],
)
def test_a_model_too_slow_for_two_trials_keeps_its_settings(
    s_per_comment: float, reason: str
) -> None:
    model = Simulated(best_at_10, s_per_comment)
    found = search(model, 60)
    assert (found.chosen, found.reason, found.comments) == ({}, reason, 0)
    assert found.given is None
    assert len(model.calls) == 1


def test_more_epochs_count_as_more_time() -> None:
    model = Simulated(best_at_10, s_per_comment=0.01)
    space = {"epochs": (1, 100)}
    assert search(model, 60, space=space).reason == "no second training fits"
    assert all(settings["epochs"] == 1 for settings, _ in model.calls)


def test_settings_that_fail_are_left_out() -> None:
    def fails(settings: dict[str, Any], comments: int) -> float:
        if settings["C"] == 100.0:
            raise CellError("training diverged")
        return best_at_10(settings, comments)

    assert search(Simulated(fails), 600).chosen["C"] == 10.0


def test_given_settings_that_fail_are_an_error() -> None:
    def fails(settings: dict[str, Any], comments: int) -> float:
        raise CellError("training diverged")

    with pytest.raises(CellError, match="diverged"):
        search(Simulated(fails), 600)


def test_a_part_below_a_quarter_decides_nothing() -> None:
    model = Simulated(best_at_10, s_per_comment=0.01)

    def slows_down(settings: dict[str, Any], comments: int) -> float:
        if len(model.calls) == 2:  # the given settings and others were trained on the smallest part
            model._s_per_comment = 10.0
        return best_at_10(settings, comments)

    model._value = slows_down
    found = search(model, 60, space={"C": (1.0, 10.0)})
    assert (found.chosen, found.comments, found.reason) == ({}, 0, "no second training fits")


def test_a_model_without_a_search_space_trains_nothing() -> None:
    for space in ({}, {"C": (1.0,)}):
        model = Simulated(best_at_10)
        assert search(model, 60, space=space) == Outcome({}, 0, 0, 0, reason=NOTHING_TO_TUNE)
        assert model.calls == []


def test_the_search_is_the_same_for_the_same_seed() -> None:
    def calls(seed: int) -> list[tuple[dict[str, Any], int]]:
        model = Simulated(best_at_10)
        search(model, 20, seed=seed)
        return model.calls

    assert calls(1) == calls(1)
    assert calls(1) != calls(2)


def test_the_epochs_of_the_given_settings_may_depend_on_the_comments() -> None:
    class FewerForMore(Simulated):
        """Reads small parts more often, unless settings say how often."""

        def __call__(self, settings: tuning.Settings, comments: int, left_s: float) -> Trial:
            epochs = settings.get("epochs") or epochs_of(comments)
            return super().__call__({**settings, "epochs": epochs}, comments, left_s)

    def epochs_of(comments: int) -> float:
        return 1_000 / comments

    space = {"C": (1.0, 10.0)}
    found = search(FewerForMore(best_at_10), 60, space=space, epochs_of=epochs_of)
    assert found.comments == 1_000  # with the epochs of 125 comments, 1,000 would seem to take 80 s

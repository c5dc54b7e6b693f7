"""The threshold of a cascade: by hand, and how often the selected cascade turns out to be worse."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtri

from worthit.reports.analysis.cascade import difference, lowest_safe_threshold

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Rule = Callable[[Floats, Bools, Bools], float | None]


def lowest_tie(confidence: Floats, correct_cheap: Bools, correct_expensive: Bools) -> float | None:
    """The lowest threshold that loses nothing, whatever higher ones do."""
    order = np.argsort(-confidence)
    gains = np.cumsum(correct_cheap[order].astype(int) - correct_expensive[order])
    kept = np.flatnonzero(gains >= 0)
    return float(confidence[order][kept[-1]]) if len(kept) else None


@pytest.mark.parametrize(
    ("confidence", "cheap", "expensive", "threshold"),
    [
        ((0.9, 0.8, 0.7), (1, 1, 0), (1, 1, 1), 0.8),
        ((0.7, 0.9, 0.8), (0, 1, 1), (1, 1, 1), 0.8),  # in any order
        ((0.9, 0.8, 0.7, 0.6), (1, 0, 1, 0), (1, 1, 0, 1), 0.9),  # the loss at 0.8 is made up for
        ((0.9, 0.8, 0.8, 0.6), (1, 0, 1, 0), (1, 1, 0, 1), 0.8),  # ties are decided together
        ((0.9, 0.8), (0, 1), (1, 1), None),  # it would never answer
        ((0.9, 0.8), (1, 1), (1, 0), None),  # it would always answer
    ],
)
def test_no_threshold_from_the_selected_one_on_loses(
    confidence: tuple[float, ...], cheap: tuple[int, ...], expensive: tuple[int, ...],
    threshold: float | None,
) -> None:  # fmt: skip
    correct = (np.asarray(one, bool) for one in (cheap, expensive))
    assert lowest_safe_threshold(np.asarray(confidence), *correct) == threshold


def worse_share(rule: Rule, by_cost: bool, validation: int, test: int, repeats: int) -> float:
    """How often the selected cascade is less accurate than its expensive model, beyond the interval.

    Three cheap models, which classify 80, 85 and 88 % correctly, and an expensive one with 93 %; their
    errors are correlated.

    Args:
        by_cost: select the cascade that passes least on, instead of the most accurate cheap model.
    """
    rng = np.random.default_rng(0)
    worse = cascades = 0
    for _ in range(repeats):
        comments = validation + test
        truth, shared = rng.choice((-1, 1), comments), rng.normal(size=comments)

        def signal(accuracy: float, truth: Floats = truth, shared: Floats = shared) -> Floats:
            noise = np.sqrt(0.5) * (shared + rng.normal(size=len(truth)))
            return np.asarray(truth * ndtri(accuracy) + noise)

        expensive = signal(0.93) * truth > 0
        selected = []
        for accuracy in (0.80, 0.85, 0.88):
            cheap = signal(accuracy)
            # that of a calibrated model, up to a monotonous function
            confidence, correct = ndtri(accuracy) * np.abs(cheap), cheap * truth > 0
            head = slice(validation)
            threshold = rule(confidence[head], correct[head], expensive[head])
            if threshold is not None:
                passed = confidence < threshold
                found = np.where(passed, expensive, correct)
                order = passed[head].mean() if by_cost else -correct[head].mean()
                selected.append((order, found))
        if selected:
            _, found = min(selected, key=lambda one: one[0])
            cascades += 1
            worse += difference(found[validation:], expensive[validation:]).high < 0
    return worse / cascades


def test_the_selection_is_fooled_by_validation_comments_less_often_than_the_cheapest_tie() -> None:
    luckiest = worse_share(lowest_tie, True, 300, 2_000, 200)
    assert worse_share(lowest_safe_threshold, False, 300, 2_000, 200) < 0.6 * luckiest


def test_a_cascade_without_errors_of_its_own_still_has_an_interval() -> None:
    same = np.ones(100, bool)
    found = difference(same, same)
    assert found.value == 0
    # (0.5 + 0.5) / 102 is the variance of the difference, with half a comment for each outcome
    assert found.high == pytest.approx(1.96 / 102, rel=1e-6)
    assert found.low == -found.high

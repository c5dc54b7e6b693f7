"""reports/analysis/paired_tests.py: which classifiers differ significantly."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from tests.scored_runs import cell, draw, run, three_models
from worthit.bench.saved.record import Run
from worthit.reports.analysis import paired_tests
from worthit.reports.analysis.paired_tests import Pair, between
from worthit.reports.statistics import bootstrap


def correct(*which: int) -> npt.NDArray[np.bool_]:
    return np.asarray(which, bool)


def pairs(run: Run) -> tuple[Pair, ...]:
    return paired_tests.pairs(run, bootstrap.counts(len(run.data.test.labels)))


def test_mcnemar_is_that_by_hand() -> None:
    # only the first is correct on 5 comments, only the second on none: 2 · ½⁵
    assert paired_tests.mcnemar_p(correct(*[1] * 9), correct(*[0] * 5, *[1] * 4)) == pytest.approx(
        2 / 32
    )
    # 3 against 1: 2 · (1 + 4) / 16
    first, second = correct(1, 1, 1, 0, 1, 0), correct(0, 0, 0, 1, 1, 0)
    assert paired_tests.mcnemar_p(first, second) == pytest.approx(10 / 16)
    assert paired_tests.mcnemar_p(first, first) == 1.0


def test_holm_is_that_by_hand() -> None:
    # sorted 0.01 · 4, 0.02 · 3, 0.03 · 2 (not below the one before), 0.5 · 1
    assert paired_tests.holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert paired_tests.holm([0.6, 0.7]) == [1.0, 1.0]
    assert paired_tests.holm([]) == []


def test_pairs_of_models_on_the_same_comments() -> None:
    all_pairs = pairs(three_models())
    assert [(pair.first, pair.second) for pair in all_pairs] == [
        ("a-cpu", "b-cpu"), ("a-cpu", "c-cpu"), ("b-cpu", "c-cpu"),
    ]  # fmt: skip
    similar, different, _ = all_pairs
    test = three_models().data.test.labels
    scored = [one.quality.test for one in three_models().cells if one.quality is not None]
    area, reversed_area = (metrics.roc_auc_score(test, scored[i]) for i in (0, 2))
    assert different.auc is not None
    assert different.auc.value == pytest.approx(area - reversed_area)
    assert 0 < different.auc.low < different.auc.value < different.auc.high
    assert different.auc.is_significant
    assert different.accuracy.is_significant
    assert not similar.accuracy.is_significant
    assert similar.accuracy.low <= similar.accuracy.value <= similar.accuracy.high
    p_values = [pair.accuracy.p for pair in all_pairs]
    assert p_values[0] > 0.05 > max(p_values[1:])
    assert pairs(three_models()) == all_pairs


def test_a_pair_compares_the_means_over_seeds() -> None:
    once = three_models()
    again = cell("a", draw(300, 0.5, seed=21)[0], seed=1)
    twice = dataclasses.replace(once, cells=(*once.cells, again))
    accuracies = [
        np.mean((np.asarray(one.quality.test) >= 0.5) == np.asarray(once.data.test.labels))
        for one in twice.cells
        if one.quality is not None
    ]
    first, second = (between(pairs(run), "a-cpu", "b-cpu").accuracy for run in (once, twice))
    assert first.value == pytest.approx(accuracies[0] - accuracies[1])
    assert second.value == pytest.approx((accuracies[0] + accuracies[3]) / 2 - accuracies[1])
    assert len(pairs(twice)) == 3


def test_the_interval_of_a_pair_excludes_0_if_and_only_if_the_p_value_is_small() -> None:
    for wrong in range(12):
        labels = (1, 0) * 50
        worse = tuple(0.1 if i < wrong else 0.9 * label for i, label in enumerate(labels))
        both = cell("a", tuple(0.9 * label for label in labels)), cell("b", worse)
        (pair,) = pairs(run(labels, *both))
        assert (pair.accuracy.low > 0) == (pair.accuracy.p < 0.05)


def test_a_pair_is_reversed_on_request() -> None:
    all_pairs = pairs(three_models())
    there, back = between(all_pairs, "a-cpu", "c-cpu"), between(all_pairs, "c-cpu", "a-cpu")
    assert (back.first, back.second) == ("c-cpu", "a-cpu")
    assert back.accuracy.value == -there.accuracy.value
    assert (back.accuracy.low, back.accuracy.high) == (-there.accuracy.high, -there.accuracy.low)
    assert there.auc is not None
    assert back.auc is not None
    assert back.auc.high == -there.auc.low
    assert back.auc.p == there.auc.p
    assert back.reversed() == there
    with pytest.raises(LookupError, match="no pair of a-cpu and z"):
        between(all_pairs, "a-cpu", "z")


def test_pairs_need_two_models_and_two_classes() -> None:
    assert pairs(run((1, 0), cell("a", (0.9, 0.1)))) == ()
    (pair,) = pairs(run((1, 1), cell("a", (0.9, 0.1)), cell("b", (0.9, 0.9))))
    assert pair.auc is None
    assert pair.accuracy.value == -0.5

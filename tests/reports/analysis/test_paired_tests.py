"""reports/analysis/paired_tests.py: which classifiers differ significantly."""

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from tests.scored_runs import cell, draw, run, three_models
from worthit.bench.saved.record import Run
from worthit.reports.analysis import bootstrap, paired_tests
from worthit.reports.analysis.paired_tests import Pair, between


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


def test_the_bootstrap_p_follows_from_its_standard_error() -> None:
    replicates = np.asarray([1.0, 3.0] * 50)  # standard deviation 1
    assert paired_tests.bootstrap_p(1.959964, replicates) == pytest.approx(0.05, abs=1e-6)
    assert paired_tests.bootstrap_p(0.0, np.zeros(100)) == 1.0
    assert paired_tests.bootstrap_p(1.0, np.ones(100)) == 2 / 100


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
    correct_by_model = [(np.asarray(scores) >= 0.5) == np.asarray(test) for scores in scored]
    raw = [paired_tests.mcnemar_p(*two) for two in itertools.combinations(correct_by_model, 2)]
    assert [pair.accuracy.p for pair in all_pairs] == paired_tests.holm(raw)
    assert pairs(three_models()) == all_pairs


def test_more_seeds_do_not_change_a_pair_of_models() -> None:
    once = three_models()
    again = [
        cell(f"{one.model}", draw(300, 0.5, seed=20 + seed)[0], seed=seed)
        for one in once.cells
        for seed in (1, 2)
    ]
    thrice = dataclasses.replace(once, cells=(*once.cells, *again))
    assert pairs(thrice) == pairs(once)


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

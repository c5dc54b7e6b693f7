"""reports/analysis/human_rater.py: one rater compared with the majority of the others."""

import numpy as np
import pytest

from worthit.bench.saved.data import Part
from worthit.reports.analysis import human_rater
from worthit.reports.analysis.human_rater import Rater
from worthit.reports.statistics import bootstrap


def part(votes: list[tuple[int, int] | None]) -> Part:
    """Comments with (toxic votes, votes), or None without votes."""
    return Part(
        tuple(f"{number:08x}" for number in range(len(votes))),
        tuple(int(vote is not None and 2 * vote[0] > vote[1]) for vote in votes),
        tuple(None if vote is None else round(vote[0] / vote[1], 4) for vote in votes),
        tuple(None if vote is None else vote[1] for vote in votes),
        (9,) * len(votes),
    )


def rater(votes: list[tuple[int, int] | None]) -> Rater | None:
    return human_rater.rater(part(votes), bootstrap.counts(len(votes)))


@pytest.mark.parametrize(
    ("toxic", "votes", "chances"),
    [
        (10, 10, (1, 0, 0, 0)),
        (0, 10, (0, 0, 0, 1)),
        # four of ten said toxic: the majority of the other nine did not, whoever is left out
        (4, 10, (0, 0, 0.4, 0.6)),
        # five of ten: four of nine without one of the five, five of nine without one of the others
        (5, 10, (0, 0.5, 0.5, 0)),
        # two of three: the others are tied for each of the two, and say toxic for the third
        (2, 3, (1 / 3, 1 / 3, 1 / 3, 0)),
        (1, 2, (0, 0.5, 0.5, 0)),
    ],
)
def test_chances_are_those_by_hand(toxic: int, votes: int, chances: tuple[float, ...]) -> None:
    (result,) = human_rater.chances(np.asarray([toxic]), np.asarray([votes])).T
    assert result == pytest.approx(chances)


def test_chances_equal_those_of_random_raters() -> None:
    rng = np.random.default_rng(0)
    for toxic, votes in ((7, 10), (6, 11), (5, 9), (3, 8)):
        cast = rng.permuted(np.tile(np.arange(votes) < toxic, (20_000, 1)), axis=1)
        own, others = cast[:, 0], cast[:, 1:].mean(axis=1)
        says = np.where(others == 0.5, 0.5, others > 0.5)
        expected = [
            (own * says).mean(), (~own * says).mean(), (own * (1 - says)).mean(), (~own * (1 - says)).mean(),
        ]  # fmt: skip
        (result,) = human_rater.chances(np.asarray([toxic]), np.asarray([votes])).T
        assert result == pytest.approx(expected, abs=0.02)


def test_one_rater_is_that_by_hand() -> None:
    result = rater([(10, 10), (8, 10), (1, 10), (0, 10), None, (1, 1)])
    assert result is not None
    assert result.comments == 4
    assert result.accuracy.value == pytest.approx((1 + 0.8 + 0.9 + 1) / 4)
    assert result.recall == pytest.approx(1.8 / 2)
    assert result.false_alarms == pytest.approx(0.1 / 2)
    assert result.auc.value == pytest.approx((0.9 + 0.95) / 2)


def test_the_interval_covers_the_truth_for_raters_of_known_skill() -> None:
    # Nine independent raters, each correct with 0.8. The majority of eight is correct with
    # m = 0.9667 (ties count half), and a rater agrees with it with 0.8 · m + 0.2 · (1 - m).
    truth = 0.8 * 0.96666 + 0.2 * 0.03334
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        toxic = rng.random(150) < 0.5
        votes = np.where(toxic, rng.binomial(9, 0.8, 150), rng.binomial(9, 0.2, 150))
        result = rater([(int(k), 9) for k in votes])
        assert result is not None
        assert result.accuracy.low is not None
        assert result.accuracy.high is not None
        hits += result.accuracy.low <= truth <= result.accuracy.high
    assert hits >= 52


def test_comments_without_votes_have_no_rater() -> None:
    assert rater([None, (1, 1)]) is None


def test_a_rater_has_no_auc_without_toxic_comments() -> None:
    result = rater([(0, 10), (1, 10)])
    assert result is not None
    assert result.auc.value is None
    assert result.auc.reason
    assert result.recall is None
    assert result.accuracy.value == pytest.approx(0.95)

"""reports/analysis/human_rater.py: one rater against the majority of the others."""

import numpy as np
import pytest

from worthit.bench.saved.record import Part
from worthit.reports.analysis import human_rater


def part(votes: list[tuple[int, int] | None]) -> Part:
    """Of (toxic votes, votes) by comment; None where they are unknown."""
    return Part(
        tuple(f"{number:08x}" for number in range(len(votes))),
        tuple(int(vote is not None and 2 * vote[0] > vote[1]) for vote in votes),
        tuple(None if vote is None else round(vote[0] / vote[1], 4) for vote in votes),
        tuple(None if vote is None else vote[1] for vote in votes),
        (9,) * len(votes),
    )


@pytest.mark.parametrize(
    ("toxic", "votes", "chances"),
    [
        (10, 10, (1, 0, 0, 0)),
        (0, 10, (0, 0, 0, 1)),
        # of ten, four said toxic: either way most of the other nine did not
        (4, 10, (0, 0, 0.4, 0.6)),
        # five of ten: without one of the five, four of nine; without one of the others, five of nine
        (5, 10, (0, 0.5, 0.5, 0)),
        # two of three: the others of a toxic voter are tied, those of the third agree it is toxic
        (2, 3, (1 / 3, 1 / 3, 1 / 3, 0)),
        (1, 2, (0, 0.5, 0.5, 0)),
    ],
)
def test_chances_by_hand(toxic: int, votes: int, chances: tuple[float, ...]) -> None:
    (found,) = human_rater.chances(np.asarray([toxic]), np.asarray([votes])).T
    assert found == pytest.approx(chances)


def test_chances_are_those_of_raters_drawn_at_random() -> None:
    rng = np.random.default_rng(0)
    for toxic, votes in ((7, 10), (6, 11), (5, 9), (3, 8)):
        cast = rng.permuted(np.tile(np.arange(votes) < toxic, (20_000, 1)), axis=1)
        own, others = cast[:, 0], cast[:, 1:].mean(axis=1)
        says = np.where(others == 0.5, 0.5, others > 0.5)
        expected = [
            (own * says).mean(), (~own * says).mean(), (own * (1 - says)).mean(), (~own * (1 - says)).mean(),
        ]  # fmt: skip
        (found,) = human_rater.chances(np.asarray([toxic]), np.asarray([votes])).T
        assert found == pytest.approx(expected, abs=0.02)


def test_one_rater_by_hand() -> None:
    found = human_rater.rater(part([(10, 10), (8, 10), (1, 10), (0, 10), None, (1, 1)]))
    assert found is not None
    assert found.comments == 4
    assert found.accuracy.value == pytest.approx((1 + 0.8 + 0.9 + 1) / 4)
    assert found.recall == pytest.approx(1.8 / 2)
    assert found.false_alarms == pytest.approx(0.1 / 2)
    assert found.auc.value == pytest.approx((0.9 + 0.95) / 2)


def test_the_interval_covers_the_truth_of_raters_of_known_skill() -> None:
    # Nine raters, each right with 0.8 whatever the others say: together right with 0.980 (of
    # eight others, ties half), so a rater agrees with 0.8 · m + 0.2 · (1 - m), m = 0.9667.
    truth = 0.8 * 0.96666 + 0.2 * 0.03334
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        toxic = rng.random(150) < 0.5
        votes = np.where(toxic, rng.binomial(9, 0.8, 150), rng.binomial(9, 0.2, 150))
        found = human_rater.rater(part([(int(k), 9) for k in votes]))
        assert found is not None
        assert found.accuracy.low is not None
        assert found.accuracy.high is not None
        hits += found.accuracy.low <= truth <= found.accuracy.high
    assert hits >= 52


def test_without_votes_there_is_no_rater() -> None:
    assert human_rater.rater(part([None, (1, 1)])) is None


def test_where_no_comment_is_toxic_to_the_others_there_is_no_auc() -> None:
    found = human_rater.rater(part([(0, 10), (1, 10)]))
    assert found is not None
    assert found.auc.value is None
    assert found.auc.reason
    assert found.recall is None
    assert found.accuracy.value == pytest.approx(0.95)

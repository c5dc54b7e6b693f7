"""bench/instruments/comment_sample.py: a sample has the lengths of all comments."""

import numpy as np
import pytest

from worthit.bench.instruments.comment_sample import sample_by_length


@pytest.mark.parametrize("comments", [128, 300, 512])
def test_a_sample_has_the_lengths_of_the_whole_test_set(comments: int) -> None:
    """Lengths as of comments, of which the first are the longest: the head would be 100 % longer."""
    drawn = np.sort(np.random.default_rng(0).lognormal(5.3, 1.0, 2_000))[::-1].astype(int) + 1
    texts = ["x" * length for length in drawn]
    lengths = np.array([len(text) for text in sample_by_length(texts, comments)])
    assert len(lengths) == comments
    assert lengths.mean() == pytest.approx(drawn.mean(), rel=0.03)
    for percent in (10, 50, 90):
        expected = np.percentile(drawn, percent)
        assert np.percentile(lengths, percent) == pytest.approx(expected, rel=0.03)


def test_the_same_comments_give_the_same_sample_in_mixed_order() -> None:
    texts = ["x" * length for length in range(1, 1001)]
    sample = sample_by_length(texts, 100)
    assert sample == sample_by_length(texts[::-1], 100)
    assert len({*sample}) == 100
    lengths = [len(text) for text in sample]
    assert abs(np.corrcoef(lengths, range(100))[0, 1]) < 0.3


def test_fewer_comments_than_asked_for_are_all_in_the_sample() -> None:
    assert sorted(sample_by_length(["bb", "a", "ccc"], 10)) == ["a", "bb", "ccc"]
    assert sample_by_length([], 10) == []

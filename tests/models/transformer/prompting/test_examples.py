"""models/transformer/prompting/examples.py: the training comments that an untuned LLM is shown."""

import numpy as np

from worthit.models.transformer.prompting import examples

LABELS = np.array([0] * 10 + [1] * 3 + [2] * 2, np.int8)


def test_examples_are_as_many_of_each_class_as_there_are() -> None:
    rows = examples.draw(LABELS, 8, seed=0)
    assert np.bincount(LABELS[rows]).tolist() == [3, 3, 2]
    assert np.bincount(LABELS[rows[:3]]).tolist() == [1, 1, 1]
    assert len(set(rows)) == 8


def test_the_seed_decides_which_examples_are_drawn() -> None:
    assert examples.draw(LABELS, 6, seed=0) == examples.draw(LABELS, 6, seed=0)
    assert examples.draw(LABELS, 6, seed=0) != examples.draw(LABELS, 6, seed=1)


def test_there_are_no_more_examples_than_comments() -> None:
    assert sorted(examples.draw(LABELS, 100, seed=0)) == list(range(15))
    assert examples.draw(LABELS[:0], 3, seed=0) == []

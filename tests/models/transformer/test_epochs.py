"""How often the training comments are read."""

import pytest

from worthit.models.transformer import epochs
from worthit.models.transformer.bert_settings import BertSettings


@pytest.mark.parametrize(
    ("comments", "expected"),
    [(20, 8), (250, 8), (500, 4), (1_000, 2), (1_300, 2), (1_400, 1), (2_000, 1), (26_460, 1)],
)
def test_few_comments_are_read_more_often(comments: int, expected: int) -> None:
    assert epochs.settle(BertSettings(), comments, reads=2_000).epochs == expected


def test_a_given_number_of_epochs_stays() -> None:
    assert epochs.settle(BertSettings(epochs=3), 20, reads=2_000).epochs == 3

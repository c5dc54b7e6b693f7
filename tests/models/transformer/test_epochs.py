"""How often the training comments are read."""

import pytest

from worthit.models.transformer import epochs
from worthit.models.transformer.bert_settings import BertSettings


@pytest.mark.parametrize(
    ("comments", "classes", "expected"),
    [
        *[(10, 2, 16), (250, 2, 4), (1_000, 2, 2), (4_000, 2, 1), (26_460, 2, 1)],
        *[(250, 64, 16), (1_000, 64, 11), (4_000, 64, 6)],
    ],
)
def test_few_comments_and_many_classes_take_more_epochs(
    comments: int, classes: int, expected: int
) -> None:
    assert epochs.settle(BertSettings(), comments, classes).epochs == expected


def test_a_given_number_of_epochs_stays() -> None:
    assert epochs.settle(BertSettings(epochs=3), 20, 2).epochs == 3

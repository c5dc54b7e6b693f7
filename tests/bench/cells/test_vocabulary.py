"""bench/cells/vocabulary.py: how well a vocabulary fits comments."""

from collections.abc import Sequence

import pytest

from worthit.bench.cells import vocabulary
from worthit.bench.saved.record import Vocabulary
from worthit.models.contract import TokenCounts
from worthit.models.majority import Majority


class _Words:
    """A token per word; unknown without an ASCII letter."""

    def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        words = " ".join(texts).split()
        return TokenCounts(
            sum(map(len, texts)), len(words), sum(not word.isascii() for word in words)
        )


def test_a_vocabulary_is_compared_with_english() -> None:
    found = vocabulary.fit(_Words(), ["abc \u6c34\u6c34\u6c34", "ab \u6c34"])
    assert found == Vocabulary(4 / 11, pytest.approx(0.2, abs=0.03), 0.5)


def test_a_model_without_a_vocabulary_has_no_figures() -> None:
    assert vocabulary.fit(Majority(), ["abc"]) is None
    assert vocabulary.fit(_Words(), [" "]) is None

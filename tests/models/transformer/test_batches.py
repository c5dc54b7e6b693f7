"""Batches hold each comment once, at similar lengths, and scores come back in order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from worthit.models.transformer import batches


def test_training_batches_hold_each_comment_once_and_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 500)
    made = batches.for_training(lengths, 8, np.random.default_rng(1))
    assert sorted(np.concatenate(made)) == list(range(500))
    spread = np.mean([np.ptp(lengths[rows]) for rows in made])
    shuffled = np.mean([np.ptp(lengths[i : i + 8]) for i in range(0, 496, 8)])
    assert spread < shuffled / 3


def test_scoring_batches_hold_each_comment_once_longest_first() -> None:
    lengths = np.array([5, 50, 7, 1])
    made = list(batches.for_scoring(lengths, 3, most_tokens=10_000))
    assert [rows.tolist() for rows in made] == [[1, 2, 0], [3]]


def test_a_batch_to_score_has_no_more_tokens_than_fit_a_cache() -> None:
    lengths = np.array([50, 3, 4, 90, 5, 2])
    made = [rows.tolist() for rows in batches.for_scoring(lengths, 3, most_tokens=12)]
    assert made == [[3], [0], [4, 2], [1, 5]]  # long ones are alone


def test_batches_are_put_back_in_order() -> None:
    tokens = [[1], [2, 2, 2], [3, 3]]
    found = batches.score(
        lambda batch: torch.tensor([[10.0 * (t[0] == c) for c in (1, 2, 3)] for t in batch]),
        tokens,
        2,
        "cpu",
    )
    assert found.argmax(axis=1).tolist() == [0, 1, 2]
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])


def test_a_packed_batch_is_bounded_by_real_tokens() -> None:
    lengths = np.array([50, 3, 4, 90, 5, 2])
    made = batches.for_scoring(lengths, 3, most_tokens=12, packed=True)
    assert [rows.tolist() for rows in made] == [[3], [0], [4, 2, 1], [5]]
    made = batches.for_scoring(lengths, 6, most_tokens=145, packed=True)
    assert [rows.tolist() for rows in made] == [[3, 0, 4], [2, 1, 5]]


@pytest.mark.parametrize("limit", [None, 6, 3])
@pytest.mark.parametrize("special", [True, False])
def test_tokens_are_those_of_transformers(
    tiny_bert: Path, tiny_llama: Path, special: bool, limit: int | None
) -> None:
    texts = ["you stupid idiot : the page the page the page", "", "unknown wörds <s> [SEP] 🙂"]
    for folder in (tiny_bert, tiny_llama):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        cut: dict[str, Any] = {} if limit is None else {"truncation": True, "max_length": limit}
        expected = tokenizer(texts, add_special_tokens=special, **cut)["input_ids"]
        found = batches.encode(tokenizer, texts, special=special, limit=limit)
        assert found == expected
        # A function has no backend, like a tokenizer written in Python.
        assert (
            batches.encode(
                lambda *given, used=tokenizer, **options: used(*given, **options),
                texts,
                special=special,
                limit=limit,
            )
            == expected
        )
        # Later calls of the tokenizer have limits of their own.
        assert (
            tokenizer(texts)["input_ids"]
            == transformers.AutoTokenizer.from_pretrained(folder)(texts)["input_ids"]
        )

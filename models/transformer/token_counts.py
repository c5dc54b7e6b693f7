"""Counts the tokens of comments with a tokenizer of the library tokenizers."""

from collections.abc import Sequence
from typing import Any

from worthit.models.contract import TokenCounts


def count(tokenizer: Any, texts: Sequence[str]) -> TokenCounts:
    """Count the tokens of whole comments, also those that the tokenizer truncates."""
    unknown, tokens, found = getattr(tokenizer.model, "unk_token", None), 0, 0
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        for part in (encoding, *encoding.overflowing):
            tokens += len(part.tokens)
            found += part.tokens.count(unknown)
    return TokenCounts(sum(map(len, texts)), tokens, found)

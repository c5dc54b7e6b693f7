"""How well the vocabulary of pretrained weights fits comments, compared with English."""

from collections.abc import Sequence
from typing import Any

from worthit.bench.saved.record import Vocabulary

_MOST_COMMENTS = 1000  # more hardly change a mean
#: everyday English; any text of some length gives nearly the same number
_ENGLISH = (
    "The room was clean and quiet, but breakfast took far too long and nobody seemed to care.",
    "I would buy this again: it works as described, and the price is fair for what you get.",
    "Please stop changing the page without giving a source, or I will ask somebody to protect it.",
    "Can you tell me how to change the address of my order before it leaves the warehouse?",
    "What a terrible film. The actors try hard, but there is no story and the ending makes no sense.",
)


def fit(model: Any, texts: Sequence[str]) -> Vocabulary | None:
    """Count the tokens of some comments; None if the model has no vocabulary of pretrained weights."""
    counts, english = model.count_tokens(texts[:_MOST_COMMENTS]), model.count_tokens(_ENGLISH)
    if counts is None or english is None or not counts.tokens:
        return None
    return Vocabulary(
        tokens_per_character=counts.tokens / counts.characters,
        in_english=english.tokens / english.characters,
        unknown_share=counts.unknown / counts.tokens,
    )

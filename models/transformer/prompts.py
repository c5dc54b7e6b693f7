"""The question that a language model gets with a comment, and the answers it chooses from.

    Is this comment toxic? Answer True or False.          for "not X" and "X"
    Which of these is this comment: ham, spam? …          for classes with plain names
    A: 1\\nB: 2\\n…                                         for any others, by letters

The first token identifies an answer, so first tokens must differ. Letters replace names that begin
with the same token; letters whose token is taken are skipped.
"""

import itertools
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worthit.datasets.errors import CheckpointError

CUE = "\nAnswer:"

# Names that make sense as an answer. Numbers rarely do, and commas would split the list.
_PLAIN = re.compile(r"(not )?[^\W\d_][\w &'/-]{0,29}")
_LONGEST_NAME = 60  # characters beside a letter
# A, B, …, a, b, …, AA, AB, …
_LETTERS = (
    *string.ascii_uppercase,
    *string.ascii_lowercase,
    *map("".join, itertools.product(string.ascii_uppercase, repeat=2)),
)

#: answers → the first token of each
FirstTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Prompt:
    """A question, which precedes the comment and `CUE`, and the first token of each answer."""

    question: str
    tokens: tuple[int, ...]  # in the order of the classes


def prompt(classes: Sequence[str], first_tokens: FirstTokens, checkpoint: str) -> Prompt:
    """The prompt that asks for one of k classes.

    Args:
        first_tokens: uses the model's tokenizer.
        checkpoint: as the user named it.

    Raises:
        CheckpointError: the tokenizer has too few distinct first tokens.
    """
    candidate = _by_names(classes, first_tokens)
    if candidate is None or len(set(candidate.tokens)) < len(classes):
        candidate = _by_letters(classes, first_tokens)
    if len(candidate.tokens) < len(classes):
        raise CheckpointError(
            f"{checkpoint} has first tokens for {len(candidate.tokens)} answers only, there are "
            f"{len(classes)} classes; use another checkpoint, or fewer classes (--positive-label "
            "CLASS compares one with the rest)"
        )
    return candidate


def _by_names(classes: Sequence[str], first_tokens: FirstTokens) -> Prompt | None:
    if not all(map(_PLAIN.fullmatch, classes)):
        return None
    if len(classes) == 2 and classes[0] == f"not {classes[1]}":
        question = f"Is this comment {classes[1]}? Answer True or False."
        return Prompt(_with_comment(question), tuple(first_tokens([" False", " True"])))
    question = f"Which of these is this comment: {', '.join(classes)}? Answer with one of them."
    return Prompt(_with_comment(question), tuple(first_tokens([f" {name}" for name in classes])))


def _by_letters(classes: Sequence[str], first_tokens: FirstTokens) -> Prompt:
    letter_of: dict[int, str] = {}
    for token, letter in zip(first_tokens([f" {a}" for a in _LETTERS]), _LETTERS, strict=True):
        letter_of.setdefault(token, letter)
    letters = list(letter_of.items())[: len(classes)]
    lines = [
        f"{letter}: {_one_line(name)}" for (_, letter), name in zip(letters, classes, strict=False)
    ]
    question = "\n".join(["Which of these is this comment? Answer with its letter.", *lines])
    return Prompt(_with_comment(question), tuple(token for token, _ in letters))


def _with_comment(question: str) -> str:
    return f"{question}\n\nComment:"


def _one_line(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"

"""What a language model is asked of a comment, and the answers between which it chooses.

    Is this comment toxic? Answer True or False.          of a class and the rest
    Which of these is this comment: ham, spam? …          of classes with plain names
    A: 1\\nB: 2\\n…                                         of any others, by letters

An answer is known by its first token, so those have to differ: where names begin alike, letters
stand for them. Letters whose tokens are alike too are passed over.
"""

import itertools
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worthit.datasets.errors import CheckpointError

CUE = "\nAnswer:"

# Names that make sense as an answer; numbers hardly do, and commas would part them.
_PLAIN = re.compile(r"(not )?[^\W\d_][\w &'/-]{0,29}")
_LONGEST = 60  # characters of a name that stand beside its letter
# A, B, …, a, b, …, AA, AB, …
_LETTERS = (
    *string.ascii_letters[26:],
    *string.ascii_letters[:26],
    *map("".join, itertools.product(string.ascii_uppercase, repeat=2)),
)

#: answers → the first token of each
FirstTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Prompt:
    """A question, which comes before the comment and `CUE`, and the first token of each answer."""

    question: str
    tokens: tuple[int, ...]  # in the order of the classes


def prompt(classes: Sequence[str], first_tokens: FirstTokens, checkpoint: str) -> Prompt:
    """How to ask which of k classes a comment is of.

    Args:
        first_tokens: by the tokenizer of the model that is asked.
        checkpoint: as the user named it.

    Raises:
        CheckpointError: its tokenizer does not tell that many answers apart.
    """
    found = _by_names(classes, first_tokens)
    if found is None or len(set(found.tokens)) < len(classes):
        found = _by_letters(classes, first_tokens)
    if len(found.tokens) < len(classes):
        raise CheckpointError(
            f"{checkpoint} has first tokens for {len(found.tokens)} answers only, there are "
            f"{len(classes)} classes; use another checkpoint, or make them fewer (--positive-label "
            "CLASS tells one from the rest)"
        )
    return found


def _by_names(classes: Sequence[str], first_tokens: FirstTokens) -> Prompt | None:
    if not all(map(_PLAIN.fullmatch, classes)):
        return None
    if len(classes) == 2 and classes[0] == f"not {classes[1]}":
        question = f"Is this comment {classes[1]}? Answer True or False."
        return Prompt(_asked(question), tuple(first_tokens([" False", " True"])))
    question = f"Which of these is this comment: {', '.join(classes)}? Answer with one of them."
    return Prompt(_asked(question), tuple(first_tokens([f" {name}" for name in classes])))


def _by_letters(classes: Sequence[str], first_tokens: FirstTokens) -> Prompt:
    letter_of: dict[int, str] = {}
    for token, letter in zip(first_tokens([f" {a}" for a in _LETTERS]), _LETTERS, strict=True):
        letter_of.setdefault(token, letter)
    chosen = list(letter_of.items())[: len(classes)]
    lines = [
        f"{letter}: {_short(name)}" for (_, letter), name in zip(chosen, classes, strict=False)
    ]
    question = "\n".join(["Which of these is this comment? Answer with its letter.", *lines])
    return Prompt(_asked(question), tuple(token for token, _ in chosen))


def _asked(question: str) -> str:
    return f"{question}\n\nComment:"


def _short(name: str) -> str:
    """In one line, which is all that a class may take."""
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

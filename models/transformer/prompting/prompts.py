"""The question that a language model gets with a comment, and the answers it chooses from.

    Is this comment toxic? Answer True or False.          for "not X" and "X"
    Which of these is this comment: ham, spam? …          for classes with plain names
    A: 1\\nB: 2\\n…                                         for any others, by letters
    Does "insult" describe the comment above? …           for each of several labels, after the comment

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
# A, B, …, a, b, …, AA, AB, …, aa, ab, …: about 700 have a token of their own in SmolLM2's tokenizer
_LETTERS = (
    *string.ascii_uppercase,
    *string.ascii_lowercase,
    *map("".join, itertools.product(string.ascii_uppercase, repeat=2)),
    *map("".join, itertools.product(string.ascii_lowercase, repeat=2)),
)

#: answers → the first token of each
FirstTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Prompt:
    """What a model reads before and after the comment, and the first token of each answer."""

    question: str
    tokens: tuple[int, ...]  # in the order of the classes
    cue: str = CUE
    special: bool = True  # False: the question has the tokenizer's special tokens already
    counts: tuple[int, ...] = ()  # tokens of each class, if several words stand for it


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
    if not are_plain(classes):
        return None
    if is_property(classes):
        question = ask_if(classes[1])
        return Prompt(_with_comment(question), tuple(first_tokens([" False", " True"])))
    question = ask_for_name(classes)
    return Prompt(_with_comment(question), tuple(first_tokens([f" {name}" for name in classes])))


def _by_letters(classes: Sequence[str], first_tokens: FirstTokens) -> Prompt:
    letters = distinct_letters(len(classes), first_tokens)
    question = ask_for_letter(classes, letters)
    return Prompt(_with_comment(question), tuple(first_tokens([f" {each}" for each in letters])))


def are_plain(classes: Sequence[str]) -> bool:
    """True if the names make sense as answers."""
    return all(map(_PLAIN.fullmatch, classes))


def is_property(classes: Sequence[str]) -> bool:
    """True if the classes are "not X" and "X"."""
    return len(classes) == 2 and classes[0] == f"not {classes[1]}"


def ask_if(name: str) -> str:
    return f"Is this comment {name}? Answer True or False."


def label_cues(labels: Sequence[str]) -> tuple[str, ...]:
    """A question about each of several labels, to follow the comment."""
    return tuple(f"\n\n{ask_about(label)}{CUE}" for label in labels)


def ask_about(label: str) -> str:
    return f'Does "{readable(label)}" describe the comment above? Answer True or False.'


def readable(label: str) -> str:
    """The name of a column as words: severe_toxic → severe toxic."""
    return _one_line(label.replace("_", " "))


def ask_for_name(classes: Sequence[str]) -> str:
    return f"Which of these is this comment: {', '.join(classes)}? Answer with one of them."


def ask_for_letter(classes: Sequence[str], letters: Sequence[str]) -> str:
    """Lists the classes that have a letter."""
    lines = [f"{letter}: {_one_line(name)}" for letter, name in zip(letters, classes, strict=False)]
    return "\n".join(["Which of these is this comment? Answer with its letter.", *lines])


def distinct_letters(count: int, first_tokens: FirstTokens, before: str = " ") -> tuple[str, ...]:
    """The first letters with a token of their own; fewer than `count` if the tokenizer has no more.

    Args:
        before: what precedes a letter in the prompt, a space or nothing.
    """
    tokens = first_tokens([f"{before}{letter}" for letter in _LETTERS])
    letter_of: dict[int, str] = {}
    for token, letter in zip(tokens, _LETTERS, strict=True):
        letter_of.setdefault(token, letter)
    return tuple(letter_of.values())[:count]


def _with_comment(question: str) -> str:
    return f"{question}\n\nComment:"


def _one_line(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"

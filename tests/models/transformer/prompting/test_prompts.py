"""The question and its answers depend on the classes and on the tokenizer."""

import pytest

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError
from worthit.models.transformer.prompting import prompts

THREE = ("rivers", "music", "insults")


def by_start(characters: int) -> prompts.FirstTokens:
    """A tokenizer whose first token is the first characters of a word."""
    known: dict[str, int] = {}
    return lambda answers: [known.setdefault(a.strip()[:characters], len(known)) for a in answers]


@pytest.mark.parametrize(
    ("classes", "question", "answers"),
    [
        (TOXIC, "Is this comment toxic? Answer True or False.", ("False", "True")),
        (("not spam", "spam"), "Is this comment spam? Answer True or False.", ("False", "True")),
        (
            ("ham", "spam"),
            "Which of these is this comment: ham, spam? Answer with one of them.",
            ("ham", "spam"),
        ),
        (
            THREE,
            "Which of these is this comment: rivers, music, insults? Answer with one of them.",
            THREE,
        ),
        (
            ("negative", "neutral", "neutral too"),  # the last two begin alike
            "Which of these is this comment? Answer with its letter.\n"
            "A: negative\nB: neutral\nC: neutral too",
            ("A", "B", "C"),
        ),
        (
            ("1", "2", "10"),
            "Which of these is this comment? Answer with its letter.\nA: 1\nB: 2\nC: 10",
            ("A", "B", "C"),
        ),
        (
            ("a,\n b", "x" * 99),
            f"Which of these is this comment? Answer with its letter.\nA: a, b\nB: {'x' * 59}…",
            ("A", "B"),
        ),
    ],
)
def test_the_question_depends_on_the_classes(
    classes: tuple[str, ...], question: str, answers: tuple[str, ...]
) -> None:
    first = by_start(7)
    found = prompts.prompt(classes, first, "tiny")
    assert found.question == f"{question}\n\nComment:"
    assert list(found.tokens) == first([f" {answer}" for answer in answers])


def test_letters_are_used_while_their_tokens_differ() -> None:
    many = [str(number) for number in range(64)]
    found = prompts.prompt(many, by_start(2), "tiny")
    assert len(set(found.tokens)) == 64
    for line in ("\nZ: 25\n", "\na: 26\n", "\nz: 51\n", "\nAA: 52\n", "\nAL: 63\n\nComment:"):
        assert line in found.question
    with pytest.raises(
        CheckpointError, match="tiny has first tokens for 52 answers only, there are 64"
    ):
        prompts.prompt(many, by_start(1), "tiny")
    uncased = prompts.prompt(
        many[:30], lambda answers: by_start(2)([a.lower() for a in answers]), ""
    )
    assert "\nZ: 25\nAA: 26\n" in uncased.question  # a is the same as A


def test_five_hundred_classes_have_an_answer_each() -> None:
    classes = tuple(f"intent_{number}" for number in range(500))
    found = prompts.prompt(classes, by_start(2), "tiny")
    assert len(set(found.tokens)) == 500
    assert "\nAA: intent_52\n" in found.question
    assert found.question.endswith(": intent_499\n\nComment:")

"""A small, fixed family of prompts for models that are not tuned."""

import re
from typing import Any

import pytest

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError, OptionError
from worthit.models.transformer.prompting import prompt_family, prompts

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</{{ m['role'] }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


class Tokenizer:
    """Its first token is the whole first word, including the space before it."""

    def __init__(self, template: str | None = TEMPLATE) -> None:
        self.chat_template = template
        self._known: dict[str, int] = {}

    def first_tokens(self, answers: Any) -> list[int]:
        words = [re.match(r" ?\S*", answer)[0] for answer in answers]  # type: ignore[index]
        return [self._known.setdefault(word, len(self._known)) for word in words]

    def apply_chat_template(self, messages: Any, **options: Any) -> str:
        import jinja2

        assert not options.pop("tokenize")
        text: str = jinja2.Template(self.chat_template or "").render(messages=messages, **options)
        return text

    def words(self, prompt: prompts.Prompt) -> list[str]:
        words = list(self._known)
        return [words[token] for token in prompt.tokens]


def family(classes: tuple[str, ...], tokenizer: Tokenizer) -> dict[str, prompts.Prompt]:
    found = prompt_family.family(classes, tokenizer.first_tokens, tokenizer, "tiny")
    return {name: each.prompt(tokenizer, tokenizer.first_tokens) for name, each in found.items()}


@pytest.mark.parametrize(
    "classes", [TOXIC, ("not spam", "spam"), ("ham", "spam"), ("1", "2", "10"), ("a b", "a c")]
)
def test_the_first_prompt_is_that_of_a_tuned_model(classes: tuple[str, ...]) -> None:
    tokenizer = Tokenizer()
    expected = prompts.prompt(classes, tokenizer.first_tokens, "tiny")
    assert next(iter(family(classes, tokenizer).values())) == expected


def test_a_statement_follows_the_comment() -> None:
    tokenizer = Tokenizer()
    found = family(TOXIC, tokenizer)["statement:polite/rude"]
    assert (found.question, found.cue) == ("Comment:", "\nThe comment above is")
    assert tokenizer.words(found) == [" polite", " rude"]


def test_several_words_stand_for_a_class() -> None:
    tokenizer = Tokenizer()
    found = family(("not spam", "spam"), tokenizer)["statement:all"]
    assert found.counts == (2, 1)
    assert tokenizer.words(found) == [" not", " fine", " spam"]


def test_only_toxic_comments_are_polite_or_rude() -> None:
    assert not [name for name in family(("not spam", "spam"), Tokenizer()) if "polite" in name]


def test_a_chat_has_the_comment_in_the_users_turn_and_the_answer_begins_the_models() -> None:
    tokenizer = Tokenizer()
    found = family(TOXIC, tokenizer)
    chat = found["chat:yes/no"]
    assert chat.question == "<user>Comment:"
    assert chat.cue == "\n\nIs the comment above toxic? Answer Yes or No.</user><assistant>"
    assert tokenizer.words(chat) == ["No", "Yes"]  # no space: a turn begins with it
    assert not chat.special  # the template has the tokenizer's special tokens
    statement = found["chat-statement:not/toxic"]
    assert statement.cue.endswith("toxic or not?</user><assistant>The comment above is")
    assert tokenizer.words(statement) == [" not", " toxic"]


def test_a_tokenizer_without_chat_template_has_no_chats() -> None:
    names = family(TOXIC, Tokenizer(None))
    assert names
    assert not [name for name in names if name.startswith("chat")]


def test_examples_precede_the_comment_in_the_same_form() -> None:
    tokenizer = Tokenizer()
    known = prompt_family.family(TOXIC, tokenizer.first_tokens, tokenizer, "tiny")
    examples = [("you idiot", 1), ("thanks", 0)]

    def question(name: str) -> str:
        return known[name].prompt(tokenizer, tokenizer.first_tokens, examples).question

    assert question("question-first:true/false") == (
        "Is this comment toxic? Answer True or False.\n\nComment: you idiot\nAnswer: True\n\n"
        "Comment: thanks\nAnswer: False\n\nComment:"
    )
    asked = "\n\nIs the comment above toxic? Answer Yes or No."
    assert question("chat:yes/no") == (
        f"<user>Comment: you idiot{asked}</user><assistant>Yes</assistant>"
        f"<user>Comment: thanks{asked}</user><assistant>No</assistant><user>Comment:"
    )


def test_names_with_the_same_first_word_are_told_apart_by_all_their_words() -> None:
    tokenizer = Tokenizer()
    found = family(("card_arrival", "card lost", "loan"), tokenizer)
    assert "question-first:names" in found  # "card_arrival" is one word
    topic = found["topic:words"]
    assert tokenizer.words(topic) == [" card", " arrival", " card", " lost", " loan"]
    assert topic.counts == (2, 2, 1)
    assert "question-first:names" not in family(("card a", "card b", "loan"), tokenizer)


def test_examples_show_a_whole_name_or_the_first_of_several_words() -> None:
    tokenizer = Tokenizer()

    def read(classes: tuple[str, ...], name: str) -> str:
        known = prompt_family.family(classes, tokenizer.first_tokens, tokenizer, "tiny")
        return known[name].prompt(tokenizer, tokenizer.first_tokens, [("where", 0)]).question

    assert read(("card_arrival", "loan"), "topic:words") == (
        "Comment: where\nThe comment above is about card arrival\n\nComment:"
    )
    assert " is not\n\n" in read(("not spam", "spam"), "statement:all")


def test_long_names_have_words_and_numbers_have_none() -> None:
    long = "why_was_my_card_payment_not_recognised_by_the_shop"
    assert "topic:words" in family((long, "loan"), Tokenizer())
    assert set(family(("1", "2", "10"), Tokenizer())) == {"question-first:letters", "chat:letters"}


def test_an_unknown_prompt_is_refused_with_the_known_ones() -> None:
    tokenizer = Tokenizer()
    known = prompt_family.family(("ham", "spam"), tokenizer.first_tokens, tokenizer, "tiny")
    with pytest.raises(
        OptionError, match=r"no prompt is called 'x' here; known: question-first:names"
    ):
        prompt_family.named(known, "x")


def test_a_tokenizer_with_too_few_first_tokens_is_refused() -> None:
    with pytest.raises(
        CheckpointError, match="tiny has too few first tokens for answers of 2 classes"
    ):
        prompt_family.family(("1", "2"), lambda answers: [0] * len(answers), Tokenizer(), "tiny")

"""The prompts that a model without tuning is asked with: a small, fixed family.

Without tuning the wording decides (Zhao et al. 2021, "Calibrate Before Use"), so a few wordings are
tried on validation comments (`prompt_choice`). They differ in three ways: the question precedes the
comment or follows it, the answer is a statement or a reply in the turns of a chat template, and
other words stand for the classes. Such words are the verbalisers of Schick & Schütze 2021,
"Exploiting Cloze Questions for Few-Shot Text Classification" (PET), who also write some per task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worthit.datasets.errors import CheckpointError, OptionError
from worthit.models.contract import TOXIC
from worthit.models.transformer import prompts
from worthit.models.transformer.prompts import CUE, FirstTokens, Prompt

#: a comment's text and the index of its class
Example = tuple[str, int]

_COMMENT = "Comment:"
_STATEMENT = "\nThe comment above is"
_TEXT = " <<the comment>>"  # where a chat template puts the text
# Words that stand for the classes of a task, "not X" first. Only words with the same meaning.
_WORDS = {TOXIC: (("polite", "rude"),)}
# Letters explain themselves only by a list, which would be read again with each comment.
_MOST_LISTED = 10


@dataclass(frozen=True)
class Template:
    """A way to ask.

    Args:
        name: as in the settings.
        question: before the comments; may be empty.
        ask: after each comment.
        answers: the words of the k classes, without a space.
        chat: each comment and its answer are turns of the tokenizer's chat template.
        start: of the model's turn, before the answer; without a chat, `ask` ends with it.
    """

    name: str
    question: str
    ask: str
    answers: tuple[str, ...]
    chat: bool = False
    start: str = ""

    def prompt(
        self, tokenizer: Any, first_tokens: FirstTokens, examples: Sequence[Example] = ()
    ) -> Prompt:
        """The prompt for one comment after examples with their answers.

        Args:
            tokenizer: of transformers, with a chat template if this is a chat.
            first_tokens: of the same tokenizer.
        """
        space = " " if self.start or not self.chat else ""
        tokens = tuple(first_tokens([f"{space}{answer}" for answer in self.answers]))
        if not self.chat:
            before = f"{self.question}\n\n" if self.question else ""
            shown = "".join(
                f"{_COMMENT} {text}{self.ask} {self.answers[label]}\n\n" for text, label in examples
            )
            return Prompt(f"{before}{shown}{_COMMENT}", tokens, self.ask)
        turns = [(f" {text}", self.answers[label]) for text, label in examples]
        messages = []
        for text, answer in [*turns, (_TEXT, "")]:
            asked = f"{self.question}\n\n" if self.question and not messages else ""
            content = f"{asked}{_COMMENT}{text}{self.ask}"
            reply = f"{self.start}{space}{answer}"
            messages += [
                {"role": "user", "content": content},
                {"role": "assistant", "content": reply},
            ]
        whole: str = tokenizer.apply_chat_template(
            messages[:-1], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        question, _, cue = f"{whole}{self.start}".rpartition(_TEXT)
        return Prompt(question, tokens, cue, special=False)


def family(
    classes: Sequence[str], first_tokens: FirstTokens, tokenizer: Any, checkpoint: str
) -> dict[str, Template]:
    """The templates whose answers begin with different tokens, by name; that of `prompts` first.

    Raises:
        CheckpointError: the tokenizer has too few distinct first tokens for any.
    """
    names, plain = tuple(classes), prompts.are_plain(classes)
    if plain and prompts.is_property(names):
        found = _of_a_property(names)
    else:
        found = [*(_of_names(names) if plain else []), *_of_letters(names, first_tokens)]
    known = {
        template.name: template
        for template in found
        if (not template.chat or tokenizer.chat_template)
        and len(set(template.prompt(tokenizer, first_tokens).tokens)) == len(names)
    }
    if not known:
        raise CheckpointError(
            f"{checkpoint} has too few first tokens for answers of {len(names)} classes; use another "
            "checkpoint, or fewer classes (--positive-label CLASS compares one with the rest)"
        )
    return known


def named(templates: dict[str, Template], name: str | None) -> Template:
    """The template of that name; of None, the one that a tuned model gets.

    Raises:
        OptionError: there is none of that name.
    """
    if name is None:
        return next(iter(templates.values()))
    if name not in templates:
        raise OptionError(f"no prompt is called {name!r} here; known: {', '.join(templates)}")
    return templates[name]


def _of_a_property(classes: tuple[str, ...]) -> list[Template]:
    """For "not X" and "X"."""
    (_, name), after = classes, "\n\nIs the comment above"
    words = (("not", name), ("fine", name), *_WORDS.get(classes, ()))
    no_yes, false_true = ("No", "Yes"), ("False", "True")
    return [
        Template("question-first:true/false", f"Is this comment {name}? Answer True or False.", CUE, false_true),
        Template("question-first:yes/no", f"Is this comment {name}? Answer Yes or No.", CUE, no_yes),
        *(Template(f"statement:{no}/{yes}", "", _STATEMENT, (no, yes)) for no, yes in words),
        Template(
            "question-last:yes/no", "", f"{after} {name}? Answer Yes or No.{CUE}", no_yes
        ),
        Template("chat:yes/no", "", f"{after} {name}? Answer Yes or No.", no_yes, chat=True),
        *(
            Template(
                f"chat-statement:{no}/{yes}", "", f"{after} {name} or not?", (no, yes),
                chat=True, start="The comment above is",
            )
            for no, yes in words
        ),
    ]  # fmt: skip


def _of_names(classes: tuple[str, ...]) -> list[Template]:
    question = prompts.ask_for_name(classes)
    found = [
        Template("question-first:names", question, CUE, classes),
        Template("statement:names", "", f"{_STATEMENT} about", classes),
        Template("chat:names", question, "", classes, chat=True),
    ]
    if len(classes) <= _MOST_LISTED:
        found.append(Template("question-last:names", "", f"\n\n{question}{CUE}", classes))
    return found


def _of_letters(classes: tuple[str, ...], first_tokens: FirstTokens) -> list[Template]:
    found = []
    for chat in (False, True):
        letters = prompts.distinct_letters(len(classes), first_tokens, "" if chat else " ")
        if len(letters) == len(classes):
            question = prompts.ask_for_letter(classes, letters)
            name = "chat:letters" if chat else "question-first:letters"
            found.append(Template(name, question, "" if chat else CUE, letters, chat))
    return found

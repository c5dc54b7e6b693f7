"""The prompts that a model without tuning is asked with: a small, fixed family.

Without tuning the wording decides (Zhao et al. 2021, "Calibrate Before Use"), so a few wordings are
tried on validation comments (`prompt_choice`). They differ in three ways: the question precedes the
comment or follows it, the answer is a reply or completes a statement, plain or in the turns of a
chat template, and other words stand for the classes.

Such words are the verbalisers of Schick & Schütze 2021, "Exploiting Cloze Questions for Few-Shot
Text Classification" (PET), who write some for each task. If several words stand for a class, its
logit is the mean of theirs (Hu et al. 2022, "Knowledgeable Prompt-tuning"). That costs nothing: one
pass gives the logits of all words, and one row, the mean of theirs, those of the class.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError, OptionError
from worthit.models.transformer.prompting import prompts
from worthit.models.transformer.prompting.prompts import CUE, FirstTokens, Prompt

#: a comment's text and the index of its class
Example = tuple[str, int]

_COMMENT = "Comment:"
_STATEMENT = "The comment above is"
_TEXT = " <<the comment>>"  # where a chat template puts the text
# Words for the classes of a task, "not X" first. Selected on training comments.
_WORDS: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {
    TOXIC: (
        ("polite", "rude"),
        ("acceptable", "offensive"),
        ("nice", "mean"),
        ("civil", "insulting"),
    )
}
_WORD = re.compile(r"[^\W\d_]+")
# A list of classes after the comment is read again with each comment.
_MOST_LISTED = 10


@dataclass(frozen=True)
class Template:
    """A way to ask.

    Args:
        name: as in the settings.
        question: before the comments; may be empty.
        ask: after each comment.
        answers: the words of each of the k classes, without a space.
        chat: each comment and its answer are turns of the tokenizer's chat template.
        start: of the model's turn, before the answer.
        whole: examples show all words of an answer, which are a name; else the first.
    """

    name: str
    question: str
    ask: str
    answers: tuple[tuple[str, ...], ...]
    chat: bool = False
    start: str = ""
    whole: bool = False

    def prompt(
        self, tokenizer: Any, first_tokens: FirstTokens, examples: Sequence[Example] = ()
    ) -> Prompt:
        """The prompt for one comment after examples with their answers.

        Args:
            tokenizer: of transformers, with a chat template if this is a chat.
            first_tokens: of the same tokenizer.
        """
        space = " " if self.start or not self.chat else ""
        words = [f"{space}{word}" for answer in self.answers for word in answer]
        counts = tuple(map(len, self.answers))
        shown = [" ".join(words if self.whole else words[:1]) for words in self.answers]
        turns = [(f" {text}", space + shown[label]) for text, label in examples]
        before = f"{self.question}\n\n" if self.question else ""
        if self.chat:
            question, cue = self._turns(tokenizer, before, turns)
        else:
            cue = f"{self.ask}{self.start}"
            read = "".join(f"{_COMMENT}{text}{cue}{answer}\n\n" for text, answer in turns)
            question = f"{before}{read}{_COMMENT}"
        tokens = tuple(first_tokens(words))
        return Prompt(question, tokens, cue, not self.chat, () if max(counts) == 1 else counts)

    def _turns(
        self, tokenizer: Any, before: str, turns: Sequence[tuple[str, str]]
    ) -> tuple[str, str]:
        """What precedes the comment and what follows it, in the tokenizer's chat template."""
        messages: list[dict[str, str]] = []
        for text, answer in [*turns, (_TEXT, "")]:
            content = f"{'' if messages else before}{_COMMENT}{text}{self.ask}"
            messages += [
                {"role": "user", "content": content},
                {"role": "assistant", "content": f"{self.start}{answer}"},
            ]
        whole: str = tokenizer.apply_chat_template(
            messages[:-1], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        question, _, cue = f"{whole}{self.start}".rpartition(_TEXT)
        return question, cue


def family(
    classes: Sequence[str], first_tokens: FirstTokens, tokenizer: Any, checkpoint: str
) -> dict[str, Template]:
    """The templates that tell the classes apart, by name; the first asks what tuned models are asked.

    Raises:
        CheckpointError: the tokenizer has too few distinct first tokens for any.
    """
    names, plain = tuple(classes), prompts.are_plain(classes)
    if plain and prompts.is_property(names):
        found = _of_a_property(names)
    else:
        found = [*_of_letters(names, first_tokens), *_of_words(names)]
        if plain:
            found = _of_names(names) + found
        found.sort(key=lambda template: not template.name.startswith("question-first"))
    known = _usable(found, first_tokens, tokenizer, len(names))
    if not known:
        raise CheckpointError(
            f"{checkpoint} has too few first tokens for answers of {len(names)} classes; use another "
            "checkpoint, or fewer classes (--positive-label CLASS compares one with the rest)"
        )
    return known


def of_label(label: str, first_tokens: FirstTokens, tokenizer: Any) -> dict[str, Template]:
    """The templates that ask about one of several labels, as `family`."""
    name = prompts.readable(label)
    asked = f"\n\n{prompts.ask_about(label)}{CUE}"
    found = [
        Template("question-last:true/false", "", asked, _single(("False", "True"))),
        *_of_a_property((f"not {name}", name)),
    ]
    return _usable(found, first_tokens, tokenizer, 2)


def _usable(
    templates: Sequence[Template], first_tokens: FirstTokens, tokenizer: Any, classes: int
) -> dict[str, Template]:
    return {
        template.name: template
        for template in templates
        if (not template.chat or tokenizer.chat_template)
        and _are_distinct(template.prompt(tokenizer, first_tokens), classes)
    }


def named(templates: dict[str, Template], name: str | None) -> Template:
    """The template of that name; of None, the one that asks what tuned models are asked.

    Raises:
        OptionError: there is none of that name.
    """
    if name is None:
        return next(iter(templates.values()))
    if name not in templates:
        raise OptionError(f"no prompt is called {name!r} here; known: {', '.join(templates)}")
    return templates[name]


def wordings(templates: dict[str, Template]) -> list[Template]:
    """Of templates that differ in their answers only, the last, which has all words."""
    of = {(each.question, each.ask, each.start, each.chat): each for each in templates.values()}
    return list(of.values())


def _are_distinct(prompt: Prompt, classes: int) -> bool:
    """True if no two classes have the same tokens."""
    tokens = iter(prompt.tokens)
    counts = prompt.counts or (1,) * classes
    return len({frozenset(next(tokens) for _ in range(count)) for count in counts}) == classes


def _single(words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((word,) for word in words)


def _of_a_property(classes: tuple[str, ...]) -> list[Template]:
    """For "not X" and "X"."""
    name = classes[1]
    false_true, no_yes = _single(("False", "True")), _single(("No", "Yes"))
    after = f"\n\nIs the comment above {name}"
    pairs = (("not", name), ("fine", name), *_WORDS.get(classes, ()))
    words = {"/".join(pair): _single(pair) for pair in pairs} | {
        "all": tuple(tuple(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    }
    found = [
        Template("question-first:true/false", prompts.ask_if(name), CUE, false_true),
        Template(
            "question-first:yes/no", f"Is this comment {name}? Answer Yes or No.", CUE, no_yes
        ),
        Template("question-last:yes/no", "", f"{after}? Answer Yes or No.{CUE}", no_yes),
        Template("chat:yes/no", "", f"{after}? Answer Yes or No.", no_yes, chat=True),
    ]
    for which, answers in words.items():
        found += [
            Template(f"statement:{which}", "", "\n", answers, start=_STATEMENT),
            Template(f"chat-statement:{which}", "", f"{after} or not?", answers, True, _STATEMENT),
        ]
    return found


def _of_names(classes: tuple[str, ...]) -> list[Template]:
    question, names = prompts.ask_for_name(classes), _single(classes)
    found = [
        Template("question-first:names", question, CUE, names),
        Template("chat:names", question, "", names, chat=True),
    ]
    if len(classes) <= _MOST_LISTED:
        found.append(Template("question-last:names", "", f"\n\n{question}{CUE}", names))
    return found


def _of_words(classes: tuple[str, ...]) -> list[Template]:
    """All words of a name stand for it, so names that begin alike, or are long, are told apart."""
    words = tuple(tuple(_WORD.findall(name)) for name in classes)
    if not all(words):
        return []
    topic, ask = f"{_STATEMENT} about", "\n\nWhat is the comment above about?"
    return [
        Template("statement:words", "", "\n", words, start=_STATEMENT, whole=True),
        Template("topic:words", "", "\n", words, start=topic, whole=True),
        Template("chat-topic:words", "", ask, words, True, topic, whole=True),
    ]


def _of_letters(classes: tuple[str, ...], first_tokens: FirstTokens) -> list[Template]:
    found = []
    for chat in (False, True):
        letters = prompts.distinct_letters(len(classes), first_tokens, "" if chat else " ")
        if len(letters) == len(classes):
            question, answers = prompts.ask_for_letter(classes, letters), _single(letters)
            name = "chat:letters" if chat else "question-first:letters"
            found.append(Template(name, question, "" if chat else CUE, answers, chat))
    return found

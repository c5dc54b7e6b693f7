"""The `llama` model without training that reads a few training comments with their classes first.

Brown et al. 2020, "Language Models are Few-Shot Learners". All comments share the examples, so their
keys and values are computed once. Examples that resemble each comment (nearest by embedding) could
not be shared, and each comment would cost as much as all its examples. The examples are a few of each
class, drawn by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from worthit.datasets.errors import OptionError, RunError
from worthit.models.contract import Labels, Progress, silent
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings, has_two
from worthit.models.transformer.prompting import examples, prompt_choice, prompt_family
from worthit.models.transformer.prompting.prompts import Prompt

_EXAMPLES = "examples.json"
_SHOTS = (4, 8, 16)
_MEDIUM = 8


@dataclass(frozen=True)
class FewShotSettings(ZeroShotSettings):
    shots: int | None = None  # examples in total; None: 4, 8 or 16, the best on validation comments
    example_length: int = 64  # tokens of an example


class LlamaFewShot(LlamaZeroShot):
    name = "llama-few-shot"
    Settings = FewShotSettings
    #: of the one question, or of each of several labels
    _examples: Sequence[Sequence[prompt_family.Example]] = ()
    #: what `choose` was given: it has no training comments to draw examples from
    _validation: tuple[Sequence[str], Labels] | None = None

    def choose(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> int:
        """Keep the comments: `fit`, which has training comments as examples, chooses on them.

        Returns:
            The number of prompts: only `fit` knows how many examples fit, and so may be tried.
        """
        settings, answers = self.settings, self._by_question(labels)
        if not any(map(has_two, answers)) or None not in (settings.prompt, settings.shots):
            return 0
        self._get_ready()
        self._validation = texts, labels
        if settings.prompt is not None:
            return 1
        return sum(len(self._wordings(question)) for question in range(len(answers)))

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._get_ready()
        shown, names = list[list[prompt_family.Example]](), list[str]()
        for question, answers in enumerate(self._by_question(labels)):
            drawn = self._draw(texts, answers, self.settings.shots or max(_SHOTS))
            name, shots = self._choose(question, drawn, progress)
            template = prompt_family.named(self._templates(question), name)
            wanted = [shots] if shots else range(min(_MEDIUM, len(drawn)), 0, -1)
            fitting = next((each for each in wanted if self._fits(template, drawn[:each])), None)
            if fitting is None:
                raise OptionError(
                    f"{self.name}: {min(wanted)} examples fill more than half of the tokens that "
                    f"{self.settings.checkpoint} can read; use fewer shots or a shorter example_length"
                )
            shown.append(drawn[:fitting])
            names.append(template.name)
        self._examples = shown
        self._set_prompts(names)
        self.settings = replace(self.settings, shots=max(map(len, shown)))
        self._ask_chosen()

    def _choose(
        self, question: int, drawn: Sequence[prompt_family.Example], progress: Progress
    ) -> tuple[str | None, int | None]:
        """A prompt, with 8 examples on some validation comments, then how many examples, on all.

        Of several labels, each has a prompt, and all have 8 examples. None is not chosen.
        """
        prompt, shots = self._given_prompt(question), self.settings.shots
        if self._validation is None:
            return prompt, shots
        texts, labels = self._validation[0], self._by_question(self._validation[1])[question]
        if not has_two(labels):
            return prompt, shots
        if prompt is None:
            shown = drawn[: shots or _MEDIUM]
            asked = {each.name: self._after(each, shown) for each in self._wordings(question)}
            rows = prompt_choice.balanced(labels)
            some = [texts[row] for row in rows]
            prompt = prompt_choice.choose(asked, self._answers, some, labels[rows], progress)
        template = prompt_family.named(self._templates(question), prompt)
        fitting = [
            each for each in _SHOTS if each <= len(drawn) and self._fits(template, drawn[:each])
        ]
        if shots is None and fitting and not self.multilabel:
            asked = {str(each): self._after(template, drawn[:each]) for each in fitting}
            shots = int(prompt_choice.choose(asked, self._answers, texts, labels, progress))
        return prompt, shots

    def _wordings(self, question: int) -> list[prompt_family.Template]:
        """One template of each wording, with all its words: examples show one of them anyway."""
        return prompt_family.wordings(self._templates(question))

    def _draw(
        self, texts: Sequence[str], labels: Labels, count: int
    ) -> list[prompt_family.Example]:
        rows = examples.draw(labels, count, self.seed)
        return [(self._cut(texts[row]), int(labels[row])) for row in rows]

    def _cut(self, text: str) -> str:
        (tokens,) = self._comment_tokens([text])
        cut: str = self._tokenizer.decode(tokens[: self.settings.example_length])
        for special in self._tokenizer.all_special_tokens:  # one would end a turn of a chat
            cut = cut.replace(special, " ")
        return cut.strip()

    def _fits(
        self, template: prompt_family.Template, shown: Sequence[prompt_family.Example]
    ) -> bool:
        """True if examples leave half of the model's positions for the comment."""
        self._ask(self._after(template, shown))
        return len(self._question_tokens()) <= self._longest_text() // 2

    def _after(
        self, template: prompt_family.Template, shown: Sequence[prompt_family.Example]
    ) -> Prompt:
        return template.prompt(self._tokenizer, self._first_tokens, shown)

    def _prompt_of(self, template: prompt_family.Template, question: int) -> Prompt:
        return self._after(template, self._examples[question])

    def _save(self, folder: Path) -> None:
        (folder / _EXAMPLES).write_bytes(msgspec.json.encode(self._examples))

    def _load(self, folder: Path) -> None:
        try:
            encoded = (folder / _EXAMPLES).read_bytes()
            self._examples = msgspec.json.decode(encoded, type=list[list[prompt_family.Example]])
        except (OSError, msgspec.DecodeError) as error:
            raise RunError(f"{folder} holds no {_EXAMPLES}; copy the whole folder again") from error
        super()._load(folder)

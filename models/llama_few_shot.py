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
import numpy as np

from worthit.datasets.errors import OptionError, RunError
from worthit.models.contract import Labels, Progress, silent
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings
from worthit.models.transformer import prompt_choice, prompt_family
from worthit.models.transformer.prompts import Prompt

_EXAMPLES = "examples.json"
_SHOTS = (4, 8, 16)
_DEFAULT_SHOTS = 8


@dataclass(frozen=True)
class FewShotSettings(ZeroShotSettings):
    shots: int | None = None  # examples in total; None: 4, 8 or 16, the best on validation comments
    example_length: int = 64  # tokens of an example


class LlamaFewShot(LlamaZeroShot):
    name = "llama-few-shot"
    Settings = FewShotSettings
    _examples: Sequence[prompt_family.Example] = ()
    #: what `choose` was given: it has no training comments to draw examples from
    _validation: tuple[Sequence[str], Labels] | None = None

    def choose(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> int:
        """Choose the prompt without examples; `fit` then chooses how many, on the same comments."""
        prompts = super().choose(texts, labels, progress)
        if self.settings.shots is not None or len(np.unique(labels)) < 2:
            return prompts
        self._validation = texts, labels
        return prompts + len(_SHOTS)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._get_ready()
        shots = self.settings.shots
        drawn = self._draw(texts, labels, max(_SHOTS) if shots is None else shots)
        if shots is None:
            self.settings = replace(self.settings, shots=self._choose_shots(drawn, progress))
        self._examples = drawn[: self.settings.shots]
        if not self._fits(self._examples):
            raise OptionError(
                f"{self.name}: {self.settings.shots} examples fill more than half of the tokens that "
                f"{self.settings.checkpoint} can read; use fewer shots or a shorter example_length"
            )
        self._ask_chosen()

    def _draw(
        self, texts: Sequence[str], labels: Labels, count: int
    ) -> list[prompt_family.Example]:
        """Examples of all classes in turn, so that the first ones are balanced, too."""
        rng = np.random.default_rng(self.seed)
        rows = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
        drawn: list[prompt_family.Example] = []
        for turn in range(count):
            for place in rng.permutation(len(rows)):
                if turn < len(rows[place]) and len(drawn) < count:
                    row = rows[place][turn]
                    drawn.append((self._cut(texts[row]), int(labels[row])))
        return drawn

    def _cut(self, text: str) -> str:
        (tokens,) = self._comment_tokens([text])
        cut: str = self._tokenizer.decode(tokens[: self.settings.example_length])
        return cut.strip()

    def _choose_shots(self, drawn: list[prompt_family.Example], progress: Progress) -> int:
        """The best number of examples on the comments that `choose` was given."""
        fitting = [shots for shots in _SHOTS if self._fits(drawn[:shots])] or [min(_SHOTS)]
        if self._validation is None or len(fitting) == 1:
            return min(_DEFAULT_SHOTS, fitting[-1])
        asked = {str(shots): self._prompt_after(drawn[:shots]) for shots in fitting}
        texts, labels = self._validation
        return int(prompt_choice.choose(asked, self._answers, texts, labels, progress))

    def _fits(self, examples: Sequence[prompt_family.Example]) -> bool:
        """True if half of the positions are left for the comment."""
        self._ask(self._prompt_after(examples))
        positions = int(self._decoder().config.max_position_embeddings)
        return len(self._question_tokens()) <= positions // 2

    def _prompt_after(self, examples: Sequence[prompt_family.Example]) -> Prompt:
        template = prompt_family.named(self._templates(), self.settings.prompt)
        return template.prompt(self._tokenizer, self._first_tokens, examples)

    def _prompt_of(self, template: prompt_family.Template) -> Prompt:
        return template.prompt(self._tokenizer, self._first_tokens, self._examples)

    def _save(self, folder: Path) -> None:
        (folder / _EXAMPLES).write_bytes(msgspec.json.encode(self._examples))

    def _load(self, folder: Path) -> None:
        try:
            encoded = (folder / _EXAMPLES).read_bytes()
            self._examples = msgspec.json.decode(encoded, type=list[prompt_family.Example])
        except (OSError, msgspec.DecodeError) as error:
            raise RunError(f"{folder} holds no {_EXAMPLES}; copy the whole folder again") from error
        super()._load(folder)

"""The `llama` model without training: what the pretrained weights already know.

How well they answer depends on how they are asked, so the best of a few prompts is chosen on
validation comments (`prompt_family`, `prompt_choice`). Contextual calibration (Zhao et al. 2021,
"Calibrate Before Use") divides out what the prompt alone makes probable. Each of several labels has a
prompt of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from worthit.models.contract import Labels, Probabilities, Progress, Size, silent
from worthit.models.llama import Llama
from worthit.models.transformer.prompting import prompt_choice, prompt_family
from worthit.models.transformer.prompting.prompts import Prompt


@dataclass(frozen=True)
class ZeroShotSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"
    max_length: int | None = 128
    precision: str = "auto"
    scoring_batch_size: int = 128
    #: name in `prompt_family`, or one for each of several labels; None: the best on validation comments
    prompt: str | tuple[str, ...] | None = None


#: attributes that a question decides
_ASKED = ("_prompt", "_cue", "_head", "_room", "_question", "_content_free")


class LlamaZeroShot(Llama):
    name = "llama-zero-shot"
    Settings: ClassVar[type[Any]] = ZeroShotSettings
    trains = False
    takes_weights = False
    #: log-probabilities of the answers without a comment, shape (k,); None: not divided out
    _content_free: torch.Tensor | None = None
    _is_ready = False  # opened, and its logits are known

    #: what is asked about each of several labels, by the names in `_ASKED`
    _asked: Sequence[dict[str, Any]] = ()

    def choose(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> int:
        answers = self._by_question(labels)
        if self.settings.prompt is not None or not any(map(has_two, answers)):
            return 0
        self._get_ready()
        chosen, tried = list[str](), 0
        for question, labels_of in enumerate(answers):
            found = self._templates(question)
            best = next(iter(found))
            if len(found) > 1 and has_two(labels_of):
                asked = {name: self._prompt_of(each, question) for name, each in found.items()}
                best = prompt_choice.choose(asked, self._answers, texts, labels_of, progress)
                tried += len(found)
            chosen.append(best)
        if tried:
            self._set_prompts(chosen)
        return tried

    def _by_question(self, labels: Labels) -> list[Labels]:
        """The right answers to the one question, or to that about each of several labels."""
        return [*labels.T] if self.multilabel else [labels]

    def _set_prompts(self, names: Sequence[str]) -> None:
        self.settings = replace(self.settings, prompt=tuple(names) if self.multilabel else names[0])

    def _given_prompt(self, question: int) -> str | None:
        given: str | tuple[str, ...] | None = self.settings.prompt
        return given[question] if isinstance(given, tuple) else given

    @property
    def _cues(self) -> tuple[str, ...]:
        return (self._cue,)

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._get_ready()
        self._ask_chosen()

    def _get_ready(self) -> None:
        if not self._is_ready:
            self._open_checkpoint()
            self._require_known_logits()
            self._is_ready = True

    def _templates(self, question: int = 0) -> dict[str, prompt_family.Template]:
        if self.multilabel:
            label = self.classes[question]
            return prompt_family.of_label(label, self._first_tokens, self._tokenizer)
        return prompt_family.family(
            self.classes, self._first_tokens, self._tokenizer, self.settings.checkpoint
        )

    def _prompt_of(self, template: prompt_family.Template, question: int) -> Prompt:
        return template.prompt(self._tokenizer, self._first_tokens)

    def _ask_chosen(self) -> None:
        """Ask the prompts of the settings, calibrated."""
        self._asked, asked, names = (), list[dict[str, Any]](), list[str]()
        for question in range(len(self.classes) if self.multilabel else 1):
            given = self._given_prompt(question)
            template = prompt_family.named(self._templates(question), given)
            names.append(template.name)
            prompt = self._prompt_of(template, question)
            shares = prompt_choice.content_free(self._answers(prompt, prompt_choice.CONTENT_FREE))
            self._content_free = torch.tensor(shares, dtype=torch.float32, device=self.device)
            self._forget_programs()
            asked.append({name: getattr(self, name) for name in _ASKED})
        self._set_prompts(names)
        if self.multilabel:
            self._asked = asked

    def _each_label(self) -> Iterator[None]:
        """Ask about each label in turn."""
        for asked in self._asked:
            self._forget_programs()
            self.__dict__.update(asked)
            yield
            if (scorer := self.__dict__.get("_scorer")) is not None:  # made by the first comments
                asked["_scorer"] = scorer

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        if not self._asked:
            return super()._score_batches(texts, batch_size)
        columns = [
            super(LlamaZeroShot, self)._score_batches(texts, batch_size)[:, 1]
            for _ in self._each_label()
        ]
        return np.column_stack(columns)

    def _prepare_single(self) -> None:
        if not self._asked:
            super()._prepare_single()
        for _ in self._each_label():
            super()._prepare_single()

    def _answers(self, prompt: Prompt, texts: Sequence[str]) -> Probabilities:
        """The logits of a prompt's answers but for a constant per comment, shape (n, answers)."""
        self._ask(prompt)
        self._content_free = None
        self._forget_programs()
        self._read_question()
        logits: Probabilities = np.log(self._score_batches(texts, None))
        return logits

    def _comment_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:  # written in Python
            return super()._comment_tokens(texts)
        # As plain text, or a comment could end its turn of a chat and answer for itself.
        backend.encode_special_tokens = True
        try:
            return super()._comment_tokens(texts)
        finally:
            backend.encode_special_tokens = False

    def _answer_rows(self, head: Any) -> torch.Tensor:
        rows, counts = super()._answer_rows(head), self._prompt.counts
        if not counts:
            return rows
        parts = rows.split(list(counts))  # type: ignore[no-untyped-call]
        return torch.stack([part.mean(0) for part in parts])

    def _forget_programs(self) -> None:
        """Of a padded model: they have the answers and the calibration of when they were recorded."""
        self.__dict__.pop("_scorer", None)

    def _answer_logits(self, hidden: torch.Tensor, config: Any) -> torch.Tensor:
        logits = super()._answer_logits(hidden, config)
        return logits if self._content_free is None else logits - self._content_free

    def _save(self, folder: Path) -> None:
        """The card holds the settings, and there is nothing else to save."""

    def _load(self, folder: Path) -> None:
        self._open_checkpoint()
        self._ask_chosen()
        self._prepare_single()

    def size(self) -> Size:
        return Size(self._parameters, 0)


def has_two(labels: Labels) -> bool:
    """True if comments have different answers to choose a prompt by."""
    return len(np.unique(labels)) > 1

"""The `llama` model without training: what the pretrained weights already know.

How well they answer depends on how they are asked, so the best of a few prompts is chosen on
validation comments (`prompt_family`, `prompt_choice`). Contextual calibration (Zhao et al. 2021,
"Calibrate Before Use") divides out what the prompt alone makes probable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from worthit.models.contract import Labels, Probabilities, Progress, Size, silent
from worthit.models.llama import Llama
from worthit.models.transformer import prompt_choice, prompt_family
from worthit.models.transformer.prompts import Prompt


@dataclass(frozen=True)
class ZeroShotSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"
    max_length: int | None = 128
    precision: str = "auto"
    scoring_batch_size: int = 128
    prompt: str | None = None  # name in `prompt_family`; None: the best on validation comments


class LlamaZeroShot(Llama):
    name = "llama-zero-shot"
    Settings: ClassVar[type[Any]] = ZeroShotSettings
    trains = False
    takes_weights = False
    #: log-probabilities of the answers without a comment, shape (k,); None: not divided out
    _content_free: torch.Tensor | None = None
    _is_ready = False  # opened, and its logits are known

    def choose(self, texts: Sequence[str], labels: Labels, progress: Progress = silent) -> int:
        if self.settings.prompt is not None or len(np.unique(labels)) < 2:
            return 0
        self._get_ready()
        found = self._templates()
        if len(found) == 1:
            return 0
        asked = {name: self._prompt_of(template) for name, template in found.items()}
        best = prompt_choice.choose(asked, self._answers, texts, labels, progress)
        self.settings = replace(self.settings, prompt=best)
        return len(found)

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

    def _templates(self) -> dict[str, prompt_family.Template]:
        return prompt_family.family(
            self.classes, self._first_tokens, self._tokenizer, self.settings.checkpoint
        )

    def _prompt_of(self, template: prompt_family.Template) -> Prompt:
        return template.prompt(self._tokenizer, self._first_tokens)

    def _ask_chosen(self) -> None:
        """Ask the prompt of the settings, calibrated."""
        template = prompt_family.named(self._templates(), self.settings.prompt)
        self.settings = replace(self.settings, prompt=template.name)
        prompt = self._prompt_of(template)
        shares = prompt_choice.content_free(self._answers(prompt, prompt_choice.CONTENT_FREE))
        self._content_free = torch.tensor(shares, dtype=torch.float32, device=self.device)
        self._forget_programs()

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

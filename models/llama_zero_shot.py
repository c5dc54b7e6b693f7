"""The `llama` model without training: what the pretrained weights already know."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.models.contract import Labels, Progress, Size
from worthit.models.llama import Llama


@dataclass(frozen=True)
class ZeroShotSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"
    max_length: int | None = 128
    precision: str = "auto"
    scoring_batch_size: int = 128


class LlamaZeroShot(Llama):
    name = "llama-zero-shot"
    Settings = ZeroShotSettings
    trains = False

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._open_checkpoint()
        self._require_known_logits()
        self._read_question()

    def _save(self, folder: Path) -> None:
        """The card holds the settings, and there is nothing else to save."""

    def _load(self, folder: Path) -> None:
        self._open_checkpoint()
        self._read_question()
        self._prepare_single()

    def size(self) -> Size:
        return Size(self._parameters, 0)

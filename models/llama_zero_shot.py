"""The `llama` model without any tuning: what the pretrained weights know by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._model = self._open().eval()
        self._require_own_logits()
        self._read_question()

    def _save(self, folder: Path) -> None:
        """There is nothing to keep but the settings, which the card holds."""

    def _load(self, folder: Path) -> None:
        self._model = self._open().eval()
        self._read_question()

    def size(self) -> Size:
        return Size(self._parameters, 0)

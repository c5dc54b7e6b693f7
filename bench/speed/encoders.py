"""Shared code of the runtimes that serve our encoder on a CPU, without torch or transformers."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers

from worthit.bench.speed.implementations import Task, require, score_by_length
from worthit.datasets.errors import DeviceError
from worthit.models.contract import Probabilities
from worthit.models.transformer import batches


class ServedEncoder(ABC):
    """Tokenizes, sorts by length and pads each batch to its longest comment. It only scores.

    A runtime is a subclass with `_open` and `_logits`.
    """

    #: packages that convert the weights; scoring does not import them
    converters: tuple[str, ...] = ("onnx",)

    def __init__(self, task: Task) -> None:
        if task.device != "cpu":
            raise DeviceError("compared on CPUs only")
        require(*self.converters)
        self._task = task

    def load(self) -> None:
        weights = Path(self._task.weights_folder)
        encoder = weights / "ours"
        self._tokenizer = tokenizers.Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._limit(encoder))
        self._pad = (
            json.loads((encoder / "config.json").read_text("utf-8")).get("pad_token_id") or 0
        )
        self._open(weights)

    @abstractmethod
    def _open(self, weights: Path) -> None:
        """Load the converted weights below the weights folder."""

    @abstractmethod
    def _logits(self, inputs: dict[str, Any]) -> npt.NDArray[Any]:
        """Logits of shape (batch, 2) for `input_ids` and `attention_mask`, (batch, length)."""

    def score(self, texts: Sequence[str]) -> Probabilities:
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        return score_by_length(tokens, self._score_batch)

    def _score_batch(self, tokens: Sequence[Sequence[int]]) -> Probabilities:
        logits = self._logits(batches.padded(tokens, self._pad)).astype(np.float64)
        return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))

    def _limit(self, encoder: Path) -> int:
        """As `implementations.encoder_limit`, without transformers."""
        config, card = (
            json.loads((encoder / name).read_text("utf-8"))
            for name in ("config.json", "tokenizer_config.json")
        )
        longest = min(config["max_position_embeddings"], card.get("model_max_length", math.inf))
        max_length = self._task.settings["max_length"]
        if max_length is None:
            return int(longest)
        return int(min(max_length + self._tokenizer.num_special_tokens_to_add(False), longest))

"""Our encoder in ONNX Runtime on a CPU, in fp32 and with dynamic quantisation.

See https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html. The process that
scores imports neither torch nor transformers, as a process that serves a model would.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

from worthit.bench.speed.implementations import SCORING_BATCH, Task
from worthit.datasets.errors import DeviceError
from worthit.models.contract import Probabilities
from worthit.models.hardware import processor

_MODEL, _QUANTIZED = "model.onnx", "int8.onnx"


class Onnx:
    """fp32, in batches of 32 in the given order, padded to the longest comment. It only scores."""

    file = _MODEL

    def __init__(self, task: Task) -> None:
        if task.device != "cpu":
            raise DeviceError("compared on CPUs only")
        self._task = task

    def load(self) -> None:
        folder = Path(self._task.weights_folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = processor.allowed_cores()
        self._session = onnxruntime.InferenceSession(
            folder / "onnx" / self.file, options, providers=["CPUExecutionProvider"]
        )
        encoder = folder / "ours"
        self._tokenizer = tokenizers.Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self._tokenizer.enable_truncation(self._limit(encoder))
        pad = json.loads((encoder / "config.json").read_text("utf-8")).get("pad_token_id") or 0
        self._tokenizer.enable_padding(pad_id=pad)  # to the longest comment of a batch

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

    def score(self, texts: Sequence[str]) -> Probabilities:
        size = SCORING_BATCH
        scores = []
        for start in range(0, len(texts), size):
            encoded = self._tokenizer.encode_batch(list(texts[start : start + size]))
            inputs = {
                "input_ids": np.array([each.ids for each in encoded]),
                "attention_mask": np.array([each.attention_mask for each in encoded]),
            }
            logits = np.asarray(self._session.run(["logits"], inputs)[0], dtype=np.float64)
            scores.append(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))
        return np.concatenate(scores)


class OnnxInt8(Onnx):
    """Weights in 8 bits, and activations rounded to 8 bits at run time."""

    file = _QUANTIZED


def export(encoder: Path, target: Path) -> None:
    """Save an encoder as two ONNX models, one in fp32 and one with dynamic quantisation.

    Raises:
        ModuleNotFoundError: onnx is not installed.
    """
    import torch
    import transformers
    from onnxruntime.quantization import quantize_dynamic

    from worthit.models.transformer import onnx_export
    from worthit.models.weights import checkpoints

    model = checkpoints.network(
        transformers.AutoModelForSequenceClassification, encoder, dtype=torch.float32
    )
    onnx_export.export(model, target / _MODEL)
    quantize_dynamic(target / _MODEL, target / _QUANTIZED)

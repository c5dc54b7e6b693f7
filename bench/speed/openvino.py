"""Our encoder in OpenVINO on a CPU, in the comparison's dtype and with int8 layers.

See https://docs.openvino.ai/2026/openvino-workflow/model-optimization.html. The int8 layers round
activations with ranges from 300 training comments (NNCF's quantisation after training).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from worthit.bench.speed.encoders import ServedEncoder, padded
from worthit.models.hardware import processor

_MODEL, _QUANTIZED = "model.xml", "int8.xml"
_CALIBRATION_COMMENTS = 300  # NNCF's default


class OpenVino(ServedEncoder):
    """In the comparison's dtype."""

    file = _MODEL

    def _open(self, weights: Path) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._task.precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",  # all cores work on one batch
            "INFERENCE_NUM_THREADS": processor.allowed_cores(),
        }
        model = openvino.Core().read_model(weights / "openvino" / self.file)
        self._compiled = openvino.compile_model(model, "CPU", settings)

    def _logits(self, inputs: dict[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(self._compiled(inputs)["logits"])


class OpenVinoInt8(OpenVino):
    """Linear layers with 8-bit weights and activations, everything else in the comparison's dtype."""

    file = _QUANTIZED
    converters = (*OpenVino.converters, "nncf")


def export(encoder: Path, target: Path) -> None:
    """Convert an encoder and save it.

    Args:
        encoder: a folder with a sequence classifier.
    """
    import torch
    import transformers

    from worthit.models.transformer import onnx_export
    from worthit.models.weights import checkpoints

    model = checkpoints.network(
        transformers.AutoModelForSequenceClassification, encoder, dtype=torch.float32
    )
    onnx_export.export(model, target / "model.onnx")
    converted = openvino.convert_model(target / "model.onnx")
    openvino.save_model(converted, target / _MODEL, compress_to_fp16=False)


def quantize(encoder: Path, target: Path, texts: Sequence[str], limit: int) -> None:
    """Save the converted encoder with int8 layers.

    Args:
        encoder: its folder has the tokenizer.
        texts: training comments, to find the ranges of activations.
        limit: the most tokens of a comment.
    """
    import nncf

    from worthit.models.weights import checkpoints

    tokenizer = checkpoints.tokenizer(encoder)
    texts = list(texts[:_CALIBRATION_COMMENTS])
    tokens = tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
    batches = [padded([sequence], 0) for sequence in tokens]  # one comment has no padding
    model = openvino.Core().read_model(target / _MODEL)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(batches),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(batches),
    )
    openvino.save_model(quantized, target / _QUANTIZED, compress_to_fp16=False)

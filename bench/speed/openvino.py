"""Our encoder in OpenVINO on a CPU, in the comparison's dtype and with int8 layers.

See https://docs.openvino.ai/2026/openvino-workflow/model-optimization.html. The int8 layers round
activations with ranges from 300 training comments (NNCF's quantisation after training). Unlike in
`bert-openvino`, the last layer works on all tokens, and batches have 64 comments, as for the others.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worthit.bench.speed.encoders import ServedEncoder
from worthit.models.transformer import batches, openvino_network

_MODEL, _QUANTIZED = "model.xml", "int8.xml"
_CALIBRATION_COMMENTS = 300  # NNCF's default


class OpenVino(ServedEncoder):
    """In the comparison's dtype."""

    file = _MODEL
    converters: tuple[str, ...] = ("openvino",)

    def _open(self, weights: Path) -> None:
        network = openvino_network.read(weights / "openvino" / self.file)
        self._compiled = openvino_network.compiled(network, self._task.precision)

    def _logits(self, inputs: dict[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(openvino_network.logits(self._compiled, inputs))


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

    from worthit.models.weights import checkpoints

    model = checkpoints.network(
        transformers.AutoModelForSequenceClassification, encoder, dtype=torch.float32
    )
    openvino_network.save(openvino_network.convert(model), target / _MODEL)


def quantize(encoder: Path, target: Path, texts: Sequence[str], limit: int) -> None:
    """Save the converted encoder with int8 layers.

    Args:
        encoder: its folder has the tokenizer.
        texts: training comments, to find the ranges of activations.
        limit: the most tokens of a comment.
    """
    openvino_network.library()  # first, so that NNCF sends no messages either
    import nncf

    from worthit.models.weights import checkpoints

    tokenizer = checkpoints.tokenizer(encoder)
    texts = list(texts[:_CALIBRATION_COMMENTS])
    tokens = tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
    comments = [batches.padded([sequence], 0) for sequence in tokens]  # one comment has no padding
    model = openvino_network.read(target / _MODEL)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(comments),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(comments),
    )
    openvino_network.save(quantized, target / _QUANTIZED)

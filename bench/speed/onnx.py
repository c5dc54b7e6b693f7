"""Our encoder in ONNX Runtime on a CPU, in fp32 and with dynamic quantisation.

See https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html. The graphs are those
of `bert-onnx-int8`: attention and layer norms are fused, and int8 weights are rounded per channel.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from worthit.bench.speed.encoders import ServedEncoder
from worthit.models.hardware import processor

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_MODEL, _QUANTIZED = "fp32.onnx", "int8.onnx"


class Onnx(ServedEncoder):
    """fp32."""

    file = _MODEL

    def _open(self, weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = processor.allowed_cores()
        options.enable_mem_pattern = False  # it plans memory for each of the many batch shapes
        self._session = onnxruntime.InferenceSession(
            weights / "onnx" / self.file, options, providers=["CPUExecutionProvider"]
        )

    def _logits(self, inputs: dict[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(self._session.run(["logits"], inputs)[0])


class OnnxInt8(Onnx):
    """Weights in 8 bits, and activations rounded to 8 bits at run time."""

    file = _QUANTIZED


def export(trained: "Bert", target: Path) -> None:
    """Save an encoder as two ONNX models, one in fp32 and one with dynamic quantisation.

    Args:
        trained: is changed by the conversion, so it scores no more.
    """
    from worthit.models import bert_onnx_int8

    file = bert_onnx_int8.export(trained, target)  # target / _MODEL
    (target / _QUANTIZED).write_bytes(bert_onnx_int8.quantize(file))

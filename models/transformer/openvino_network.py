"""Encoders in OpenVINO on a CPU, used by `bert-openvino` and the speed comparison.

See https://docs.openvino.ai/2026/openvino-workflow/model-preparation/convert-model-pytorch.html and
https://docs.openvino.ai/2026/openvino-workflow/running-inference/optimize-inference/precision-control.html.
"""

import functools
import sys
import warnings
from pathlib import Path
from typing import Any

from worthit.models.hardware import processor
from worthit.models.transformer import batches

#: OpenVINO's name of a precision → the name in records
_DTYPES = {"bf16": "bfloat16", "f32": "float32"}


def library() -> Any:
    """The module openvino, without its telemetry.

    Unless the user opted out, importing it sends a message to Intel, from a thread of the process
    that is measured. Where openvino_telemetry is missing, it sends nothing.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


@functools.cache
def _core() -> Any:
    return library().Core()


def _hint(precision: str) -> str:
    """The precision to compute in: bf16 unless fp32 is asked for or the processor has no bf16."""
    able = "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if able and precision != "fp32" else "f32"


def dtype(precision: str) -> str:
    """The dtype of products for `fp32`, `bf16` or `auto` on this processor, as in records."""
    return _DTYPES[_hint(precision)]


def convert(network: Any) -> Any:
    """Trace an encoder with a classification head, from transformers, fp32 on the CPU.

    Returns:
        An openvino.Model with the inputs `input_ids` and `attention_mask`, shape (batch, length),
        int64, and the output `logits`, shape (batch, k).
    """
    import torch

    network.eval().set_attn_implementation("eager")  # every architecture has it; OpenVINO fuses it
    sample = torch.ones(2, 8, dtype=torch.long)
    mask = sample.clone()
    mask[1, 5:] = 0  # without padding, transformers may leave the mask out
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about shape checks that cannot be traced
        return library().convert_model(
            network, example_input={"input_ids": sample, "attention_mask": mask}
        )


def read(file: Path) -> Any:
    """The openvino.Model in a file; its weights stay on disk until they are used."""
    return _core().read_model(file)


def save(model: Any, file: Path) -> None:
    """Write an .xml file, and the weights in fp32 beside it, as .bin.

    fp16 would halve them, but gave 281 different scores to 400 comments in bf16; fp32 gave 400.
    """
    library().save_model(model, file, compress_to_fp16=False)


def compiled(model: Any, precision: str) -> Any:
    """A model ready to compute `fp32`, `bf16` or `auto` on all cores of this process."""
    settings = {
        "INFERENCE_PRECISION_HINT": _hint(precision),
        "PERFORMANCE_HINT": "LATENCY",  # all cores work on one batch
        "INFERENCE_NUM_THREADS": processor.allowed_cores(),
    }
    return _core().compile_model(model, "CPU", settings)


def logits(network: Any, inputs: batches.Inputs) -> Any:
    """Of a compiled model, shape (batch, k), fp32."""
    return network(inputs)["logits"]

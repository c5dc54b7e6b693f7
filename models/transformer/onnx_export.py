"""Encoders as ONNX graphs: what ONNX Runtime scores with, ours and the yardstick's."""

import warnings
from pathlib import Path
from typing import Any

import torch

IDS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
_OPSET = 17


def export(network: Any, file: Path) -> None:
    """Write an encoder that classifies as an fp32 graph.

    Inputs `input_ids` and `attention_mask` of shape (batch, length), int64; output `logits` of shape
    (batch, k). torch's older exporter is used: in the graphs of the newer one ONNX Runtime finds no
    attention to fuse, and it needs onnxscript, too.

    Args:
        network: of transformers, fp32 on the CPU. Its attention becomes the plain form, whose fusion
            ONNX Runtime knows.
    """
    network.eval().set_attn_implementation("eager")
    sample = torch.ones(2, 8, dtype=torch.long)
    mask = sample.clone()
    mask[1, 5:] = 0  # where nothing is padded, transformers may leave the mask out of the graph
    axes = {0: "batch", 1: "length"}
    with torch.no_grad(), warnings.catch_warnings():
        # That it is the older one, and which checks of shapes it cannot trace.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (sample, mask),  # the first two that any encoder takes
            str(file),
            input_names=[IDS, MASK],
            output_names=[LOGITS],
            dynamic_axes={IDS: axes, MASK: axes, LOGITS: {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )

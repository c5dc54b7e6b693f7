"""Encoders as ONNX graphs for ONNX Runtime, used by `bert-onnx-int8`."""

import warnings
from pathlib import Path
from typing import Any

import torch

IDS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
_OPSET = 17


def export(network: Any, file: Path) -> None:
    """Write an encoder with a classification head as an fp32 graph.

    The inputs `input_ids` and `attention_mask` have the shape (batch, length), int64; the output
    `logits` has the shape (batch, k). This uses torch's older exporter: ONNX Runtime finds no
    attention to fuse in the graphs of the newer one, which also needs onnxscript.

    Args:
        network: from transformers, fp32 on the CPU. Its attention becomes the plain form, which
            ONNX Runtime can fuse.
    """
    network.eval().set_attn_implementation("eager")
    sample = torch.ones(2, 8, dtype=torch.long)
    mask = sample.clone()
    mask[1, 5:] = 0  # without padding, transformers may leave the mask out of the graph
    axes = {0: "batch", 1: "length"}
    with torch.no_grad(), warnings.catch_warnings():
        # Warnings about the older exporter and about shape checks that cannot be traced.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (sample, mask),  # the first two arguments of any encoder
            str(file),
            input_names=[IDS, MASK],
            output_names=[LOGITS],
            dynamic_axes={IDS: axes, MASK: axes, LOGITS: {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )

"""Convert a GGUF file to a bf16 checkpoint: python -m worthit.models.weights.gguf FILE.gguf FOLDER

A quantised GGUF model cannot be trained, so its weights are dequantised.
"""

import sys
from pathlib import Path

import torch
import transformers

from worthit.models.weights import checkpoints


def convert(file: Path, folder: Path) -> None:
    """Write the model and tokenizer of a causal LM to a folder for `from_pretrained`."""
    tokenizer = checkpoints.tokenizer(file.parent, gguf_file=file.name)
    model = checkpoints.network(
        transformers.AutoModelForCausalLM,
        file.parent,
        gguf_file=file.name,
        quantization_config=transformers.GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

"""bench/speed/gguf_weights.py: a GGUF file has the same weights as the folder it comes from."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers

from worthit.bench.speed import gguf_weights
from worthit.datasets.errors import CheckpointError

PROMPTS = torch.tensor([[3, 7, 2, 9, 4, 1], [5, 5, 8, 1, 6, 2]])


def logits(folder: Path, **options: object) -> torch.Tensor:
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, **options
    )
    with torch.no_grad():
        return model(input_ids=PROMPTS).logits


@pytest.mark.parametrize(
    ("quantization", "tolerance"), [("F32", 1e-6), ("BF16", 1e-2), ("Q8_0", 1e-2)]
)
def test_the_logits_are_those_of_the_model(
    tiny_llama: Path, tmp_path: Path, quantization: str, tolerance: float
) -> None:
    gguf_weights.write(tiny_llama, tmp_path / "a.gguf", quantization)
    options = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    actual = logits(tmp_path, gguf_file="a.gguf", **options)
    expected = logits(tiny_llama)
    assert expected.std() > 10 * tolerance
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}, "linear"),
        ({"attention_bias": True}, "biases"),
    ],
)
def test_other_models_are_refused(
    tiny_llama: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    shutil.copytree(tiny_llama, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=message):
        gguf_weights.write(tmp_path, tmp_path / "a.gguf", "F32")

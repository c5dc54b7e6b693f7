"""bench/speed/workload.py: what a comparison computes."""

from pathlib import Path

import numpy as np
import pytest

from worthit.bench.speed import workload
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.workload import matmul_parameters, useful_flops
from worthit.datasets import prepare
from worthit.models import llama


def test_operations_are_counted_by_hand(tiny_bert: Path, tiny_llama: Path) -> None:
    # 2 layers: query, key, value and output of 32 x 32; up and down of 32 x 64.
    assert matmul_parameters(str(tiny_bert)) == 2 * (4 * 32 * 32 + 2 * 32 * 64)
    # 2 layers: query and output of 64 x 64; key and value of 64 x 32; gate, up, down of 64 x 128.
    assert matmul_parameters(str(tiny_llama)) == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128)
    assert useful_flops(10, 7.0, trains=False, all_weights=True) == 2 * 10 * 7
    assert useful_flops(10, 7.0, trains=True, all_weights=False) == 4 * 10 * 7
    assert useful_flops(10, 7.0, trains=True, all_weights=True) == 6 * 10 * 7


def test_the_meter_counts_tokens_without_padding_and_times_products(
    tiny_llama: Path, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(workload.SIDE, "cpu", 64)
    meter = workload.WorkloadMeter(Task("llama", True, "cpu", "fp32", str(tiny_llama), split, 1, 4))
    measured = meter.setup()
    model = llama.Llama().set_params(checkpoint=str(tiny_llama), precision="fp32")
    model._open_checkpoint()
    texts = prepare.comments(split, "train").texts[:8]
    question = len(model._tokenizer(model._prompt.question)["input_ids"])
    tokens = np.mean([question + len(rest) for rest in model._tokens(texts)])
    assert measured.tokens_per_comment == pytest.approx(tokens)
    assert measured.flops_per_comment == pytest.approx(
        4 * matmul_parameters(str(tiny_llama)) * tokens
    )
    assert measured.precision == "fp32"
    monkeypatch.setattr("worthit.models.hardware.devices.gemm_seconds", lambda *given: 0.5)
    assert meter.slice(1) == 2 * 64**3 / 0.5

"""Where there is a card: it trains and scores the CPU's model, from recorded graphs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny_networks import make_causal_lm, make_encoder
from worthit.models.bert import Bert
from worthit.models.llama import Llama
from worthit.models.llama_qlora import LlamaQLoRA
from worthit.models.transformer import graphs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

TEXTS = ["you stupid idiot", "thanks for the nice article", "the page " * 20, "you"] * 8
LABELS = np.array([1, 0, 0, 1] * 8)


@pytest.fixture(params=[Bert, Llama, LlamaQLoRA])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def weights(kind: Any, tiny_bert: Path, tiny_llama: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    if kind is Bert:
        return make_encoder(tiny_bert, folder, "bert", initializer_range=0.2)
    return make_causal_lm(tiny_llama, folder, "llama", initializer_range=0.2)


def fitted(kind: Any, weights: Path, device: str, precision: str) -> tuple[Any, list[float]]:
    settings = {"checkpoint": str(weights), "precision": precision, "learning_rate": 2e-3}
    model = kind(device=device).set_params(epochs=3, **settings)
    losses: list[torch.Tensor] = []
    model.on_loss = losses.append
    model.fit(TEXTS, LABELS)
    return model, [float(loss) for loss in losses]


@pytest.mark.parametrize(("precision", "off"), [("fp32", 0.02), ("bf16", 0.15)])
def test_losses_and_scores_are_those_of_the_cpu(
    kind: Any, weights: Path, precision: str, off: float
) -> None:
    expected, expected_losses = fitted(kind, weights, "cpu", precision)
    found, losses = fitted(kind, weights, "cuda", precision)
    assert losses == pytest.approx(expected_losses, abs=off)
    assert found.predict_proba(TEXTS) == pytest.approx(expected.predict_proba(TEXTS), abs=off)


@pytest.mark.parametrize("several", [Bert, Llama])
def test_several_labels_are_learned_as_on_the_cpu(
    several: Any, tiny_bert: Path, tiny_llama: Path
) -> None:
    weights = tiny_bert if several is Bert else tiny_llama
    labels = np.column_stack([LABELS, np.array([1, 0, 1, 0] * 8)])
    scores = [
        several(device=device, classes=("a", "b"), multilabel=True)
        .set_params(checkpoint=str(weights), precision="fp32", learning_rate=2e-3, epochs=2)
        .fit(TEXTS, labels)
        .predict_proba(TEXTS)
        for device in ("cpu", "cuda")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_all_steps_and_scores_come_from_graphs(kind: Any, weights: Path, tmp_path: Path) -> None:
    model, _ = fitted(kind, weights, "cuda", "bf16")
    assert isinstance(model._recorder, graphs.CudaGraphs)
    assert not model._recorder.reason
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    loaded = kind.load(folder, "cuda")
    prepared = set(loaded._scorer._programs)
    for text in TEXTS[:4]:
        loaded.predict_proba([text])
    assert set(loaded._scorer._programs) == prepared
    assert not loaded._recorder.reason


def test_a_step_never_waits_for_the_device(kind: Any, weights: Path) -> None:
    recorder = graphs.Eager()
    model = kind(device="cuda").set_params(
        checkpoint=str(weights), precision="bf16", learning_rate=2e-3
    )
    model._recorder = recorder
    original = recorder.record

    def record(work: graphs.Work, example: graphs.Tensors) -> graphs.Program:
        work(example)  # first calls may wait

        def checked(inputs: graphs.Tensors) -> torch.Tensor:
            torch.cuda.set_sync_debug_mode("error")
            try:
                return work(inputs)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return original(checked, example)

    recorder.record = record  # type: ignore[method-assign]
    model.fit(TEXTS, LABELS).predict_proba(TEXTS)

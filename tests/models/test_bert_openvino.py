"""bert-openvino: bert's scores in fp32, close to them in bf16, and the dtype that really runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tests.int8_products import LABELS, TEXTS, convert_in_a_cell, needs_openvino, tune
from worthit.datasets.classes import TOXIC
from worthit.models import registry
from worthit.models.bert import Bert
from worthit.models.bert_openvino import BertOpenVino
from worthit.models.transformer import openvino_network
from worthit.models.transformer.bert_settings import BertSettings

FP32, AUTO = BertSettings(precision="fp32"), BertSettings()
pytestmark = needs_openvino


@pytest.mark.parametrize("classes", LABELS, ids=len)
def test_in_fp32_it_scores_as_bert_does(
    tuned: Callable[..., Path], classes: tuple[str, ...]
) -> None:
    folder = tuned("bert", classes, "fp32")
    expected = Bert.load(folder).predict_proba(TEXTS)
    assert np.ptp(expected, axis=0).max() > 0.3  # equal scores would prove nothing
    model = BertOpenVino(FP32).convert(folder)
    for batch_size in (None, 1, 3):
        assert model.predict_proba(TEXTS, batch_size) == pytest.approx(expected, abs=1e-5)


def test_in_the_processors_precision_it_scores_nearly_as_bert_does(
    tuned: Callable[..., Path],
) -> None:
    folder = tuned("bert", TOXIC, "fp32")
    expected = Bert.load(folder).predict_proba(TEXTS)
    found = BertOpenVino().convert(folder).predict_proba(TEXTS)
    assert found == pytest.approx(expected, abs=0.03)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(TEXTS)))


def test_another_architecture_is_converted_too(tiny_bert: Path, tmp_path: Path) -> None:
    (weights := tmp_path / "weights").mkdir()
    (folder := tmp_path / "tuned").mkdir()
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.save_pretrained(weights)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=64
    )
    transformers.DistilBertModel(config).save_pretrained(weights)
    tune("bert", weights, folder)
    expected = Bert.load(folder).predict_proba(TEXTS)
    found = BertOpenVino(FP32).convert(folder).predict_proba(TEXTS)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("settings", [FP32, AUTO], ids=lambda each: each.precision)
def test_the_dtype_shown_is_the_one_that_runs(
    tuned: Callable[..., Path], tmp_path: Path, settings: BertSettings
) -> None:
    BertOpenVino(settings).convert(tuned("bert")).save(tmp_path)
    model = registry.load(tmp_path)
    assert isinstance(model, BertOpenVino)
    assert model.settings.precision == settings.precision  # not bert's, timed with torch
    assert BertOpenVino(settings).dtype_note == model.dtype_note == _running(model)
    assert settings == AUTO or model.dtype_note == "float32"


def test_without_bf16_in_the_processor_it_computes_in_fp32(
    tuned: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = openvino_network._core()
    monkeypatch.setattr(openvino_network, "_core", lambda: _WithoutBf16(core))
    for precision in ("auto", "bf16"):
        model = BertOpenVino(BertSettings(precision=precision)).convert(tuned("bert"))
        assert model.dtype_note == _running(model) == "float32"


def _running(model: BertOpenVino) -> str:
    """The dtype that OpenVINO reports after compilation."""
    name = model._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return {"bf16": "bfloat16", "f32": "float32"}[name]


class _WithoutBf16:
    def __init__(self, core: object) -> None:
        self._core = core

    def get_property(self, device: str, name: str) -> list[str]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return ["FP32", "INT8"]

    def __getattr__(self, name: str) -> object:
        return getattr(self._core, name)


def test_weights_are_saved_in_fp32(tuned: Callable[..., Path], tmp_path: Path) -> None:
    model = BertOpenVino().convert(tuned("bert"))
    model.save(tmp_path)
    assert (tmp_path / "model.bin").stat().st_size > 0.99 * 4 * model._parameters


def test_a_cell_converts_the_trained_bert_and_trains_nothing(
    tuned: Callable[..., Path], tiny_bert: Path, small_split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bert, "_fit", None)
    setup = convert_in_a_cell("bert-openvino", tuned("bert"), tiny_bert, small_split)
    assert (setup.dtype, setup.kind) == ("float32", "encoder")
    assert set(setup.versions) == {"openvino", "tokenizers", "numpy"}

"""bert-onnx-int8: scores close to bert's, with int8 weights in the linear layers only."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.int8_products import LABELS, TEXTS, assert_converted
from worthit.datasets.errors import DeviceError
from worthit.models import bert_onnx_int8, registry
from worthit.models.bert import Bert
from worthit.models.bert_onnx_int8 import BertOnnxInt8
from worthit.models.hardware import processor


@pytest.fixture(scope="module")
def bert(tuned: Callable[..., Path]) -> Path:
    return tuned("bert")


def test_the_graph_before_quantisation_is_bert_with_its_steps_fused(
    bert: Path, tmp_path: Path
) -> None:
    import onnx

    expected = Bert.load(bert).predict_proba(TEXTS)
    file = bert_onnx_int8.export(Bert.load(bert), tmp_path)
    whole = BertOnnxInt8()
    whole._open(file, Bert.load(bert)._tokenizer.backend_tokenizer.to_str())
    for batch_size in (1, 3, 32):
        assert whole.predict_proba(TEXTS, batch_size) == pytest.approx(expected, abs=1e-4)
    operators = [node.op_type for node in onnx.load(file).graph.node]
    assert operators.count("Attention") == 2
    assert operators.count("SkipLayerNormalization") == 4


@pytest.mark.parametrize("classes", LABELS, ids=len)
def test_int8_scores_stay_near_and_of_the_same_class(
    tuned: Callable[..., Path], classes: tuple[str, ...]
) -> None:
    import onnx

    folder = tuned("bert", classes, "fp32")
    model = BertOnnxInt8().convert(folder)
    assert_converted(Bert.load(folder), model, classes)
    assert isinstance(model._model, bytes)
    graph = onnx.load_from_string(model._model).graph
    whole = [node.name for node in graph.node if node.op_type in ("MatMul", "Attention")]
    assert whole
    assert all("pooler" in name or "classifier" in name for name in whole)
    head = {node.op_type for node in graph.node if "classifier" in node.name}
    assert head == {"MatMul", "Add"}


def test_eight_bits_are_refused_where_their_products_overflow(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "int8_products_saturate", lambda: False)
    BertOnnxInt8().convert(bert).save(tmp_path)
    registry.load(tmp_path)
    monkeypatch.setattr(processor, "int8_products_saturate", lambda: True)
    with pytest.raises(DeviceError, match="converted for processors with VNNI") as caught:
        registry.load(tmp_path)
    assert "\n" not in str(caught.value)
    BertOnnxInt8().convert(bert).save(tmp_path)
    registry.load(tmp_path)

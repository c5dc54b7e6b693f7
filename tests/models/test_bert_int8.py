"""bert-int8: scores close to bert's, independent of the batch, and loaded from its folder alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from tests.int8_products import (
    LABELS,
    TEXTS,
    THREE,
    assert_converted,
    assert_refused_if_damaged,
    assert_saved_whole,
    convert_in_a_cell,
    multiplies,
    tune,
)
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError, DeviceError
from worthit.models.bert import Bert
from worthit.models.bert_int8 import BertInt8
from worthit.models.transformer.layers import int8_linear
from worthit.models.transformer.layers.int8_linear import Int8Linear
from worthit.reports.cli import main


@pytest.fixture(scope="module")
def bert(tuned: Callable[..., Path]) -> Path:
    return tuned("bert")


@pytest.fixture(scope="module")
def distilbert(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of another architecture, whose batches are padded."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("distilbert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.save_pretrained(folder)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=2, n_heads=2, hidden_dim=64
    )
    transformers.DistilBertModel(config).save_pretrained(folder)
    return folder


@multiplies
@pytest.mark.parametrize(
    ("weights", "classes", "precision"),
    [
        ("bert", TOXIC, "bf16"),
        ("bert", THREE, "fp32"),
        ("distilbert", TOXIC, "fp32"),
        ("distilbert", THREE, "bf16"),
    ],
)
def test_int8_scores_stay_near_and_of_the_same_class(
    tuned: Callable[..., Path],
    distilbert: Path,
    tmp_path: Path,
    weights: str,
    classes: tuple[str, ...],
    precision: str,
) -> None:
    if weights == "bert":
        folder = tuned("bert", classes, precision)
    else:
        folder = tune("bert", distilbert, tmp_path, classes, precision)
    plain, model = Bert.load(folder), BertInt8().convert(folder)
    assert_converted(plain, model, classes)
    assert not model._model.training
    assert [type(module) for module in model._model.modules()].count(Int8Linear) == 2 * 6
    whole = plain._model.state_dict()
    for name, tensor in model._model.state_dict().items():  # embeddings, norms and head
        assert tensor.dtype == whole[name].dtype
        assert torch.equal(tensor, whole[name])
    assert model._model.classifier.weight.dtype == torch.float32


@multiplies
def test_a_score_does_not_depend_on_the_batch(bert: Path) -> None:
    model = BertInt8().convert(bert)
    embedding = model._model.get_input_embeddings()
    embedding.weight.data[model._tokenizer.convert_tokens_to_ids("idiot")] *= 1e4
    calm = ["thanks for the river", "the page", "", "old music"]
    alone = model.predict_proba(calm)
    assert model.predict_proba([*calm, *["idiot"] * 8])[:4] == pytest.approx(alone, abs=1e-5)


@multiplies
def test_it_is_rounded_from_full_precision_weights(tuned: Callable[..., Path]) -> None:
    folder = tuned("bert", TOXIC, "bf16")
    trained = Bert.load(folder)
    exact = trained.full_precision_network().bert.encoder.layer[0].output.dense.weight
    assert not torch.equal(exact.bfloat16().float(), exact)
    saved = BertInt8().convert(folder)._saved
    assert isinstance(saved, dict)
    expected = int8_linear.round_weight(exact)
    name = "bert.encoder.layer.0.output.dense"
    assert torch.equal(saved[f"{name}.weight"], expected[0])
    assert torch.equal(saved[f"{name}.scales"], expected[1])


@multiplies
def test_fitting_it_is_fitting_bert_and_converting(bert: Path) -> None:
    settings = Bert.load(bert).settings
    fitted = BertInt8(settings).fit(TEXTS, LABELS[TOXIC])
    converted = BertInt8().convert(bert)
    assert fitted.predict_proba(TEXTS) == pytest.approx(converted.predict_proba(TEXTS), abs=1e-6)


@multiplies
def test_all_it_needs_is_saved(tiny_bert: Path, tmp_path: Path) -> None:
    weights, folder = tmp_path / "weights", tmp_path / "bert"
    folder.mkdir()
    shutil.copytree(tiny_bert, weights)
    converted = BertInt8().convert(tune("bert", weights, folder, TOXIC, "bf16"))
    kind = transformers.AutoModelForSequenceClassification
    assert_saved_whole(converted, Bert.load(folder), kind, weights, tmp_path)


@multiplies
def test_a_damaged_folder_is_refused_in_one_line(bert: Path, tmp_path: Path) -> None:
    assert_refused_if_damaged(BertInt8().convert(bert), tmp_path)


@multiplies
def test_a_network_without_plain_linear_layers_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.save_pretrained(tmp_path)
    config = transformers.AlbertConfig(
        vocab_size=len(tokenizer), embedding_size=16, hidden_size=32, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=64,
    )  # fmt: skip
    transformers.AlbertModel(config).save_pretrained(tmp_path)
    model = BertInt8().set_params(checkpoint=str(tmp_path))
    with pytest.raises(CheckpointError, match="has no plain linear layers") as caught:
        model.fit(TEXTS, LABELS[TOXIC])
    assert "omit bert-int8, or give another checkpoint with --checkpoint bert=" in str(caught.value)


def test_where_the_kernel_is_wrong_nothing_is_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_bert: Path
) -> None:
    monkeypatch.setattr(Bert, "_fit", None)
    monkeypatch.setattr(int8_linear, "_multiplies_exactly", lambda dtype: False)
    reason = "bert-int8 cannot run here: int8 products are not exact on this processor"
    with pytest.raises(DeviceError, match=reason):
        BertInt8().fit(TEXTS, LABELS[TOXIC])
    assert main.main(["check-model", "bert-int8"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@multiplies
def test_a_cell_converts_the_trained_bert_and_trains_nothing(
    bert: Path, tiny_bert: Path, small_split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bert, "_fit", None)
    setup = convert_in_a_cell("bert-int8", bert, tiny_bert, small_split)
    assert (setup.dtype, setup.kind) == ("float32, int8 linear layers", "encoder")
    assert "onnxruntime" not in setup.versions

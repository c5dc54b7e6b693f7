"""llama-int8: scores close to llama's, tokens rounded independently, and where it is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from tests.command_line import options
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
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError, DeviceError, OptionError
from worthit.models import registry
from worthit.models.contract import silent
from worthit.models.hardware import processor
from worthit.models.llama import Llama
from worthit.models.llama_int8 import LlamaInt8
from worthit.models.transformer.layers import int8_linear
from worthit.models.transformer.layers.int8_linear import Int8Linear
from worthit.reports.cli import main


@pytest.fixture(scope="module")
def llama(tuned: Callable[..., Path]) -> Path:
    return tuned("llama")


@pytest.fixture(scope="module")
def biased(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a Qwen2, whose queries, keys and values have a bias."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("qwen")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.save_pretrained(folder)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512,
    )  # fmt: skip
    model = transformers.Qwen2ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    return folder


@multiplies
@pytest.mark.parametrize(
    ("weights", "classes", "precision"),
    [
        ("llama", TOXIC, "bf16"),
        ("llama", THREE, "fp32"),
        ("biased", TOXIC, "fp32"),
        ("biased", THREE, "bf16"),
    ],
)
def test_int8_scores_stay_near_and_of_the_same_class(
    tuned: Callable[..., Path],
    biased: Path,
    tmp_path: Path,
    weights: str,
    classes: tuple[str, ...],
    precision: str,
) -> None:
    if weights == "llama":
        folder = tuned("llama", classes, precision)
    else:
        folder = tune("llama", biased, tmp_path, classes, precision)
    plain, model = Llama.load(folder), LlamaInt8().convert(folder)
    assert_converted(plain, model, classes)
    kinds = [type(module) for module in model._decoder().modules()]
    assert not model._decoder().training
    assert kinds.count(Int8Linear) == 2 * 7
    assert torch.nn.Linear not in kinds
    assert torch.equal(model._head, plain._head)
    whole = plain._decoder().state_dict()
    for name, tensor in model._decoder().state_dict().items():  # embeddings and norms
        assert torch.equal(tensor, whole[name])
    assert model._head.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


@multiplies
def test_a_score_does_not_depend_on_the_batch(llama: Path) -> None:
    model = LlamaInt8().convert(llama)
    decoder = model._decoder()
    decoder.embed_tokens.weight.data[model._tokenizer("liar")["input_ids"]] *= 1e4
    alone = model.predict_proba(TEXTS[:4])
    assert model.predict_proba([*TEXTS[:4], *["liar liar"] * 8])[:4] == pytest.approx(
        alone, abs=1e-3
    )


@multiplies
def test_all_it_needs_is_saved(tiny_llama: Path, tmp_path: Path) -> None:
    weights, folder = tmp_path / "weights", tmp_path / "llama"
    folder.mkdir()
    shutil.copytree(tiny_llama, weights)
    converted = LlamaInt8().convert(tune("llama", weights, folder))
    kind = transformers.AutoModelForCausalLM
    assert_saved_whole(converted, Llama.load(folder), kind, weights, tmp_path)


@multiplies
def test_a_damaged_folder_is_refused_in_one_line(llama: Path, tmp_path: Path) -> None:
    assert_refused_if_damaged(LlamaInt8().convert(llama), tmp_path)


@multiplies
def test_a_network_without_plain_linear_layers_is_refused(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quantized(torch.nn.Linear): ...

    load = Llama._load

    def loaded(model: Llama, folder: Path) -> None:
        load(model, folder)
        for module in model._decoder().modules():
            if type(module) is torch.nn.Linear:
                module.__class__ = Quantized

    monkeypatch.setattr(Llama, "_load", loaded)
    with pytest.raises(CheckpointError, match="has no plain linear layers"):
        LlamaInt8().convert(llama)


def refused(*given: object) -> torch.Tensor:
    raise RuntimeError("expected 14 arguments")


def saturated(rounded: torch.Tensor, *rest: object) -> torch.Tensor:
    return torch.full((len(rounded), 3), 32767.0)


@pytest.mark.parametrize(
    ("place", "attribute", "value", "reason"),
    [
        (processor.platform, "machine", lambda: "arm64", "this is not an x86 processor"),
        (torch.backends.mkldnn, "is_available", lambda: False, "has no int8 products of oneDNN"),
        (int8_linear, "_product", refused, "has no int8 products of oneDNN"),
        (int8_linear, "_product", saturated, "int8 products are not exact on this processor"),
    ],
)
def test_where_the_kernel_is_missing_or_wrong_nothing_is_trained(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny_llama: Path,
    place: object,
    attribute: str,
    value: object,
    small_split: str,
    reason: str,
) -> None:
    monkeypatch.setattr(Llama, "_fit", None)
    monkeypatch.setattr(place, attribute, value)
    with pytest.raises(DeviceError, match=reason):
        LlamaInt8().fit(TEXTS, LABELS[TOXIC])
    work = Work(Cell("llama-int8", "cpu", 0, small_split, {"checkpoint": str(tiny_llama)}), silent)
    with pytest.raises(DeviceError, match=reason):  # which skips the cell
        work.setup()
    assert main.main(["check-model", "llama-int8"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@multiplies
def test_a_cell_converts_the_trained_llama_and_trains_nothing(
    llama: Path, tiny_llama: Path, small_split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.entry("llama-int8").trained_as == "llama"
    monkeypatch.setattr(Llama, "_fit", None)
    setup = convert_in_a_cell("llama-int8", llama, tiny_llama, small_split)
    assert (setup.dtype, setup.kind) == ("float32, int8 linear layers", "llm")
    assert "accelerate" in setup.versions


def test_it_runs_on_cpus_when_asked_for_and_has_llamas_options(tiny_llama: Path) -> None:
    with pytest.raises(OptionError, match="llama-int8 is llama converted; give --checkpoint llama"):
        options("--models", "llama-int8", "--checkpoint", "llama-int8=x")
    asked = options("--models", "llama-int8", "--checkpoint", f"llama={tiny_llama}")
    assert tuple(asked.models) == ("llama-int8",)
    by_default = options()
    assert "llama-int8" not in by_default.models
    with pytest.raises(DeviceError, match="llama-int8 runs on cpu only"):
        registry.require_able("llama-int8", "cuda")

"""models/llama_head.py: the linear probe, LoRA with a head, and both ways of computing them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from worthit.datasets.errors import CheckpointError, RunError
from worthit.models import registry
from worthit.models.contract_check.pickles import is_pickle
from worthit.models.llama import Llama
from worthit.models.llama_head import LlamaHead
from worthit.models.transformer.prompting.prompts import CUE

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
] * 8
TWO, THREE = np.array([1, 0, 0] * 8), np.array([0, 1, 2] * 8)
PROBE = {"adapted_share": 0.0, "C": 100.0}
LORA = {"adapted_share": 1.0, "epochs": 6, "learning_rate": 3e-3}


def head(folder: Path, classes: int = 2, **settings: Any) -> LlamaHead:
    model = LlamaHead(classes=[f"class {number}" for number in range(classes)])
    return model.set_params(checkpoint=str(folder), precision="fp32", **settings)


@pytest.mark.parametrize("settings", [PROBE, LORA, LORA | {"layers_share": 0.5}])
@pytest.mark.parametrize("labels", [TWO, THREE])
def test_it_learns_and_scores_the_same_after_loading(
    settings: dict[str, Any], labels: np.ndarray, tiny_llama: Path, tmp_path: Path
) -> None:
    model = head(tiny_llama, int(labels.max()) + 1, **settings).fit(TEXTS, labels)
    scores = model.predict_proba(TEXTS)
    assert scores.argmax(axis=1).tolist() == labels.tolist()
    for folder in (tmp_path / "once", tmp_path / "again"):
        folder.mkdir()
        model.save(folder)
        assert not any(is_pickle(file) for file in folder.iterdir())
        size, model = model.size(), LlamaHead.load(folder)
        assert model.predict_proba(TEXTS) == pytest.approx(scores, abs=1e-4)
        assert model.size() == size


def test_the_probe_reads_the_mean_of_the_comments_states(tiny_llama: Path, tmp_path: Path) -> None:
    import transformers

    model = head(tiny_llama, **PROBE).fit(TEXTS, TWO)
    model.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["head.safetensors", "worthit.json"]
    saved = load_file(tmp_path / "head.safetensors")
    whole = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama).model
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    question = tokenizer("Comment:")["input_ids"]
    expected = []
    for text in TEXTS[:3]:
        ids = question + tokenizer(f" {text}")["input_ids"] + tokenizer(CUE)["input_ids"]
        with torch.no_grad():
            states = whole(torch.tensor([ids])).last_hidden_state[0, len(question) :]
        scaled = (states.mean(dim=0) - saved["center"]) * saved["scale"]
        logits = saved["rows"][:, :-1] @ scaled + saved["rows"][:, -1]
        expected.append(torch.softmax(logits, 0).numpy())
    assert model.predict_proba(TEXTS[:3]) == pytest.approx(np.array(expected), abs=1e-4)


@pytest.mark.parametrize("settings", [PROBE, LORA])
def test_padded_batches_give_the_same_model(
    settings: dict[str, Any], tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = head(tiny_llama, **settings).fit(TEXTS, TWO)
    expected = packed.predict_proba(TEXTS)
    monkeypatch.setattr(LlamaHead, "pads", True)
    padded = head(tiny_llama, **settings).fit(TEXTS, TWO)
    assert torch.allclose(padded._center, packed._center, atol=1e-4)  # the same tokens were read
    assert padded.predict_proba(TEXTS) == pytest.approx(expected, abs=0.02)


def test_layers_that_are_not_read_are_neither_computed_nor_counted(tiny_llama: Path) -> None:
    whole = head(tiny_llama, **PROBE).fit(TEXTS, TWO)
    half = head(tiny_llama, layers_share=0.5, **PROBE).fit(TEXTS, TWO)
    assert len(half._decoder().layers) == 1 == len(whole._decoder().layers) / 2
    parameters = whole.size().parameters, half.size().parameters
    assert parameters[0] is not None
    assert parameters[1] is not None
    layer = sum(each.numel() for each in whole._decoder().layers[1].parameters())
    assert parameters[0] - parameters[1] == layer
    assert half.size().trained_parameters == 2 * (64 + 1)


def test_the_head_is_trained_together_with_the_adapters(tiny_llama: Path) -> None:
    probe = head(tiny_llama, **PROBE | {"C": 1.0}).fit(TEXTS, TWO)
    tuned = head(tiny_llama, **LORA).fit(TEXTS, TWO)
    assert probe._classifier is not None
    assert tuned._classifier is not None
    assert not torch.allclose(probe._classifier, tuned._classifier)
    adapted = Llama().set_params(checkpoint=str(tiny_llama), precision="fp32", **LORA)
    adapters = adapted.fit(TEXTS, TWO).size().trained_parameters
    assert tuned.size().trained_parameters == (adapters or 0) + 2 * (64 + 1)


def test_the_number_of_classes_is_not_limited_by_first_tokens(tiny_llama: Path) -> None:
    labels = np.arange(180) % 60
    texts = [f"the page {number}" for number in range(180)]
    names = [f"{number}" for number in range(60)]
    with pytest.raises(CheckpointError, match="first tokens for"):
        Llama(classes=names).set_params(checkpoint=str(tiny_llama)).fit(texts, labels)
    model = head(tiny_llama, 60, **PROBE | {"C": 0.01}).fit(texts, labels)
    assert model.predict_proba(texts[:2]).shape == (2, 60)


def test_a_folder_without_adapters_or_head_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    head(tiny_llama, **LORA | {"epochs": 1}).fit(TEXTS, TWO).save(tmp_path)
    adapters, rows = (tmp_path / name for name in ("adapter_model.safetensors", "head.safetensors"))
    adapters.rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"holds no adapter_model\.safetensors"):
        registry.load(tmp_path)
    (tmp_path / "elsewhere").rename(adapters)
    rows.unlink()
    with pytest.raises(RunError, match=r"llama-head model in .* cannot be read"):
        registry.load(tmp_path)

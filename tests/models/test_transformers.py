"""Behaviour specific to bert and llama: answers, truncation, adapters, artifacts, precision."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.tiny_networks import make_causal_lm
from worthit.datasets import registry
from worthit.datasets.errors import CheckpointError, RunError
from worthit.models.bert import Bert
from worthit.models.embeddings import Embeddings
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.llama_qlora import LlamaQLoRA
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings
from worthit.models.transformer.bert_settings import BertSettings
from worthit.models.transformer.prompting.prompts import CUE

QUESTION = "Is this comment toxic? Answer True or False.\n\nComment:"

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
] * 8
LABELS = np.array([1, 0, 0] * 8)


def zero_shot(folder: Path, **settings: object) -> LlamaZeroShot:
    chosen = ZeroShotSettings(checkpoint=str(folder), precision="fp32", **settings)  # type: ignore[arg-type]
    model = LlamaZeroShot(chosen)
    model.fit(TEXTS, LABELS)
    return model


@pytest.fixture(params=["llama", "phi", "granite", "gemma2"])
def tiny_llm(request: pytest.FixtureRequest, tiny_llama: Path, tmp_path: Path) -> Path:
    """A head like Llama's, and heads with a bias, a divisor and a soft cap."""
    particular: dict[str, dict[str, object]] = {
        "llama": {}, "phi": {}, "granite": {"logits_scaling": 8.0},
        "gemma2": {"final_logit_softcapping": 2.0, "tie_word_embeddings": False},
    }  # fmt: skip
    return make_causal_lm(tiny_llama, tmp_path, request.param, **particular[request.param])


def test_scores_are_the_softmax_over_the_answers_over_what_they_are_without_content(
    tiny_llm: Path,
) -> None:
    import transformers

    whole = transformers.AutoModelForCausalLM.from_pretrained(tiny_llm)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llm)

    def answers(text: str) -> torch.Tensor:
        ids = tokenizer(f"{QUESTION} {text}{CUE}", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            last = whole(ids).logits[0, -1].double()
        words = tokenizer([" False", " True"], add_special_tokens=False)["input_ids"]
        return torch.softmax(last[[first for first, *_ in words]], 0)

    free = torch.stack([answers(text) for text in ("N/A", "", "[MASK]")]).mean(0)
    expected = [answers(text) / free for text in TEXTS[:3]]
    scores = zero_shot(tiny_llm).predict_proba(TEXTS[:3])[:, 1]
    assert scores == pytest.approx([(each / each.sum())[1].item() for each in expected], abs=1e-4)


def test_unknown_logits_are_refused_before_training(tiny_llama: Path, tmp_path: Path) -> None:
    cohere = make_causal_lm(tiny_llama, tmp_path, "cohere", tie_word_embeddings=False)
    for kind in (Llama, LlamaQLoRA, LlamaZeroShot):
        model = kind().set_params(checkpoint=str(cohere))
        with pytest.raises(
            CheckpointError, match="computes logits from its last layer in an unknown way"
        ) as caught:
            model.fit(TEXTS, LABELS, lambda done, total: pytest.fail("it was trained"))
        assert "\n" not in str(caught.value)


def test_the_comment_is_cut_and_never_the_cue(tiny_llama: Path) -> None:
    model = zero_shot(tiny_llama, max_length=5)
    short, long = model._tokens(["the page", "the page " * 50])
    cue = model._tokenizer(CUE, add_special_tokens=False)["input_ids"]
    assert short[-len(cue) :] == long[-len(cue) :] == cue
    assert len(long) == 5 + len(cue)
    assert model.truncated_share(["the page", "the page " * 50]) == 0.5
    assert zero_shot(tiny_llama, max_length=None).truncated_share(["the page " * 50]) == 0
    counts = model.count_tokens(["the page " * 50])
    assert counts.characters == 450
    assert counts.tokens >= 100


@pytest.mark.parametrize("pads", [False, True])
@pytest.mark.parametrize("given", [5_000, None])
def test_the_comment_is_cut_where_the_context_ends(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, given: int | None, pads: bool
) -> None:
    monkeypatch.setattr(LlamaZeroShot, "pads", pads)
    model = zero_shot(tiny_llama, max_length=given)
    (long,) = model._tokens(["the page " * 2_000])
    whole = len(long) if pads else len(model._question_tokens()) + len(long)
    assert whole == 512
    assert model._longest() == len(long)
    assert model.get_params()["max_length"] == (given and model._comment_limit())
    assert model.truncated_share(["the page", "the page " * 2_000]) == 0.5


def test_a_context_that_the_question_fills_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_llama, tmp_path / "short")
    config = json.loads((tmp_path / "short" / "config.json").read_text("utf-8"))
    config["max_position_embeddings"] = 8
    (tmp_path / "short" / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(CheckpointError, match="takes 19, more than half; use llama-head"):
        zero_shot(tmp_path / "short")


def test_tuning_moves_scores_towards_the_labels(tuned: Callable[..., Path]) -> None:
    scores = Llama.load(tuned("llama")).predict_proba(TEXTS)[:, 1]
    assert scores[LABELS == 1].mean() > scores[LABELS == 0].mean() + 0.5


def test_four_bit_weights_stay_trainable_and_unpacked(tiny_llama: Path, tmp_path: Path) -> None:
    import bitsandbytes

    settings = LlamaSettings(
        checkpoint=str(tiny_llama), epochs=12, learning_rate=1e-2, adapted_share=1.0
    )
    model = LlamaQLoRA(settings)
    model.fit(TEXTS, LABELS)
    four_bit = [m for m in model._model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert four_bit
    tuned = model.predict_proba(TEXTS)[:, 1]
    assert tuned[LABELS == 1].mean() > tuned[LABELS == 0].mean() + 0.5
    model.save(tmp_path)
    loaded = LlamaQLoRA.load(tmp_path).predict_proba(TEXTS)[:, 1]
    assert loaded == pytest.approx(tuned, abs=0.03)  # not rounded away by 4 bits
    assert not any(getattr(m.weight.quant_state, "packing_format_for_cpu", False) for m in four_bit)


def test_the_adapter_opens_with_peft_and_scores_the_same(tiny_llama: Path, tmp_path: Path) -> None:
    import peft
    import transformers

    settings = LlamaSettings(checkpoint=str(tiny_llama), epochs=2, precision="fp32")
    model = Llama(settings)
    model.fit(TEXTS, LABELS)
    model.save(tmp_path)
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    adapted = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    question = model._tokenizer(QUESTION)["input_ids"]
    with torch.no_grad():
        last = (
            adapted(torch.tensor([question + model._tokens(TEXTS[:1])[0]])).logits[0, -1].double()
        )
    answers = model._first_tokens([" False", " True"])
    score = torch.softmax(last[answers], 0)[1].item()
    assert model.predict_proba(TEXTS[:1])[0, 1] == pytest.approx(score, abs=1e-4)
    weights = peft.utils.load_peft_weights(str(tmp_path))
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.save(weights, tmp_path / "adapter_model.bin")
    with pytest.raises(RunError, match=r"holds no adapter_model\.safetensors"):
        Llama.load(tmp_path)


def test_bert_learns_and_opens_with_transformers(tuned: Callable[..., Path]) -> None:
    import transformers

    folder = tuned("bert")
    scores = Bert.load(folder).predict_proba(TEXTS)[:, 1]
    assert scores[LABELS == 1].mean() > scores[LABELS == 0].mean() + 0.5
    opened = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [TEXTS[0], TEXTS[2]]
    with torch.no_grad():
        logits = opened(**tokenizer(texts, padding=True, return_tensors="pt")).logits.double()
    assert scores[[0, 2]] == pytest.approx(torch.softmax(logits, 1)[:, 1].numpy(), abs=1e-4)


def test_bert_scores_are_not_rounded_to_ties(tiny_bert: Path, tmp_path: Path) -> None:
    table = registry.source("synthetic:400").read()
    texts = sorted(set(table["text"].to_pylist()))
    settings = BertSettings(checkpoint=str(tiny_bert), max_length=64, precision="bf16")
    model = Bert(settings).fit(TEXTS, LABELS)
    model.save(tmp_path)
    for scorer in (model, Bert.load(tmp_path)):
        scores = scorer.predict_proba(texts)[:, 1]
        assert len(np.unique(scores)) > 0.9 * len(texts)


def test_bert_saves_full_precision_and_scores_as_before(tiny_bert: Path, tmp_path: Path) -> None:
    settings = BertSettings(checkpoint=str(tiny_bert), precision="bf16")
    model, folders = Bert(settings).fit(TEXTS, LABELS), [tmp_path / "once", tmp_path / "again"]
    scores = model.predict_proba(TEXTS)
    for folder in folders:
        folder.mkdir()
        model.save(folder)
        saved = load_file(folder / "model.safetensors")
        for name, tensor in model._model.state_dict().items():
            assert saved[name].dtype == torch.float32
            is_head = name.startswith("classifier")
            assert torch.equal(saved[name].to(tensor.dtype), tensor)
            assert tensor.dtype == (torch.float32 if is_head else torch.bfloat16)
            if tensor.ndim == 2:
                assert not torch.equal(saved[name].bfloat16().float(), saved[name])
        model = Bert.load(folder)
        assert model.predict_proba(TEXTS) == pytest.approx(scores, abs=1e-6)


@pytest.mark.parametrize("max_length", [None, 40])
def test_positions_that_begin_after_padding_are_not_overrun(
    tiny_bert: Path, tmp_path: Path, max_length: int | None
) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=40, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    transformers.RobertaModel(config).save_pretrained(tmp_path)
    for kind in (Bert, Embeddings):
        model = kind().set_params(checkpoint=str(tmp_path), max_length=max_length)
        scores = model.fit(TEXTS, LABELS).predict_proba(["the page " * 100])
        assert scores.shape == (1, 2)
        assert max(map(len, model._tokens(["the page " * 100]))) == 39


def test_bert_cuts_at_its_limit_and_reports_the_share(tiny_bert: Path) -> None:
    model = Bert(BertSettings(checkpoint=str(tiny_bert), max_length=6, epochs=1))
    model.fit(TEXTS, LABELS)
    assert max(map(len, model._tokens(["the page " * 50]))) == 8  # with [CLS] and [SEP]
    assert model.truncated_share(["the page", "the page " * 50]) == 0.5
    unlimited = Bert(BertSettings(checkpoint=str(tiny_bert), max_length=None, epochs=1))
    unlimited.fit(TEXTS, LABELS)
    assert max(map(len, unlimited._tokens(["the page " * 500]))) == 64
    beyond = Bert(BertSettings(checkpoint=str(tiny_bert), max_length=1_000, epochs=1))
    beyond.fit(TEXTS, LABELS)
    assert beyond.get_params()["max_length"] == 62


def test_a_checkpoint_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, tiny_llama: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-type"}')
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match="cannot be used") as caught:
        Llama(LlamaSettings(checkpoint=str(tmp_path))).fit(TEXTS, LABELS)
    assert "\n" not in str(caught.value)


def test_the_learning_rate_depends_on_the_checkpoints_size(
    tiny_bert: Path, tiny_llama: Path
) -> None:
    bert = Bert(BertSettings(checkpoint=str(tiny_bert), epochs=1)).fit(TEXTS, LABELS)
    assert bert.settings.learning_rate == 2e-4
    llama = Llama(LlamaSettings(checkpoint=str(tiny_llama), epochs=1)).fit(TEXTS, LABELS)
    assert llama.settings.learning_rate == 1e-3
    own = BertSettings(checkpoint=str(tiny_bert), epochs=1, learning_rate=1e-5)
    given = Bert(own).fit(TEXTS, LABELS)
    assert given.settings.learning_rate == 1e-5


def test_layers_without_keys_and_values_are_refused_in_one_line(
    tiny_llama: Path, tmp_path: Path
) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.save_pretrained(tmp_path)
    config = transformers.Lfm2Config(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512,
        layer_types=["conv", "full_attention"],
    )  # fmt: skip
    transformers.Lfm2ForCausalLM(config).save_pretrained(tmp_path)
    tuned = Llama(LlamaSettings(checkpoint=str(tmp_path), precision="fp32"))
    for fit in (lambda: zero_shot(tmp_path), lambda: tuned.fit(TEXTS, LABELS)):
        with pytest.raises(CheckpointError, match="has layers without keys and values") as caught:
            fit()
        assert "\n" not in str(caught.value)


def test_a_list_of_classes_that_leaves_no_room_for_comments_is_refused_before_training(
    tiny_llama: Path,
) -> None:
    classes = ["not at all long", *("a name of several words " * 4 + str(i) for i in range(20))]
    llama = Llama(LlamaSettings(checkpoint=str(tiny_llama)), classes=classes)
    texts, labels = ["word"] * len(classes), np.arange(len(classes)).astype(np.int16)
    with pytest.raises(
        CheckpointError, match="reads 512 tokens, and the question with 21 classes"
    ) as caught:
        llama.fit(texts, labels)
    assert str(caught.value).endswith(
        "more than half; use llama-head, which reads no list of classes, another checkpoint, or "
        "--positive-label CLASS"
    )

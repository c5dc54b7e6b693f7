"""A model that reads a few training comments first, and how it chooses them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worthit.datasets.errors import OptionError, RunError
from worthit.models.llama_few_shot import FewShotSettings, LlamaFewShot
from worthit.models.transformer.prompting.prompts import CUE

TEXTS = [f"{word} {kind} article" for word in ("old", "new", "nice", "long", "thanks") * 4
         for kind in ("stupid", "river")]  # fmt: skip
LABELS = np.array([1, 0] * 20, np.int8)
PROMPT = "question-first:true/false"


class PaddedFewShot(LlamaFewShot):
    pads = True


@pytest.fixture
def weights(telling_llama: Path) -> Path:
    """Examples change the scores; there is room for few of them."""
    return telling_llama


def few_shot(
    weights: Path, kind: type[LlamaFewShot] = LlamaFewShot, **changed: Any
) -> LlamaFewShot:
    seed = changed.pop("seed", 0)
    given = {"prompt": PROMPT, "shots": 4, "example_length": 6} | changed
    return kind(FewShotSettings(str(weights), precision="fp32", **given), seed=seed)


def test_scores_are_those_of_the_whole_model_after_the_examples(weights: Path) -> None:
    import transformers

    model = few_shot(weights).fit(TEXTS, LABELS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    whole = transformers.AutoModelForCausalLM.from_pretrained(weights)
    shown = "".join(
        f"Comment: {text}{CUE} {('False', 'True')[label]}\n\n" for text, label in model._examples[0]
    )
    asked = f"Is this comment toxic? Answer True or False.\n\n{shown}Comment:"

    def answers(text: str) -> torch.Tensor:
        with torch.no_grad():
            ids = tokenizer(f"{asked} {text}{CUE}", return_tensors="pt")["input_ids"]
            return torch.softmax(whole(ids).logits[0, -1].double()[list(model._prompt.tokens)], 0)

    free = torch.stack([answers(text) for text in ("N/A", "", "[MASK]")]).mean(0)
    expected = torch.stack([answers(text) / free for text in TEXTS[:4]])
    expected /= expected.sum(1, keepdim=True)
    assert model.predict_proba(TEXTS[:4]) == pytest.approx(expected.numpy(), abs=1e-4)
    assert model.size().trained_parameters == 0


def test_examples_are_balanced_and_drawn_by_seed(weights: Path) -> None:
    drawn = {
        seed: few_shot(weights, seed=seed).fit(TEXTS, LABELS)._examples[0] for seed in (0, 0, 1)
    }
    assert all(sorted(label for _, label in each) == [0, 0, 1, 1] for each in drawn.values())
    assert drawn[0] != drawn[1]
    assert drawn[0] == few_shot(weights).fit(TEXTS, LABELS)._examples[0]
    labels_of = dict(zip(TEXTS, LABELS, strict=True))
    assert all(labels_of[text] == label for text, label in drawn[0])


def test_long_examples_are_cut(weights: Path) -> None:
    texts = [f"{text} {'river ' * 50}" for text in TEXTS]
    model = few_shot(weights, example_length=3).fit(texts, LABELS)
    assert all(len(text.split()) <= 3 for text, _ in model._examples[0])


def test_examples_do_not_contain_the_tokens_of_a_chat(weights: Path) -> None:
    model = few_shot(weights).fit([f"{text} <s>" for text in TEXTS], LABELS)
    assert model._question_tokens().count(model._tokenizer.bos_token_id) <= 1


def test_a_saved_model_has_its_examples(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    model = few_shot(weights).fit(TEXTS, LABELS)
    model.save(folder)
    loaded = LlamaFewShot.load(folder)
    assert loaded.predict_proba(TEXTS) == pytest.approx(model.predict_proba(TEXTS), abs=1e-6)
    (folder / "examples.json").write_text(json.dumps([["a", "b"]]))
    with pytest.raises(RunError, match=r"holds no examples\.json"):
        LlamaFewShot.load(folder)


def test_padded_rows_score_as_packed_rows_do(weights: Path) -> None:
    packed, padded = (
        few_shot(weights, kind).fit(TEXTS, LABELS).predict_proba(TEXTS)
        for kind in (LlamaFewShot, PaddedFewShot)
    )
    assert padded == pytest.approx(packed, abs=1e-4)
    assert np.ptp(packed[:, 1]) > 0.01  # equal scores would prove nothing


def test_fit_chooses_prompt_and_shots_on_the_comments_that_choose_was_given(weights: Path) -> None:
    model = few_shot(weights, prompt=None, shots=None, example_length=3)
    tried = model.choose(TEXTS, LABELS)
    model.fit(TEXTS, LABELS)
    assert tried == len(model._wordings(0))
    assert model.get_params()["prompt"] in model._templates()
    assert model.get_params()["shots"] in (4, 8, 16)
    assert len(model._examples[0]) == model.get_params()["shots"]


def test_without_validation_comments_it_takes_the_usual_prompt_and_8_examples(
    weights: Path,
) -> None:
    model = few_shot(weights, prompt=None, shots=None, example_length=3)
    assert model.choose([], np.array([], np.int8)) == 0
    model.fit(TEXTS, LABELS)
    assert (model.get_params()["prompt"], model.get_params()["shots"]) == (PROMPT, 8)


def test_by_default_as_many_examples_are_read_as_there_is_room_for(weights: Path) -> None:
    texts = [text * 9 for text in TEXTS]
    model = few_shot(weights, shots=None, example_length=60).fit(texts, LABELS)
    assert 0 < len(model._examples[0]) == model.get_params()["shots"] < 8
    assert len(model._question_tokens()) <= 256  # half of 512


def test_examples_that_leave_no_room_for_the_comment_are_refused(weights: Path) -> None:
    with pytest.raises(OptionError, match="16 examples fill more than half of the tokens"):
        few_shot(weights, shots=16, example_length=60).fit([text * 9 for text in TEXTS], LABELS)

"""An untuned model chooses among prompts, and asks the chosen one wherever it scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worthit.datasets.errors import OptionError
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings
from worthit.models.transformer.prompting import prompt_choice
from worthit.models.transformer.prompting.prompts import Prompt

TEXTS = [f"{word} {kind} article" for word in ("old", "new", "nice", "long", "thanks") * 4
         for kind in ("stupid", "river")]  # fmt: skip
LABELS = np.array([1, 0] * 20, np.int8)


class PaddedZeroShot(LlamaZeroShot):
    pads = True


@pytest.fixture
def weights(telling_llama: Path) -> Path:
    """Prompts change the scores."""
    return telling_llama


def zero_shot(
    weights: Path, kind: type[LlamaZeroShot] = LlamaZeroShot, **given: Any
) -> LlamaZeroShot:
    return kind(ZeroShotSettings(str(weights), precision="fp32", **given))


@pytest.mark.parametrize("kind", [LlamaZeroShot, PaddedZeroShot])
def test_the_prompt_that_scores_best_is_asked_and_saved(
    kind: type[LlamaZeroShot], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = "statement:all"  # several words for each class, so that rows are averaged

    def choose(prompts: dict[str, Prompt], score: Any, *rest: Any) -> str:
        for prompt in prompts.values():  # other prompts are asked in between
            score(prompt, TEXTS[:2])
        return wanted

    monkeypatch.setattr(prompt_choice, "choose", choose)
    model = zero_shot(weights, kind)
    assert model.choose(TEXTS, LABELS) == len(model._templates())
    model.fit(TEXTS, LABELS)
    assert model.get_params()["prompt"] == wanted
    scores = model.predict_proba(TEXTS)
    given = zero_shot(weights, prompt=wanted).fit(TEXTS, LABELS)
    assert scores == pytest.approx(given.predict_proba(TEXTS), abs=1e-4)
    other = zero_shot(weights).fit(TEXTS, LABELS)
    assert np.abs(scores - other.predict_proba(TEXTS)).max() > 0.05
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    assert kind.load(folder).predict_proba(TEXTS) == pytest.approx(scores, abs=1e-4)


def test_a_choice_is_made_on_the_comments_and_repeatable(weights: Path) -> None:
    models = [zero_shot(weights) for _ in range(2)]
    steps: list[tuple[int, int]] = []
    for model in models:
        assert model.choose(TEXTS, LABELS, lambda done, total: steps.append((done, total))) > 1
    chosen = [model.get_params()["prompt"] for model in models]
    assert chosen[0] == chosen[1]
    assert chosen[0] in models[0]._templates()
    assert steps[-1][0] == steps[-1][1]


def test_nothing_is_chosen_without_a_choice(weights: Path) -> None:
    given = zero_shot(weights, prompt="statement:not/toxic")
    assert given.choose(TEXTS, LABELS) == 0
    assert given.get_params()["prompt"] == "statement:not/toxic"
    for texts, labels in (([], LABELS[:0]), (TEXTS[:1], LABELS[:1])):
        assert zero_shot(weights).choose(texts, labels) == 0


def test_a_comment_cannot_contain_the_tokens_of_a_chat(weights: Path) -> None:
    model = zero_shot(weights).fit(TEXTS, LABELS)
    special = model._tokenizer.bos_token_id
    assert special in model._tokenizer("old <s>", add_special_tokens=False)["input_ids"]
    assert special not in model._tokens(["old <s>"])[0]


def test_a_prompt_that_the_classes_do_not_have_is_refused(weights: Path) -> None:
    with pytest.raises(OptionError, match="no prompt is called 'statement:ham/spam' here; known: "):
        zero_shot(weights, prompt="statement:ham/spam").fit(TEXTS, LABELS)

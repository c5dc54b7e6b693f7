"""Prompts are compared by what their scores are worth after calibration."""

from collections.abc import Sequence

import numpy as np
import pytest

from worthit.models.transformer.prompting import prompt_choice
from worthit.models.transformer.prompting.prompts import Prompt

LABELS = np.array([0, 1] * 100)
TEXTS = [str(number) for number in range(len(LABELS))]
PRIOR = 7.0  # of the second answer, without a comment


class Model:
    """Knows the labels; the cue says how its scores depend on them, the token which answer is meant."""

    def __init__(self) -> None:
        self.read: list[tuple[str, int]] = []
        noise = np.random.default_rng(0).normal(size=len(LABELS))
        side = LABELS * 2 - 1
        self._evidence = {
            "good": side + noise,
            "reversed": -3 * side - noise,
            "weak": side / 9 + noise,
        }

    def __call__(self, prompt: Prompt, texts: Sequence[str]) -> np.ndarray:
        self.read.append((prompt.cue, len(texts)))
        evidence = self._evidence[prompt.cue]
        rows = [evidence[int(text)] if text.isdigit() else 0 for text in texts]
        logits = {0: np.zeros(len(rows)), 1: np.array(rows) + PRIOR, 2: np.zeros(len(rows))}
        return np.stack([logits[token] for token in prompt.tokens], axis=1)


def choose(model: Model, **prompts: Prompt) -> str:
    steps: list[tuple[int, int]] = []
    best = prompt_choice.choose(
        prompts, model, TEXTS, LABELS, lambda done, total: steps.append((done, total))
    )
    assert steps[-1][0] == steps[-1][1]
    return best


def test_the_best_prompt_leans_to_one_answer_but_orders_the_comments_best() -> None:
    kinds = {cue: Prompt("", (0, 1), cue) for cue in ("weak", "reversed", "good")}
    assert choose(Model(), **kinds) == "good"


@pytest.mark.parametrize(("kinds", "finalists"), [(("weak", "reversed", "good"), ["good"]),
                                                  (("weak", "reversed"), ["weak", "reversed"])])  # fmt: skip
def test_all_prompts_read_some_comments_and_the_best_ones_all(
    kinds: tuple[str, ...], finalists: list[str]
) -> None:
    model = Model()
    choose(model, **{cue: Prompt("", (0, 1), cue) for cue in kinds})
    free = len(prompt_choice.CONTENT_FREE)
    assert {count - free for _, count in model.read} == {100}  # of 200
    assert sorted(cue for cue, _ in model.read[len(kinds) :]) == sorted(finalists)


def test_prompts_that_differ_in_their_answers_are_read_once() -> None:
    model = Model()
    both = {"useless": Prompt("", (0, 2), "good"), "useful": Prompt("", (0, 1), "good")}
    assert choose(model, **both) == "useful"
    assert len(model.read) == 2  # 100 comments, then the rest


def test_the_logit_of_a_class_is_the_mean_of_its_words() -> None:
    means: list[np.ndarray] = []

    def loss(logits: np.ndarray, labels: np.ndarray) -> float:
        means.append(logits)
        return 0.0

    model = Model()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prompt_choice, "calibrated_log_loss", loss)
        choose(
            model, one=Prompt("", (0, 1), "good"), two=Prompt("", (0, 1, 2), "good", counts=(1, 2))
        )
    one, two = (each[:, 1] - each[:, 0] for each in means[:2])
    assert two == pytest.approx(one / 2)


def test_the_loss_ignores_scale_and_offset_but_not_direction() -> None:
    rng = np.random.default_rng(1)
    scores = LABELS + rng.normal(size=len(LABELS))

    def loss(scores: np.ndarray) -> float:
        logits = np.stack([np.zeros(len(scores)), scores], axis=1)
        return prompt_choice.calibrated_log_loss(logits, LABELS)

    assert loss(5 * scores + 40) == pytest.approx(loss(scores), abs=1e-3)
    assert loss(scores) < 0.66
    assert loss(-scores) == pytest.approx(np.log(2), abs=1e-3)


def test_content_free_comments_show_what_the_prompt_alone_makes_probable() -> None:
    logits = np.array([[0.0, 2.0]] * 3)
    corrected = logits[:1] - prompt_choice.content_free(logits)
    assert corrected[0, 0] == pytest.approx(corrected[0, 1])

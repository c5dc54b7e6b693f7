"""Chooses a prompt by what its scores are worth after calibration.

A prompt's raw scores say little: many lean to one answer for any comment (Zhao et al. 2021). Scores
can be calibrated, and a threshold chosen, on the same validation comments. So prompts are
compared by their log loss after the same correction: a scale of at least 0, and an offset between
two classes (Platt 1999). All have the same number of fitted values, one or two, so no
cross-validation is needed. A prompt whose answers are reversed is worth no more than a constant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.transformer.prompting.prompts import Prompt

#: comments that say nothing about their class (Zhao et al. 2021)
CONTENT_FREE = ("N/A", "", "[MASK]")
# Enough to tell bad prompts from good ones: reading is what costs time.
_SCREENED = 100
_FINALISTS = 2
# Log losses on 100 comments that differ by more are no accident: two and a half standard errors.
_CLOSE = 0.1

#: (prompt, comments) → logits of its answers, shape (n, k)
Score = Callable[[Prompt, Sequence[str]], Probabilities]


def choose(
    prompts: dict[str, Prompt],
    score: Score,
    texts: Sequence[str],
    labels: Labels,
    progress: Progress,
) -> str:
    """The name of the best prompt.

    All are tried on 100 comments with an equal share of each class, and the best wording on all, with
    the second one if that is close. Prompts that differ in their answers only are read once.

    Args:
        prompts: at least one.
        labels: shape (n,), of at least two classes.
    """
    wordings = _wordings(prompts)
    first = balanced(labels)
    rest = np.setdiff1d(np.arange(len(labels)), first)
    done, total = 0, len(wordings) * len(first) + min(_FINALISTS, len(wordings)) * len(rest)

    def scores(wording: _Wording, rows: npt.NDArray[np.int64]) -> dict[str, Probabilities]:
        nonlocal done
        found = wording.scores(score, [texts[row] for row in rows])
        done += len(rows)
        progress(done, total)
        return found

    screened = [scores(wording, first) for wording in wordings]
    lowest = [
        min(calibrated_log_loss(found, labels[first]) for found in each.values())
        for each in screened
    ]
    order = sorted(range(len(wordings)), key=lambda place: lowest[place])[:_FINALISTS]
    finalists = [place for place in order if lowest[place] <= lowest[order[0]] + _CLOSE]
    total = done + len(finalists) * len(rest)
    losses: dict[str, float] = {}
    for place in finalists:
        others = scores(wordings[place], rest) if len(rest) else {}
        for name, found in screened[place].items():
            whole = np.concatenate([found, others[name]]) if others else found
            losses[name] = calibrated_log_loss(whole, labels[np.concatenate([first, rest])])
    return min(losses, key=lambda name: losses[name])


def content_free(logits: Probabilities) -> Probabilities:
    """The log of the mean probabilities of `CONTENT_FREE`, shape (k,), from shape (3, k).

    Subtracted from a comment's logits, it divides out what the prompt alone makes probable: the
    contextual calibration of Zhao et al. 2021.
    """
    shares: Probabilities = np.log(softmax(logits, axis=1).mean(axis=0))
    return shares


def calibrated_log_loss(logits: Probabilities, labels: Labels) -> float:
    """The mean log loss after the best scale, at least 0, and for two classes the best offset.

    Args:
        logits: shape (n, k).
        labels: shape (n,).
    """
    pair = logits.shape[1] == 2

    def loss(fitted: npt.NDArray[np.float64]) -> float:
        scaled = fitted[0] * logits + (np.array([0, fitted[1]]) if pair else 0)
        return -float(log_softmax(scaled, axis=1)[np.arange(len(labels)), labels].mean())

    start = np.array([1.0, 0.0] if pair else [1.0])
    bounds = [(0, None), (None, None)][: len(start)]
    return float(minimize(loss, start, method="L-BFGS-B", bounds=bounds).fun)


def balanced(labels: Labels) -> npt.NDArray[np.int64]:
    """The first comments of each class, as many of each as possible, at most 100 in total."""
    present = np.unique(labels)
    each = max(_SCREENED // len(present), 1)
    rows = [np.flatnonzero(labels == label)[:each] for label in present]
    return np.sort(np.concatenate(rows))


@dataclass(frozen=True)
class _Wording:
    """Prompts that differ in their answers only, as one that has the answers of all."""

    prompts: dict[str, Prompt]

    def scores(self, score: Score, texts: Sequence[str]) -> dict[str, Probabilities]:
        """Logits of shape (n, k) by prompt, with contextual calibration."""
        tokens = sum((prompt.tokens for prompt in self.prompts.values()), ())
        joint = replace(next(iter(self.prompts.values())), tokens=tokens, counts=())
        logits = score(joint, [*texts, *CONTENT_FREE])
        found, start = {}, 0
        for name, prompt in self.prompts.items():
            counts = prompt.counts or (1,) * len(prompt.tokens)
            starts = start + np.cumsum([0, *counts[:-1]])
            end = start + len(prompt.tokens)
            own = np.add.reduceat(logits[:, :end], starts, axis=1) / counts
            found[name] = own[: len(texts)] - content_free(own[len(texts) :])
            start = end
        return found


def _wordings(prompts: dict[str, Prompt]) -> list[_Wording]:
    alike: dict[tuple[str, str], dict[str, Prompt]] = {}
    for name, prompt in prompts.items():
        alike.setdefault((prompt.question, prompt.cue), {})[name] = prompt
    return [_Wording(each) for each in alike.values()]

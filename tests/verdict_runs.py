"""Runs of given accuracies, for each outcome of a verdict."""

import dataclasses
from typing import Any

import numpy as np

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import measured, unavailable
from worthit.models.registry import MODELS
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules
from worthit.reports.verdict.rules import Verdict

COMMENTS = 3_000
VALIDATION = 1_000
RATES = {
    "tfidf": 3_000.0, "lsa": 3_000.0, "bert": 400.0, "llama": 40.0, "llama-zero-shot": 40.0,
    "llama-few-shot": 30.0, "llama-qlora": 4.0,
}  # fmt: skip


def labels(comments: int) -> tuple[int, ...]:
    return (1, 0) * (comments // 2)


def scores(
    comments: int, right: float, sure: float | None = None, shift: int = 0
) -> tuple[float, ...]:
    """Probabilities that classify the first `right` share of the comments correctly.

    Args:
        sure: share of the comments, from the first on, with probabilities far from 0.5.
        shift: number of comments by which both shares are moved.
    """
    correct = np.roll(np.arange(comments) < round(right * comments), shift)
    is_sure = np.roll(np.arange(comments) < round((sure or 1.0) * comments), shift)
    likely = np.where(is_sure, 0.95, 0.6)
    truth = np.asarray(labels(comments)) == 1
    return tuple(np.where(correct == truth, likely, 1 - likely).tolist())


def cell(model: str, right: float, **given: Any) -> record.CellRecord:
    """A cell that classifies this share of the test and validation comments correctly."""
    comments = given.pop("comments", COMMENTS)
    sure, shift = given.pop("sure", None), given.pop("shift", 0)
    trained = model not in ("llama-zero-shot", "llama-few-shot")
    clock = measured(10.0, "s", "clock") if trained else unavailable("s", record.NOT_TUNED)
    p99_ms = given.pop("p99_ms", 20.0)
    milliseconds = tuple(np.linspace(p99_ms / 2, p99_ms, 400).tolist())
    test = scores(comments, right, sure, shift)
    base = record.CellRecord(
        model, "cpu", given.pop("seed", 0),
        setup=factories.setup(
            settings={"checkpoint": "small"}, checkpoint="a package", checkpoint_identity="id",
            kind=MODELS[model].kind, seeded=MODELS[model].seeded,
        ),
        training=factories.training(clock, parameters=135_000_000, comments=1_000),
        latency=factories.latency(
            milliseconds, *(measured(part * p99_ms, "ms", "c", 400) for part in (0.75, 0.95, 1))
        ),
        throughput=factories.throughput(RATES[model]),
        memory=factories.memory(900),
        quality=record.Quality(test, test, test, 1.0, 0.0, scores(VALIDATION, right, sure, shift)),
    )  # fmt: skip
    return dataclasses.replace(base, **given)


def run(*cells: record.CellRecord, **options: str) -> record.Run:
    first = cells[0].quality
    assert first is not None
    comments = len(first.test)
    test = factories.part(labels(comments))
    sizes = {"balanced": 30_000, "train": 1_000, "test, balanced": comments, "natural": comments}
    steps = tuple(step for name, size in sizes.items() for step in factories.steps((name,), size))
    return factories.run(
        factories.data(test, steps=steps, validation=factories.part(labels(VALIDATION))), *cells,
        options=factories.options(**options), noise=measured(2.0, "%", "loop"),
    )  # fmt: skip


def decide(*cells: record.CellRecord, **options: str) -> Verdict:
    """The verdict on a run of these cells."""
    return rules.decide(Analysis.of(run(*cells, **options)))


def discordant(
    comments: int, only_llm: int, only_rival: int, *others: record.CellRecord, **options: str
) -> Verdict:
    """The verdict on llama and bert, which differ on these numbers of comments."""
    correct = comments - only_llm - only_rival  # by both, the first comments
    llm = np.arange(comments) < correct + only_llm
    rival = (np.arange(comments) < correct) | (np.arange(comments) >= correct + only_llm)
    cells = (correct_on("bert", rival), correct_on("llama", llm))
    return decide(*cells, *others, **options)


def correct_on(model: str, correct: np.ndarray, **given: Any) -> record.CellRecord:
    """A cell that classifies exactly these test comments correctly."""
    truth = np.asarray(labels(len(correct))) == 1
    test = tuple(np.where(correct == truth, 0.9, 0.1).tolist())
    base = cell(model, 0.9, comments=len(correct), **given)
    quality = record.Quality(test, test, test, 1.0, 0.0, scores(VALIDATION, 0.9))
    return dataclasses.replace(base, quality=quality)

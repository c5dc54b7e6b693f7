"""bench/speed/entry.py: an entry works slice by slice."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from worthit.bench.speed import bert as bert_implementations
from worthit.bench.speed import comparison, implementations
from worthit.bench.speed.entry import EntryWork, PausableTraining
from worthit.bench.speed.implementations import Task
from worthit.datasets import prepare
from worthit.datasets.errors import CellError
from worthit.models import bert, llama
from worthit.models.contract import Probabilities


def test_the_scores_of_all_slices_omit_the_warm_up(
    scoring_task: Callable[[str], Task], split: str
) -> None:
    task = dataclasses.replace(scoring_task("bert"), implementation="worthit", split=split)
    texts = prepare.comments(split, "test").texts
    task = dataclasses.replace(task, slices=2, slice_comments=len(texts) // 3)
    entry = EntryWork(task)
    assert entry.setup()["scoring_batch_size"] == 128
    assert [entry.slice(1), entry.slice(2)] == [task.slice_comments] * 2
    outcome = entry.finish()
    ours = implementations.Ours(task)
    ours.load()
    timed = range(task.slice_comments, task.comments)
    assert outcome.numbers == tuple(timed)
    expected = ours.score([texts[number] for number in timed])
    np.testing.assert_allclose(outcome.scores, expected, atol=1e-6)
    assert outcome.memory.peak_mb.value is None or outcome.memory.peak_mb.value > 50


class CountingEntry:
    """Scores each comment with its number of characters."""

    def __init__(self, task: Task) -> None:
        self.batches: list[int] = []

    def load(self) -> None: ...

    def score(self, texts: Sequence[str]) -> Probabilities:
        self.batches.append(len(texts))
        return np.array([float(len(text)) for text in texts])


@pytest.mark.parametrize(
    ("seconds", "batches", "scored"),
    [
        (60.0, [4, 4, 4, 24], list(range(8, 40))),  # the rest of the slices, then new comments
        (0.0, [4, 4, 4], [8, 9, 10, 11, 16, 17, 18, 19]),
    ],
)
def test_a_slow_entry_works_on_a_part_of_each_slice_and_scores_the_rest_untimed(
    split: str,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    batches: list[int],
    scored: list[int],
) -> None:
    monkeypatch.setattr(implementations, "implementation_class", lambda name: CountingEntry)
    task = Task("bert", False, "cpu", "fp32", "", split, slices=2, slice_comments=8)
    task = dataclasses.replace(task, part=0.5, accuracy_comments=32, accuracy_seconds=seconds)
    entry = EntryWork(task)
    entry.setup()
    assert [entry.slice(1), entry.slice(2)] == [4, 4]
    outcome = entry.finish()
    texts = prepare.comments(split, "test").texts
    assert sorted(outcome.numbers) == scored
    assert list(outcome.scores) == [len(texts[number]) for number in outcome.numbers]
    assert entry._implementation.batches == batches


@pytest.mark.parametrize("implementation", ["llm-reference", "bert-reference", "bert-huggingface"])
def test_a_training_is_timed_in_slices_and_then_scores_the_test_comments(
    tiny_bert: Path, tiny_llama: Path, tmp_path: Path, split: str, implementation: str
) -> None:
    model = bert.Bert() if implementation.startswith("bert") else llama.Llama()
    checkpoint = tiny_bert if implementation.startswith("bert") else tiny_llama
    task = Task(
        model.name, True, "cpu", "fp32", str(checkpoint), split, slices=2, slice_comments=32,
        accuracy_comments=12, accuracy_seconds=60.0, weights_folder=str(tmp_path),
        settings=model.get_params() | {"learning_rate": 1e-3},
        implementation=implementation,
    )  # fmt: skip
    entry = EntryWork(task)
    assert entry.setup() == {}
    assert [entry.slice(1), entry.slice(2)] == [32, 32]
    outcome = entry.finish()
    assert outcome.numbers == tuple(range(12))
    scores = np.array(outcome.scores)
    assert scores.shape == (12,)
    assert ((scores > 0) & (scores < 1)).all()


def test_a_training_pauses_between_slices() -> None:
    steps: list[int] = []

    def fit(progress: Callable[[int, int], None]) -> None:
        for done in (8, 16, 24, 32):
            steps.append(done)
            progress(done, 32)
        steps.append(-1)  # the end of the training

    training = PausableTraining(fit)
    assert steps == []
    assert training.advance(10) == 16
    assert steps == [8, 16]
    assert training.advance(16) == 8  # 16 were done already, but a slice is never empty
    assert training.advance(32) == 8
    assert steps == [8, 16, 24, 32, -1]
    assert training.advance(32) == 0


@pytest.mark.parametrize(
    ("name", "batches"),
    [
        ("llm-train", [llama.Llama().get_params()["batch_size"], 1]),
        ("bert-train", [bert.Bert().get_params()["batch_size"], bert_implementations._REFERENCE_BATCH]),
    ],
)  # fmt: skip
def test_a_slice_of_the_largest_batch_is_never_empty(name: str, batches: list[int]) -> None:
    size = comparison.COMPARISONS[name].largest_batch
    assert size == max(batches)
    for batch in batches:

        def fit(progress: Callable[[int, int], None], batch: int = batch) -> None:
            for done in range(batch, 4 * size + batch, batch):
                progress(min(done, 4 * size), 4 * size)

        training = PausableTraining(fit)
        assert all(training.advance(number * size) for number in (1, 2, 3, 4))


def test_a_training_that_fails_raises_its_error_instead_of_waiting() -> None:
    def fit(progress: Callable[[int, int], None]) -> None:
        raise CellError("no luck")

    with pytest.raises(CellError, match="no luck"):
        PausableTraining(fit).advance(8)

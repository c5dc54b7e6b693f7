"""Cells on multi-label comments: trained, scored, tuned and recorded; models that cannot are refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.tables.test_multilabel import NAMES, flags
from worthit.bench.cell import Cell
from worthit.bench.cells import curve_sizes, trials
from worthit.bench.cells.work import Work
from worthit.bench.forecast import cost
from worthit.bench.presets import Effort
from worthit.bench.saved import data_record, record
from worthit.datasets import prepare
from worthit.datasets.audit.audit import examine
from worthit.datasets.splits.manifest import Prepared
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices

SIGNS = (("page", "stupid"), ("river", "liar"), ("music", "kill"))


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    rows = [
        ",".join([" ".join(sign[has] for sign, has in zip(SIGNS, of, strict=True)) + f" {row}", *map(str, of)])
        for row, of in enumerate(flags(600).tolist())
    ]  # fmt: skip
    (file := tmp_path / "mine.csv").write_text("\n".join([",".join(["text", *NAMES]), *rows]))
    return prepare.prepare(str(file), Protocol(), Choices(label_column=",".join(NAMES)))


def started(prepared: Prepared, model: str = "tfidf", tune_s: float | None = None) -> Work:
    cell = Cell(model, "cpu", 0, prepared.key, effort=Effort(), tune_s=tune_s)
    work = Work(cell, lambda done, total: None)
    work.setup()
    return work


def test_a_record_has_a_probability_for_each_label(prepared: Prepared) -> None:
    work = started(prepared)
    work.load(work.train().artifact)
    quality = work.quality()
    data = data_record.data(prepared, (), examine(prepared.key))
    for part in ("train", "test", "natural", "validation"):
        truth = np.reshape(getattr(data, part).labels, (-1, 3))
        found = np.reshape(getattr(quality, part), (-1, 3))
        assert len(found) == len(getattr(data, part).ids)
        assert ((found >= 0.5) == truth).mean() > 0.95
    size = curve_sizes.curve_sizes(prepare.comments(prepared.key, "train").labels)[0]
    assert len(work.curve_point(size).test) == len(quality.test)


def test_settings_are_searched_by_the_mean_average_precision(prepared: Prepared) -> None:
    found = started(prepared, "lsa", tune_s=3.0).tune([100, 200])
    assert found.measure == "average precision"
    assert found.given_score is not None
    assert found.given_score > 0.9


def judged(scores: Sequence[Sequence[float]], labels: Sequence[Sequence[int]]) -> trials.Score:
    return trials.judge(np.array(scores), np.array(labels, np.int16), "average precision")


def test_scores_of_labels_are_judged_by_the_means_over_labels() -> None:
    labels = [[1, 0], [0, 1], [0, 0]]
    good = judged([[0.9, 0.1], [0.1, 0.9], [0.2, 0.2]], labels)
    half = judged([[0.9, 0.9], [0.1, 0.1], [0.2, 0.2]], labels)
    assert good.value == 1.0
    assert half.value == pytest.approx((1 + 1 / 3) / 2)
    assert good.negative_loss > half.negative_loss
    corrected = trials.with_shares_of(np.array([[1, 0], [0, 0]]), np.array([[0.5, 0.5]]))
    assert corrected == pytest.approx(np.array([[0.5, 0.5 / 3]]))


def test_a_part_of_a_learning_curve_has_comments_with_and_without_each_label() -> None:
    labels = np.zeros((400, 2), np.int16)
    labels[::2, 0], labels[150, 1] = 1, 1
    assert curve_sizes.curve_sizes(labels) == [200]


def test_an_llm_is_forecast_to_read_a_comment_once_for_each_label() -> None:
    from worthit.bench.forecast.networks import Network

    network = Network(135_000_000, 100_000_000, 576, 30, True, None)
    work = cost.Work(train=100, validation=50, scored=200, characters=200, classes=3, labels=3)
    one, three = (
        cost.of_transformer(
            network, cost.Training(passes=1), work, 50, 1e12, cores=2, bytes_per_weight=2, sequences=n
        )
        for n in (1, 3)
    )  # fmt: skip
    assert three.score_s == pytest.approx(3 * one.score_s)
    assert three.train_s == pytest.approx(3 * one.train_s)
    assert three.training_mb == one.training_mb


def test_labels_count_as_probabilities_even_if_there_are_two() -> None:
    assert record.probabilities_per_comment(("a", "b"), True) == 2
    assert record.probabilities_per_comment(("a", "b"), False) == 1

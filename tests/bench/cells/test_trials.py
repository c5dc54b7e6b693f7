"""bench/cells/trials.py and the operation `tune`: what a search reads, judges, saves and passes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.in_process_worker import InProcessWorker
from worthit.bench.cell import Cell
from worthit.bench.cells import cell_run, trials, tuning
from worthit.bench.cells.progress import Progress
from worthit.bench.cells.tuning import OutOfTimeError
from worthit.bench.cells.work import Work
from worthit.bench.saved import record
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, OptionError
from worthit.models import registry
from worthit.models.tfidf import TfIdf

SIZES = [98, 196]


@pytest.fixture
def best_at_80(split: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces training and scoring: all comments are right with C = 80. The sizes that were trained on."""
    labels = prepare.comments(split, "validation").labels
    trained: list[int] = []

    def scored(
        model: Any, texts: Any, train_labels: Any, validation: Any, progress: Any
    ) -> trials.Scored:
        trained.append(len(texts))
        right = labels if model.settings.C == 80.0 else 1 - labels
        return trials.Scored(np.eye(2)[right], 0.01, 0.001)

    monkeypatch.setattr(trials, "train_and_score", scored)
    return trained


def work(cell: Cell) -> Work:
    at_work = Work(cell, lambda done, total: None)
    at_work.setup()
    return at_work


def test_a_search_reads_no_test_comment(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, str]] = []
    comments = prepare.comments

    def recorded(key: str, part: str) -> prepare.Comments:
        read.append((key, part))
        return comments(key, part)

    monkeypatch.setattr(prepare, "comments", recorded)
    found = work(Cell("lsa", "cpu", 0, split, tune_s=5.0)).tune(SIZES)
    assert found.tried > 1
    assert sorted(read) == [(split, "train"), (split, "validation")]


def test_the_result_depends_on_the_budget_and_is_not_searched_twice(
    split: str, best_at_80: list[int]
) -> None:
    def tune(budget_s: float, **changed: Any) -> record.Tuning:
        return work(Cell("tfidf", "cpu", 0, split, tune_s=budget_s, **changed)).tune(SIZES)

    first = tune(30.0)
    assert (first.chosen["C"], first.given["C"]) == (80.0, 20.0)
    assert first.given.keys() == first.chosen.keys()
    assert (first.given_score, first.chosen_score, first.measure) == (0.0, 1.0, "accuracy")
    assert first.search_s.origin == "measured"
    count = len(best_at_80)
    again = tune(30.0)
    assert (again.search_s.origin, again.chosen, len(best_at_80)) == ("cached", first.chosen, count)
    assert tune(31.0).search_s.origin == "measured"
    assert tune(30.0, retrain=True).search_s.origin == "measured"


def test_a_cell_trains_with_the_settings_that_were_found(
    split: str, best_at_80: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    cell = Cell("tfidf", "cpu", 0, split, tune_s=30.0)
    with (tmp_path / "progress").open("w") as stream:
        run = cell_run.CellRun(cell, tmp_path / "log", 60, Progress(stream), lambda cell: None)
        training = run.train()
        run.close()
    assert run.record.tuning is not None
    chosen = run.record.tuning.chosen
    assert chosen["C"] == 80.0
    assert training.settings | chosen == training.settings
    assert run.cell.settings == chosen  # for the learning curve, and every other process
    assert "C 80.0" in (tmp_path / "progress").read_text()
    assert max(best_at_80) == len(prepare.comments(split, "train"))


def test_a_search_that_fails_leaves_the_given_settings(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(InProcessWorker):
        """Cannot tune."""

        def ask(self, operation: str, *arguments: Any, **more: Any) -> Any:
            if operation == "tune":
                raise CellError("the process died")
            return super().ask(operation, *arguments, **more)

    monkeypatch.setattr(cell_run, "Worker", Failing)
    cell = Cell("majority", "cpu", 0, split, tune_s=30.0)
    with (tmp_path / "progress").open("w") as stream:
        run = cell_run.CellRun(cell, tmp_path / "log", 60, Progress(stream), lambda cell: None)
        run.train()
        run.close()
    assert run.record.failures == ("tuning: the process died",)
    assert run.record.tuning is None
    assert run.record.training is not None


def test_a_model_without_a_search_space_says_so(split: str) -> None:
    found = work(Cell("majority", "cpu", 0, split, tune_s=30.0)).tune(SIZES)
    assert (found.trials, found.chosen, found.reason) == (0, {}, tuning.NOTHING_TO_TUNE)
    assert found.search_s.value is None


def test_an_unknown_setting_in_a_search_space_is_an_error(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TfIdf, "search_space", classmethod(lambda cls, comments: {"depth": (1,)}))
    with pytest.raises(OptionError, match="tfidf has no setting 'depth'"):
        work(Cell("tfidf", "cpu", 0, split, tune_s=30.0)).tune(SIZES)


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_search_space_has_settings_of_its_model(name: str) -> None:
    if registry.MODELS[name].trained_as:
        return  # tuned as the other model
    kind = registry.model_class(name)
    given = kind().get_params()
    for comments in (100, 1_000, 100_000):
        for setting, values in kind.search_space(comments).items():
            assert len(set(values)) == len(values) > 1
            for value in values:
                assert kind().set_params(**{setting: value}).get_params() == given | {
                    setting: value
                }


@pytest.mark.parametrize("name", registry.MODELS)
def test_the_given_settings_are_in_the_search_space(name: str) -> None:
    if registry.MODELS[name].trained_as:
        return  # tuned as the other model
    kind = registry.model_class(name)
    given = kind().get_params()
    for setting, values in kind.search_space(1_000).items():
        assert given[setting] in values, setting


@pytest.mark.parametrize(
    ("name", "settings", "few", "many"),
    [
        ("bert", {}, 4, 1),
        ("bert", {"epochs": 3}, 3, 3),
        ("embeddings", {}, 1, 1),
        ("llama-head", {"adapted_share": 0.0}, 1, 1),
        ("llama-head", {}, 4, 1),
        ("word2vec", {}, 100, 93),
        ("fasttext", {"epochs": 7}, 7, 7),
        ("tfidf", {}, 1, 1),
    ],
)
def test_a_model_says_how_often_it_reads_comments(
    name: str, settings: dict[str, Any], few: int, many: int
) -> None:
    model = registry.model_class(name)().set_params(**settings)
    assert [model.count_passes(["four words are here"] * n) for n in (250, 4_000)] == [few, many]


def test_the_head_of_an_llm_is_tuned_too() -> None:
    space = registry.model_class("llama-head").search_space(1_000)
    assert space["adapted_share"] == (0.0, 0.5, 1.0)
    assert {"C", "learning_rate", "epochs", "r"} <= space.keys()


def test_a_trial_stops_at_its_deadline_unless_it_is_done() -> None:
    check = trials.until(10.0, lambda: 11.0)
    check(5, 5)
    with pytest.raises(OutOfTimeError):
        check(4, 5)
    trials.until(10.0, lambda: 9.0)(1, 5)


def test_settings_are_judged_by_accuracy_unless_a_class_is_rare() -> None:
    assert trials.measure(np.array([0, 1] * 10), 2) == "accuracy"
    assert trials.measure(np.array([0] * 9 + [1]), 2) == "average precision"
    assert trials.measure(np.array([0] + [1] * 9), 2) == "average precision"
    assert trials.measure(np.array([0, 1, 2] * 9), 3) == "accuracy"
    assert trials.measure(np.array([0] * 9 + [1, 2]), 3) == "average precision"


def test_scores_are_judged_by_hand() -> None:
    labels = np.array([0, 0, 1])
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    assert trials.judge(scores, labels, "accuracy").value == pytest.approx(2 / 3)
    assert trials.judge(scores, labels, "average precision").value == 0.5  # second of two
    surer = scores.copy()
    surer[0] = 0.99, 0.01
    assert trials.judge(surer, labels, "accuracy") > trials.judge(scores, labels, "accuracy")
    squared = scores**2 / (scores**2).sum(axis=1, keepdims=True)  # the same, but twice as sure
    by_loss = [trials.judge(one, labels, "accuracy").negative_loss for one in (scores, squared)]
    assert by_loss[0] == pytest.approx(by_loss[1], abs=1e-3)
    three = np.eye(3)[[0, 1, 0]]
    assert trials.judge(three, np.array([0, 1, 2]), "accuracy").value == pytest.approx(2 / 3)
    # class 0: a tie at the top of one hit and one miss; class 2: a tie of all three
    by_area = trials.judge(three, np.array([0, 1, 2]), "average precision").value
    assert by_area == pytest.approx((1 / 2 + 1 + 1 / 3) / 3)
    with pytest.raises(CellError, match="not numbers"):
        trials.judge(scores * np.nan, labels, "accuracy")


def test_scores_for_equal_classes_become_those_for_the_labels_shares() -> None:
    labels = np.array([0] * 18 + [1], np.int16)  # with half a comment more each: 18.5 to 1.5
    found = trials.with_shares_of(labels, np.array([[0.5, 0.5], [0.0, 1.0]]))
    assert found == pytest.approx(np.array([[0.925, 0.075], [0.0, 1.0]]))

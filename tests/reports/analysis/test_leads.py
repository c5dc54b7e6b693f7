"""reports/analysis/leads.py: what decides, and what an interval says of a worthwhile lead."""

import dataclasses

import numpy as np
import pytest

from tests import factories, multiclass_runs
from tests.scored_runs import cell, draw
from worthit.bench.saved.record import Run
from worthit.reports.analysis import leads
from worthit.reports.analysis.leads import Standing
from worthit.reports.statistics import bootstrap, metrics


def run(labels: tuple[int, ...], *scores: tuple[float, ...], classes: int = 2) -> Run:
    cells = [cell(f"m{i}", one) for i, one in enumerate(scores)]
    names = factories.CLASSES if classes == 2 else tuple("abcdefgh"[:classes])
    return factories.run(factories.data(factories.part(labels), classes=names), *cells)


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (0.01, 0.03, "better"),
        (0.009, 0.03, "undecided"),
        (-0.009, 0.009, "equivalent"),
        (-0.009, 0.01, "undecided"),
        (-0.005, -0.001, "equivalent"),  # worse, by less than what is worth anything
        (-0.02, -0.001, "worse"),
        (-0.02, 0.005, "not better"),
        (-0.02, 0.02, "undecided"),
    ],
)
def test_an_interval_is_compared_with_the_worthwhile_lead(
    low: float, high: float, standing: Standing
) -> None:
    assert leads.standing(low, high, 0.01) == standing


@pytest.mark.parametrize(
    ("labels", "classes", "measure", "guessing"),
    [
        ((1, 0) * 10, 2, metrics.ACCURACY, 0.5),
        ((1,) * 4 + (0,) * 16, 2, metrics.ACCURACY, 0.8),
        ((1,) * 3 + (0,) * 17, 2, metrics.AVERAGE_PRECISION, 0.15),
        ((1,) * 17 + (0,) * 3, 2, metrics.BALANCED_ACCURACY, 0.5),
        ((0, 1, 2) * 5 + (0,) * 4, 3, metrics.ACCURACY, 9 / 19),
        ((0,) * 15 + (1, 2) * 2, 3, metrics.MACRO_RECALL, 1 / 3),
        ((1,) * 10, 2, metrics.ACCURACY, 1.0),
    ],
)
def test_the_figure_that_decides_has_no_advantage_for_guessing(
    labels: tuple[int, ...], classes: int, measure: metrics.Measure, guessing: float
) -> None:
    made = run(labels, classes=classes)
    assert leads.measure(made) == measure
    assert leads.guessing(made) == pytest.approx(guessing)


def test_guessing_at_a_recall_is_to_flag_every_comment() -> None:
    rare = run((1,) * 3 + (0,) * 17)
    made = dataclasses.replace(rare, options={"--objective": "recall"})
    assert leads.measure(made) == metrics.ACCURACY
    assert leads.guessing(made) == pytest.approx(0.15)  # never flagging one has 0.85, and no recall


def test_a_lead_in_accuracy_is_that_of_the_bootstrap() -> None:
    good, labels = draw(400, 0.5)
    made = run(labels, good, draw(400, 0.8, seed=3)[0])
    lead = leads.lead(made, *([one] for one in made.cells), bootstrap.counts(400))
    correct = [leads.correct(labels, [np.asarray(one.quality.test)]) for one in made.cells
               if one.quality is not None]  # fmt: skip
    drawn = (correct[0] - correct[1])[0] @ bootstrap.counts(400, 4_000) / 400
    assert (lead.low, lead.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.008)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_lead_in_another_figure_covers_comments_and_trainings(share: float) -> None:
    labels = draw(600, 0.5, share=share)[1]
    made = run(
        labels,
        *(draw(600, noise, share=share, seed=i)[0] for i, noise in ((2, 0.4), (3, 0.9), (4, 0.5))),
    )
    first, second, again = made.cells
    counts = bootstrap.counts(600)
    once = leads.lead(made, [first], [second], counts)
    twice = leads.lead(made, [first, dataclasses.replace(again, seed=1)], [second], counts)
    deciding = leads.measure(made)
    values = [deciding.value(one.quality.test, labels) for one in made.cells if one.quality]
    assert once.value == pytest.approx(values[0] - values[1])
    assert twice.value == pytest.approx((values[0] + values[2]) / 2 - values[1])
    assert once.low < once.value < once.high
    assert twice.spread.trainings > once.spread.trainings == 0


def test_a_perfect_score_has_an_interval() -> None:
    labels = (1,) * 3 + (0,) * 30
    made = run(labels, tuple(map(float, labels)))
    found = leads.deciding(made, made.cells[0])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 1.96 / 3, abs=1e-3)


def test_a_score_of_0_has_an_interval_from_0_on() -> None:
    never = run((1, 0) * 10, (0.1,) * 20)
    found = leads.deciding(
        dataclasses.replace(never, options={"--objective": "f1"}), never.cells[0]
    )
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high > 0.1


def test_a_comment_of_the_rarest_of_many_classes_moves_their_mean_by_a_share() -> None:
    assert leads.of_one((0,) * 60 + tuple(range(1, 40))) == pytest.approx(1 / 40**2)
    assert leads.of_one((1,) * 3 + (0,) * 30) == pytest.approx(1 / 3**2)


def test_seeds_that_differ_more_than_comments_cannot_be_decided_by_comments() -> None:
    first = np.stack([np.arange(1_000) < 900, np.arange(1_000) < 960]).astype(float)
    second = np.stack([np.arange(1_000) < 930]).astype(float)
    assert leads.of_accuracy(first, second).comments_to_decide(0.01) == np.inf


def test_three_classes_of_equal_size_are_decided_by_accuracy() -> None:
    labels = multiclass_runs.draw_labels(60, 3, seed=1)
    assert leads.measure(run(tuple(labels), classes=3)) == metrics.ACCURACY

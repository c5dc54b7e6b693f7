"""reports/analysis/labels.py: gains from more labels on curves whose truth is known."""

import dataclasses

import numpy as np
import pytest

from tests.verdict_runs import COMMENTS, cell, run, scores
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.analysis import labels
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import learning

SIZES = (62, 125, 250, 500, 1_000)


def law(comments: float, last: float = 0.06) -> float:
    """The error after training on that many comments."""
    return last + 3 * comments**-0.6


def curve(model: str, accuracies: list[float]) -> record.CellRecord:
    *smaller, whole = accuracies
    points = tuple(
        record.CurvePoint(size, measured(1.0, "s", "clock"), scores(COMMENTS, right))
        for size, right in zip(SIZES[-len(accuracies) : -1], smaller, strict=True)
    )
    return dataclasses.replace(cell(model, whole), learning_curve=points)


def section(*cells: record.CellRecord, **options: str) -> str:
    return "\n\n".join(learning.section(Analysis.of(run(*cells, **options))))


@pytest.mark.parametrize("last", [0.0, 0.06, 0.2])
def test_the_gain_on_an_exact_power_law_is_found(last: float) -> None:
    found = labels.gain(SIZES, [law(size, last) for size in SIZES], 200)
    assert found.value == pytest.approx(law(1_000) - law(1_200), rel=0.05)
    assert found.is_determined


@pytest.mark.parametrize("last", [0.0, 0.08])
@pytest.mark.parametrize("exponent", [0.3, 1.0])
def test_intervals_contain_the_true_gain_about_as_often_as_they_say(
    last: float, exponent: float
) -> None:
    rng = np.random.default_rng(5)
    sizes = np.asarray(SIZES, float)

    def error(comments: np.ndarray | float) -> np.ndarray | float:
        return last + 0.9 * (comments / 20) ** -exponent

    truth = error(1_000.0) - error(1_200.0)
    found = [
        labels.gain(SIZES, error(sizes) + 0.01 * rng.normal(size=len(SIZES)), 200)
        for _ in range(400)
    ]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.91 < covered <= 1.0


def test_a_flat_curve_rarely_shows_a_gain() -> None:
    rng = np.random.default_rng(6)
    found = [labels.gain(SIZES, 0.2 + 0.01 * rng.normal(size=5), 200) for _ in range(400)]
    assert np.mean([one.is_determined for one in found]) < 0.05


def test_more_labels_are_compared_with_another_model() -> None:
    tfidf = curve("tfidf", [1 - law(size) for size in SIZES])
    text = section(tfidf, cell("llama", 0.96), label_price="0.5")
    assert "The next 200 labels cost 100." in text
    assert "- 200 more labels gain tfidf an estimated 0.5 (" in text
    assert "changing to llama gains 6.8 (" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| tfidf") and "≈" in line]
    assert "*≈0.5 (" in row
    assert row.split("|")[4].strip() == "llama +6.8"
    assert row.split("|")[5].strip() == "over 1,000"  # labels that gain as much


def test_labels_that_gain_as_much_as_another_model_are_counted_and_priced() -> None:
    accuracies = [1 - law(size) for size in SIZES]
    found = labels.prospects(
        made := run(curve("tfidf", accuracies), cell("llama", accuracies[-1] + 0.012)),
        (analysis := Analysis.of(made)).curves,
        analysis.pairs,
    )
    assert found[0].better == "llama"
    assert found[0].labels is not None
    assert law(1_000) - law(1_000 + found[0].labels) == pytest.approx(0.012, rel=0.1)


def test_what_a_curve_does_not_show_is_not_determined() -> None:
    flat = section(curve("tfidf", [0.8, 0.82, 0.79, 0.81, 0.8]), label_price="0.5")
    assert "not determined, -" in flat
    assert "too noisy or too flat to tell the gain to within a factor of 10" in flat
    wide = labels.Gain(0.001, 0.0005, 0.013)
    assert not wide.is_determined
    assert labels.Gain(0.001, 0.0005, 0.004).is_determined
    short = section(curve("tfidf", [0.8, 0.82, 0.84]), label_price="0.5")
    assert "a curve needs 4 points, this one has 3" in short


def test_no_gain_is_extrapolated_beyond_twice_the_labels() -> None:
    made = curve("tfidf", [0.7, 0.8, 0.85, 0.88])
    small = tuple(
        dataclasses.replace(point, comments=size)
        for point, size in zip(made.learning_curve, (20, 40, 80), strict=True)
    )
    training = dataclasses.replace(made.training, comments=160)  # type: ignore[type-var]
    text = section(
        dataclasses.replace(made, learning_curve=small, training=training), label_price="1"
    )
    assert "200 labels more than double 160, too far to extrapolate" in text


def test_the_price_of_labels_needs_a_curve_and_a_curve_needs_no_price() -> None:
    without = section(cell("tfidf", 0.8), label_price="0.5")
    assert "`pytest bench/ --learning-curve`" in without
    assert without.count("\n") == 2
    assert section(cell("tfidf", 0.8)) == ""
    assert "labels" not in section(curve("tfidf", [0.7, 0.8, 0.85, 0.88]))

"""reports/pictures/frontier.py: one panel for each cost."""

import dataclasses
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.frontier_runs import CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, cell, estimated, run
from worthit.bench.saved.record import NOT_TUNED, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import Frontier
from worthit.reports.pictures import frontier, pictures, style, titles


def test_one_model_has_no_picture(tmp_path: Path) -> None:
    assert titles.FRONTIER not in pictures.draw(Analysis.of(run(CHEAP_AND_BAD)), tmp_path)


def test_a_price_of_zero_is_drawn(tmp_path: Path) -> None:
    free = run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, options={"--machine-price": "0"})
    assert titles.FRONTIER in pictures.draw(Analysis.of(free), tmp_path)


def test_the_picture_is_reproducible_even_with_missing_costs(tmp_path: Path) -> None:
    training = dataclasses.replace(cell("x").training, train_s=unavailable("s", NOT_TUNED))  # type: ignore[type-var]
    cells = [
        CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, estimated("tfidf", range(6), 2.0),
        cell("llama-zero-shot", range(110), 30.0, training=training, memory=None),
    ]  # fmt: skip
    drawn = []
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        assert titles.FRONTIER in pictures.draw(Analysis.of(run(*cells)), tmp_path / attempt)
        drawn.append((tmp_path / attempt / "frontier.png").read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(("low", "high"), [(226.6, 227.2), (0.35, 0.45), (0.2, 30.0), (1.0, 9e4)])
def test_a_logarithmic_axis_has_a_few_plain_ticks_for_any_span(low: float, high: float) -> None:
    figure, axes = plt.subplots()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    style.plain_log(axes.xaxis)
    figure.canvas.draw()
    left, right = axes.get_xlim()
    assert left <= low
    assert high <= right
    visible = [tick for tick in axes.get_xticks() if left <= tick <= right]
    assert 2 <= len(visible) <= 6
    assert {f"{tick:.3e}"[:5] for tick in visible} <= {"1.000", "2.000", "5.000"}
    plt.close(figure)


def test_seeds_share_a_marker_and_one_line_of_a_legend_that_fits() -> None:
    again = [dataclasses.replace(EXPENSIVE_AND_GOOD, seed=seed) for seed in (0, 1, 2)]
    names = (
        "llama",
        "llama-zero-shot",
        "llama-qlora",
        "tfidf",
        "word2vec",
        "a-model-with-a-long-name",
    )
    others = [cell(name, range(9), 3.0) for name in names]
    found = run(
        CHEAP_AND_BAD, *again, *others, *(dataclasses.replace(one, device="cuda") for one in others)
    )
    figure = frontier.draw(Analysis.of(found))
    assert figure is not None
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.legends[-1].get_texts()]
    assert labels.count("bert-cpu") == 1
    assert not any("seed" in label for label in labels)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
    plt.close(figure)


def test_an_interval_beside_its_figure_is_drawn() -> None:
    analysis = Analysis.of(run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD))

    def beside(one: Frontier) -> Frontier:
        points = [
            dataclasses.replace(point, accuracy=dataclasses.replace(point.accuracy, high=0.6))
            for point in one.points
        ]
        return dataclasses.replace(one, points=tuple(points))

    found = dataclasses.replace(analysis, frontiers=tuple(map(beside, analysis.frontiers)))
    figure = frontier.draw(found)
    assert figure is not None
    plt.close(figure)


def test_a_name_longer_than_the_legend_has_a_line_of_its_own() -> None:
    long = cell("x" * 110, range(9), 3.0)
    # With a price there are six panels, so the legend is below them.
    figure = frontier.draw(
        Analysis.of(run(long, EXPENSIVE_AND_GOOD, options={"--machine-price": "1"}))
    )
    assert figure is not None
    assert len(figure.legends) == 2
    plt.close(figure)

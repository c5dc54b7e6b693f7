"""reports/verdict.py, cascade.py, learning.py: each outcome from a run made to lead to it."""

import dataclasses
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from worthit.bench import record
from worthit.bench.record import Figure, measured, unavailable
from worthit.reports import (
    cascade,
    cascade_picture,
    frontier,
    frontier_picture,
    learning,
    markdown,
    pictures,
    verdict,
)
from worthit.reports.looks import looks
from worthit.reports.pairs import differ, pairs
from worthit.reports.verdict import Verdict

COMMENTS = 3_000
VALIDATION = 1_000
RATES = {"tfidf": 3_000.0, "bert": 400.0, "llama": 40.0, "llama-zero-shot": 40.0}


def labels(comments: int) -> tuple[int, ...]:
    return (1, 0) * (comments // 2)


def scores(
    comments: int, right: float, sure: float | None = None, shift: int = 0
) -> tuple[float, ...]:
    """Probabilities, the first `right` share of comments told right, from `shift` on around.

    Args:
        sure: the share of comments, counted likewise, whose probabilities are far from 0.5.
    """
    told_right = np.roll(np.arange(comments) < round(right * comments), shift)
    is_sure = np.roll(np.arange(comments) < round((sure or 1.0) * comments), shift)
    likely = np.where(is_sure, 0.95, 0.6)
    truth = np.asarray(labels(comments)) == 1
    return tuple(np.where(told_right == truth, likely, 1 - likely).tolist())


def cell(model: str, right: float, **given: Any) -> record.CellRecord:
    """A cell that tells that share of the test and validation comments right."""
    comments = given.pop("comments", COMMENTS)
    sure, shift = given.pop("sure", None), given.pop("shift", 0)
    trained = model != "llama-zero-shot"
    clock = measured(10.0, "s", "clock") if trained else unavailable("s", record.NOT_TUNED)
    p99_ms = given.pop("p99_ms", 20.0)
    milliseconds = tuple(np.linspace(p99_ms / 2, p99_ms, 400).tolist())
    test = scores(comments, right, sure, shift)
    base = record.CellRecord(
        model, "cpu", given.pop("seed", 0),
        setup=record.Setup({"checkpoint": "small"}, "a package", "id", "a CPU", None, 2, "3.11", {}),
        training=record.Training(
            clock, record.Memory(measured(700, "MB", "m"), measured(300, "MB", "m"), unavailable("MB", "CPU")),
            "2026-01-02T03:04:05+00:00", {}, "a", measured(1, "MB", "sizes"), 135_000_000, 1, 1_000, 0.0,
        ),
        latency=record.Latency(
            milliseconds, (9,) * 400, measured(0.75 * p99_ms, "ms", "c", 400),
            measured(0.95 * p99_ms, "ms", "c", 400), measured(p99_ms, "ms", "c", 400),
            measured(1, "s", "c"), measured(9, "ms", "c"),
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(RATES[model], "comments/s", "c")),), "no gain"
        ),
        memory=record.Memory(measured(900, "MB", "m"), measured(300, "MB", "m"), unavailable("MB", "CPU")),
        quality=record.Quality(test, test, test, 1.0, 0.0, scores(VALIDATION, right, sure, shift)),
    )  # fmt: skip
    return dataclasses.replace(base, **given)


def run(*cells: record.CellRecord, **options: str) -> record.Run:
    first = cells[0].quality
    assert first is not None
    comments = len(first.test)

    def part(size: int) -> record.Part:
        return record.Part(("a",) * size, labels(size), (None,) * size, (None,) * size)

    steps = {"balanced": 30_000, "train": 1_000, "test, balanced": comments, "natural": comments}
    return record.Run(
        "a-run", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {f"--{name.replace('_', '-')}": value for name, value in options.items()},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": []},
        record.Data(
            "synthetic", "made comments", "nobody", "fp", "key", 42, 0.1,
            tuple(record.StepRecord(name, size, size // 2) for name, size in steps.items()),
            part(comments), part(comments), part(comments), part(VALIDATION),
        ),
        cells, True, Figure(2.0, "%", "measured", "loop"),
    )  # fmt: skip


def judged(*cells: record.CellRecord, **options: str) -> Verdict:
    found = run(*cells, **options)
    return verdict.verdict(found, pairs(found), cascade.chosen(found))


def test_an_llm_that_is_better_and_quick_enough_is_practical() -> None:
    found = judged(cell("tfidf", 0.85), cell("bert", 0.88), cell("llama", 0.95))
    assert found.answer == "practical"
    assert found.headline == "Practical: llama brings 7.0 points over bert."
    assert len(found.reasons) == 3
    assert "95.0 %" in found.reasons[0]
    assert "+7.0 points" in found.reasons[0]
    assert "which the paired test supports (p < 0.001)" in found.reasons[0]
    assert "To run it takes 10 × the compute a comment (25 ms)" in found.reasons[1]


def test_an_llm_that_answers_too_slowly_is_practical_if_that_will_do() -> None:
    found = judged(cell("bert", 0.88), cell("llama", 0.95, p99_ms=240.0))
    assert found.answer == "practical if"
    assert found.headline.startswith(
        "Practical if 1 answer in 100 may take 240 ms instead of 100: llama brings 7.0 points"
    )
    assert judged(
        cell("bert", 0.88), cell("llama", 0.95, p99_ms=240.0), p99_limit_ms="300"
    ).answer == "practical"  # fmt: skip


def test_a_p99_that_is_not_known_is_not_taken_to_be_kept() -> None:
    few = dataclasses.replace(
        cell("llama", 0.95).latency, p99_ms=unavailable("ms", "p99 needs 299 samples, there are 9")
    )  # type: ignore[type-var]
    found = judged(cell("bert", 0.88), cell("llama", 0.95, latency=few))
    assert found.answer == "practical if"
    assert "may take over 100 ms (p99 needs 299 samples, there are 9)" in found.headline


def test_no_more_than_six_sentences_are_given() -> None:
    cells = (
        cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9), cell("llama-zero-shot", 0.6),
    )  # fmt: skip
    with_all = run(*cells, budget="accuracy=0.5")
    voted = dataclasses.replace(
        with_all.data.test, toxic_share=(1.0, 0.0) * (COMMENTS // 2), raters=(10,) * COMMENTS
    )
    found = dataclasses.replace(with_all, data=dataclasses.replace(with_all.data, test=voted))
    told = verdict.verdict(found, pairs(found), cascade.chosen(found)).reasons
    assert len(told) == 6
    assert "Without tuning the same weights reach 60.0 %." in told


def test_a_budget_that_is_missed_is_named_and_who_keeps_it() -> None:
    cells = (cell("bert", 0.88), cell("llama", 0.95))
    found = judged(*cells, budget="throughput_per_s=100")
    assert found.answer == "practical if"
    assert "throughput_per_s down to 40 will do instead of 100" in found.headline
    assert "The whole budget is kept by: bert." in found.reasons
    assert judged(*cells, budget="throughput_per_s=10").answer == "practical"


def test_a_cheaper_model_that_is_better_makes_it_not_worth_it() -> None:
    found = judged(cell("tfidf", 0.95), cell("llama", 0.90))
    assert found.answer == "not worth it here"
    assert found.headline == ("Not worth it here: tfidf is more accurate than llama, and cheaper.")
    assert "-5.0 points" in found.reasons[0]


def test_a_ratio_of_times_has_two_digits() -> None:
    rate = record.BatchRate(8, measured(8.87 * RATES["llama"], "comments/s", "c"))
    bert = cell("bert", 0.945, shift=900, throughput=record.Throughput((rate,), "no gain"))
    found = judged(cell("tfidf", 0.80), bert, cell("llama", 0.95))
    assert "bert is 8.9 times cheaper to run" in found.headline


def test_a_cheaper_model_that_is_not_told_apart_makes_it_not_worth_it() -> None:
    found = judged(cell("tfidf", 0.80), cell("bert", 0.945, shift=900), cell("llama", 0.95))
    assert found.answer == "not worth it here"
    assert "bert is 10 times cheaper to run" in found.headline
    assert "llama is not shown to be more accurate" in found.headline
    assert "not tell from chance" in found.reasons[0]


def test_too_few_comments_are_said_to_be_too_few() -> None:
    found = judged(cell("bert", 0.88, comments=100), cell("llama", 0.92, comments=100, shift=30))
    assert found.answer == "too little data to tell"
    assert "100 test comments do not tell llama from bert" in found.headline
    assert any(change.startswith("More test comments: ") for change in found.changes)


def test_an_llm_that_guesses_is_not_worth_it() -> None:
    found = judged(cell("tfidf", 0.85), cell("llama", 0.505))
    assert found.answer == "not worth it here"
    assert "not shown to beat guessing" in found.headline


def test_a_cascade_that_saves_most_of_the_compute_is_the_better_answer() -> None:
    # tfidf is right on the first 85 %, sure on the first 80 %, and llama right on the first 95 %.
    found = judged(cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9))
    assert found.answer == "practical if"
    assert "tfidf answers first and passes 20.0 % on" in found.headline
    assert any("A cascade that asks tfidf first" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([cell("tfidf", 0.85), cell("bert", 0.9)], "no fine-tuned LLM"),
        ([cell("tfidf", 0.85), cell("llama-zero-shot", 0.9)], "no fine-tuned LLM"),
        ([cell("llama", 0.9)], "no cheaper model"),
        ([cell("tfidf", 0.9), cell("llama", 0.9, throughput=None)], "llama has no throughput"),
    ],
)
def test_without_both_sides_there_is_no_verdict(
    cells: list[record.CellRecord], reason: str
) -> None:
    found = judged(*cells)
    assert found.answer == "no verdict"
    assert reason in found.headline
    assert not found.reasons


def test_seeds_that_disagree_support_no_lead() -> None:
    same = [cell("tfidf", 0.85), cell("llama", 0.95), cell("llama", 0.94, seed=1)]
    assert judged(*same).answer == "practical"
    for first, second, way in ((0.95, 0.80, "more"), (0.80, 0.95, "less")):
        found = judged(cell("tfidf", 0.85), cell("llama", first), cell("llama", second, seed=1))
        assert found.answer == "too little data to tell"
        assert found.headline == (
            f"Too little data to tell: llama is {way} accurate than tfidf with the first seed, not "
            "with each; tfidf is 75 times cheaper to run."
        )
        ranges = "llama reaches 80.0 % to 95.0 %, tfidf reaches 85.0 %"
        assert found.reasons[0].endswith(
            "which the paired test supports (p < 0.001). Other seeds do not bear it out: over all, "
            f"{ranges}."
        )
        assert any(change.startswith(f"More seeds: {ranges};") for change in found.changes)


def test_a_rival_on_which_seeds_agree_decides_before_one_on_which_they_do_not() -> None:
    seeds = [cell("llama", 0.95), cell("llama", 0.80, seed=1)]
    found = judged(cell("tfidf", 0.85), cell("bert", 0.945, shift=900), *seeds)
    assert found.answer == "not worth it here"
    assert "bert is 10 times cheaper to run" in found.headline


def test_what_would_change_it_is_what_was_small() -> None:
    small = judged(cell("bert", 0.88), cell("llama", 0.95))
    assert any("135 M parameters" in change for change in small.changes)
    assert any("More seeds" in change for change in small.changes)
    assert not any("idle machine" in change for change in small.changes)
    noisy = dataclasses.replace(
        run(cell("bert", 0.88), cell("llama", 0.95)), noise=Figure(15.0, "%", "measured", "loop")
    )
    told = verdict.verdict(noisy, pairs(noisy), cascade.chosen(noisy)).changes
    assert any("idle machine" in change for change in told)


def test_the_verdict_stands_at_the_top_of_the_report() -> None:
    text = markdown.render(run(cell("bert", 0.88), cell("llama", 0.95)), {})
    assert text.index("## Practical: llama brings") < text.index("## Results")


def test_a_cascade_by_hand() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    (tested,) = cascade.chosen(run(tfidf, llama))
    found = tested.cascade
    assert (found.cheap.model, found.dear.model) == ("tfidf", "llama")
    assert found.sure_from == pytest.approx(0.95)
    assert found.passed_share == pytest.approx(0.2)
    # 80 % by tfidf, all of them right, and of the rest what llama tells right: 95 % in all.
    assert found.accuracy.value == pytest.approx(0.95)
    assert (tested.difference, tested.low, tested.high) == (0.0, 0.0, 0.0)
    assert found.compute_ms == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert found.saved_share == pytest.approx(1 - found.compute_ms / 25)
    assert tested.p_cheap < 0.001
    assert tested.replaces
    about, table = cascade.section(run(tfidf, llama), (tested,))
    assert "in place of llama" in table
    assert "**in place of X**: not shown to be less accurate than X" in about


def test_a_threshold_is_chosen_without_the_test_comments() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    assert tfidf.quality is not None
    # Sure of everything on the test comments, where it errs: the threshold must not know.
    fooled = dataclasses.replace(tfidf.quality, test=scores(COMMENTS, 0.85))
    (tested,) = cascade.chosen(run(dataclasses.replace(tfidf, quality=fooled), llama))
    found = tested.cascade
    assert found.sure_from == pytest.approx(0.95)
    assert found.passed_share == 0.0
    assert found.accuracy.value == pytest.approx(0.85)
    assert tested.difference == pytest.approx(-0.10)
    assert tested.loses
    assert not tested.replaces


def test_a_sweep_runs_from_one_model_alone_to_the_other() -> None:
    tfidf, llama = cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9)
    points = cascade.swept(run(tfidf, llama), tfidf, llama)
    assert (points[0].passed_share, points[-1].passed_share) == (0.0, 1.0)
    assert points[0].accuracy.value == pytest.approx(0.85)
    assert points[-1].accuracy.value == pytest.approx(0.95)
    costs = [point.compute_ms for point in points]
    assert costs == sorted(costs)


def test_the_picture_marks_the_thresholds_chosen_and_leaves_others_out() -> None:
    found = run(
        cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9), cell("llama-zero-shot", 0.5)
    )
    chosen = [one for one in cascade.chosen(found) if one.cascade.dear.model == "llama"]
    figure = cascade_picture.draw(found, chosen)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["tfidf → llama", "the threshold chosen", "tfidf", "llama"]
    axes = figure.axes[0]
    at = chosen[0].cascade
    marked = [line for line in axes.lines if line.get_marker() == "h" and len(line.get_xdata())]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marked] == [
        (at.compute_ms, 100 * at.accuracy.value)
    ]
    figure.canvas.draw()
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert {"1", "10"} <= set(ticks)
    (line,) = (one for one in axes.lines if one.get_label() == "tfidf → llama")
    assert line.get_color() == looks(found)["llama"][1]
    plt.close(figure)


def test_a_cascade_stands_on_the_frontier_with_its_own_costs() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    chosen = cascade.chosen(found)
    by_cost = {
        one.cost.heading: one.cascades[0]
        for one in frontier.frontiers(found, differ(pairs(found)), chosen)
    }
    assert by_cost["training"].cost.value == pytest.approx(20)
    assert by_cost["training"].standing == "dearer than llama"
    assert by_cost["throughput"].cost.value == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert by_cost["throughput"].standing == "**in place of llama**"
    # A fifth is passed on, so it is the cheap model's 62.5th percentile, of 1 to 2 ms.
    assert by_cost["latency p50"].cost.value == pytest.approx(1.625, abs=0.01)
    assert by_cost["peak memory"].cost.value is None
    about, table, *notes = frontier.section(found, differ(pairs(found)), chosen)
    assert "A cascade (X → Y, see below)" in about
    row = next(line for line in table.splitlines() if "tfidf → llama" in line)
    assert row.count("**in place of llama**") == 2
    assert "two models in one process were not measured" in notes[0]


def test_a_cascade_in_no_models_place_is_not_drawn_as_one() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    (tested,) = cascade.chosen(found)
    worse = dataclasses.replace(tested, difference=-0.1, p_dear=0.001)
    same = dataclasses.replace(tested, p_cheap=1.0)
    for one, standing in ((worse, "less accurate than llama"), (same, "≈ cheaper tfidf")):
        points = [
            one_cost.cascades[0]
            for one_cost in frontier.frontiers(found, differ(pairs(found)), [one])
        ]
        assert {point.standing for point in points} == {standing}
        assert not any(point.pays for point in points)
    figure = frontier_picture.draw(found, differ(pairs(found)), [tested])
    assert figure is not None
    faces = [
        line.get_markerfacecolor()
        for axes in figure.axes[:3]  # training, latency, compute
        for line in axes.lines
        if line.get_marker() == "h"
    ]
    colour = looks(found)["llama"][1]
    assert faces == ["white", colour, colour]
    plt.close(figure)


def test_runs_without_validation_comments_say_so() -> None:
    found = run(cell("tfidf", 0.85), cell("llama", 0.95))
    nothing = record.Part((), (), (), ())
    old = dataclasses.replace(found, data=dataclasses.replace(found.data, validation=nothing))
    assert "kept no validation comments" in cascade.section(old, cascade.chosen(old))[0]


def curve(model: str, **right: float) -> record.CellRecord:
    points = tuple(
        record.CurvePoint(int(size[1:]), measured(1.0, "s", "clock"), scores(COMMENTS, share))
        for size, share in right.items()
    )
    return dataclasses.replace(cell(model, list(right.values())[-1]), learning_curve=points)


def test_learning_curves_tell_plateaus_and_crossings_that_tests_support(tmp_path: Path) -> None:
    found = run(
        curve("tfidf", n125=0.80, n250=0.82, n500=0.84),
        curve("llama", n125=0.60, n250=0.82, n500=0.95),
    )
    text = "\n".join(learning.section(found))
    assert "| tfidf" in text
    assert "82.0 %" in text
    assert "- llama: 500 comments are not told apart from 1,000" in text
    assert "- llama overtakes tfidf between 125 and 500 comments" in text
    assert "](learning.png)" in markdown.render(found, pictures.draw(found, tmp_path))
    close = run(curve("tfidf", n125=0.800, n500=0.900), curve("llama", n125=0.799, n500=0.901))
    assert "overtakes" not in "\n".join(learning.section(close))
    assert learning.section(run(cell("tfidf", 0.8))) == []

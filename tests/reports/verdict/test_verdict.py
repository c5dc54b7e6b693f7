"""reports/verdict: each outcome, from a run that leads to it."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests import factories
from tests.verdict_runs import COMMENTS, RATES, cell, correct_on, decide, discordant, run
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules

#: how a headline names the LLM of `verdict_runs`
LLAMA = "llama (small, 135 M parameters)"


def test_an_llm_that_is_better_and_fast_enough_is_practical() -> None:
    found = decide(cell("tfidf", 0.85), cell("bert", 0.88), cell("llama", 0.95))
    assert found.answer == "practical"
    assert found.headline == f"Practical: {LLAMA} gains 7.0 points over bert."
    assert len(found.reasons) == 3
    assert "95.0 %" in found.reasons[0]
    assert "+7.0 points" in found.reasons[0]
    assert "all of it at or above the 1 point that would be worth it" in found.reasons[0]
    assert "Running llama takes 10 × the compute per comment (25 core-ms)" in found.reasons[1]


def test_a_slow_llm_is_practical_if_its_latency_is_acceptable() -> None:
    found = decide(cell("bert", 0.88), cell("llama", 0.95, p99_ms=240.0))
    assert found.answer == "practical if"
    assert found.headline.startswith(
        f"Practical if 1 answer in 100 may take 240 ms instead of 100: {LLAMA} gains 7.0 points"
    )
    assert decide(
        cell("bert", 0.88), cell("llama", 0.95, p99_ms=240.0), p99_limit_ms="300"
    ).answer == "practical"  # fmt: skip


def test_an_unknown_p99_does_not_count_as_within_the_limit() -> None:
    few = dataclasses.replace(
        cell("llama", 0.95).latency, p99_ms=unavailable("ms", "p99 needs 299 samples, there are 9")
    )  # type: ignore[type-var]
    found = decide(cell("bert", 0.88), cell("llama", 0.95, latency=few))
    assert found.answer == "practical if"
    assert "may take over 100 ms (p99 needs 299 samples, there are 9)" in found.headline


def test_where_p99_is_unknown_a_slow_median_is_enough() -> None:
    slow = dataclasses.replace(
        cell("llama", 0.95, p99_ms=240.0).latency, p99_ms=unavailable("ms", "p99 needs 299 samples")
    )  # type: ignore[type-var]
    found = decide(cell("bert", 0.88), cell("llama", 0.95, latency=slow))
    assert found.headline.startswith(
        "Practical if half of the answers may take 180 ms or more instead of 100: llama"
    )


def test_a_verdict_has_at_most_six_reasons() -> None:
    cells = (
        cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9), cell("llama-zero-shot", 0.6),
    )  # fmt: skip
    with_all = run(*cells, budget="accuracy=0.5")
    voted = dataclasses.replace(
        with_all.data.test, toxic_share=(1.0, 0.0) * (COMMENTS // 2), raters=(10,) * COMMENTS
    )
    found = dataclasses.replace(with_all, data=dataclasses.replace(with_all.data, test=voted))
    reasons = rules.decide(Analysis.of(found)).reasons
    assert len(reasons) == 6
    assert "Without tuning, the same weights reach 60.0 %." in reasons


def test_a_missed_budget_is_named_with_the_models_within_it() -> None:
    cells = (cell("bert", 0.88), cell("llama", 0.95))
    found = decide(*cells, budget="throughput_per_s=100")
    assert found.answer == "practical if"
    assert "throughput_per_s down to 40 is acceptable instead of 100" in found.headline
    assert "Within the whole budget: bert." in found.reasons
    seeds = [cell("bert", 0.88), cell("bert", 0.88, seed=1), cell("llama", 0.95)]
    once = decide(*seeds, budget="accuracy=0.8")
    assert "Within the whole budget: bert, llama." in once.reasons
    assert decide(*cells, budget="throughput_per_s=10").answer == "practical"


def test_a_limit_that_may_be_missed_is_named_with_the_bound_that_misses_it() -> None:
    cells = (cell("bert", 0.88, comments=1_000), cell("llama", 0.95, comments=1_000))
    found = decide(*cells, budget="accuracy=0.94")  # 93.47 to 96.19 %
    assert found.answer == "practical if"
    assert "accuracy down to 0.935 is acceptable instead of 0.94" in found.headline
    close = decide(*cells, budget="accuracy=0.935")
    assert "accuracy down to 0.9347 is acceptable instead of 0.935" in close.headline


def test_an_estimate_is_not_said_to_exceed_a_limit() -> None:
    estimate = factories.energy(record.Figure(0.002, "J", "estimated", "watts"))
    found = decide(cell("bert", 0.88), cell("llama", 0.95, energy=estimate), budget="energy_j=0.01")
    assert found.answer == "practical if"
    assert "energy_j, which is an estimate, is within 0.01" in found.headline


def test_a_cheaper_model_that_is_better_makes_it_not_worth_it() -> None:
    found = decide(cell("tfidf", 0.95), cell("llama", 0.90))
    assert found.answer == "not worth it here"
    assert found.headline == (
        f"Not worth it here: tfidf is more accurate than {LLAMA}, and cheaper."
    )
    assert "-5.0 points" in found.reasons[0]


def test_a_ratio_of_times_has_two_digits() -> None:
    rate = factories.throughput(8.87 * RATES["llama"])
    bert = cell("bert", 0.945, shift=900, throughput=rate)
    found = decide(cell("tfidf", 0.80), bert, cell("llama", 0.95))
    assert "bert is 8.9 times cheaper to run" in found.headline
    assert "Running llama takes 8.9 × the compute per comment" in found.reasons[1]


def test_a_ratio_that_rounds_to_1_is_not_called_times_cheaper() -> None:
    bert = cell("bert", 0.95, throughput=factories.throughput(1.04 * RATES["llama"]))
    found = decide(bert, cell("llama", 0.95))
    assert found.headline.startswith("Not worth it here: bert is cheaper to run, and equivalent")


def test_an_equivalent_cheaper_model_makes_it_not_worth_it() -> None:
    found = discordant(10_000, 60, 30)  # a lead of +0.3 points, significant and not worth it
    assert found.answer == "not worth it here"
    assert found.headline == (
        f"Not worth it here: bert is 10 times cheaper to run, and equivalent to {LLAMA}, within 1 point."
    )
    assert "+0.3 points (+0.1 to +0.5), all of it within ±1 point: equivalent" in found.reasons[0]


def test_the_answer_does_not_depend_on_a_number_of_comments() -> None:
    answers = {discordant(comments, 130, 100).answer for comments in (1_998, 2_000, 2_002)}
    assert answers == {"too little data to tell"}


@pytest.mark.parametrize(("tfidf", "named"), [(0.9295, "tfidf"), (0.925, "bert")])
def test_of_rivals_that_are_about_as_close_the_cheapest_is_named(tfidf: float, named: str) -> None:
    found = decide(cell("tfidf", tfidf), cell("bert", 0.93), cell("llama", 0.94))
    assert found.answer == "too little data to tell"
    assert f"the lead of {LLAMA} over {named} is between" in found.headline


def test_a_cached_time_of_the_rival_is_marked_and_that_of_the_llm_is_not() -> None:
    training = factories.training(Figure(2.0, "s", "cached", "clock"), comments=1_000)
    found = decide(cell("bert", 0.88, training=training), cell("llama", 0.95))
    assert "the training time (10 s; bert: 2 s, cached)" in " ".join(found.reasons)


def test_a_worthwhile_lead_is_an_option() -> None:
    assert discordant(10_000, 60, 30, worthwhile="0.1").answer == "practical"
    assert discordant(2_000, 130, 100, worthwhile="4").answer == "not worth it here"


def test_a_significant_lead_that_may_not_be_worth_it_is_not_practical() -> None:
    found = discordant(5_000, 200, 140)  # +1.2 points, +0.5 to +1.9
    assert found.answer == "too little data to tell"
    assert "+1.2 points (+0.5 to +1.9), an interval that includes the 1 point" in found.reasons[0]


def test_other_models_change_nothing_about_a_rival() -> None:
    others = [cell("lsa", 0.6 + i / 50, comments=1_000, seed=0, device=f"d{i}") for i in range(8)]
    alone = discordant(1_000, 90, 45)
    together = discordant(1_000, 90, 45, *others)
    assert alone.answer == together.answer == "practical"
    assert alone.headline == together.headline.replace("-cpu", "")


def test_a_significantly_better_rival_that_is_not_better_by_a_point_is_still_enough() -> None:
    found = discordant(5_000, 60, 120)  # -1.2 points, -1.7 to -0.7
    assert found.answer == "not worth it here"
    assert found.headline == f"Not worth it here: bert is more accurate than {LLAMA}, and cheaper."


def test_too_few_comments_give_too_little_data_to_tell() -> None:
    found = decide(cell("bert", 0.88, comments=100), cell("llama", 0.92, comments=100, shift=30))
    assert found.answer == "too little data to tell"
    assert f"on 100 test comments, the lead of {LLAMA} over bert is between " in found.headline
    (change,) = [change for change in found.changes if change.startswith("More test comments: ")]
    # they differ on 20 %: (1.96 + 0.84)² · (0.2 - 0.04² + 1/100) / 0.01²
    assert (
        "about 16,000 would show that a lead of 0 is not worth it, or that one of 2 points is"
        in change
    )


def test_two_models_that_agree_on_a_few_comments_are_not_known_to_be_equal() -> None:
    assert discordant(20, 0, 0).answer == "too little data to tell"
    assert discordant(2_000, 0, 0).answer == "not worth it here"


def test_an_llm_that_does_not_beat_guessing_is_not_worth_it() -> None:
    found = decide(cell("tfidf", 0.85), cell("llama", 0.48))
    assert found.answer == "not worth it here"
    assert f"{LLAMA} beats guessing by less than 1 point, if at all" in found.headline
    assert "a constant answer gives 50.0 %" in found.reasons[0]


def test_an_llm_that_may_beat_guessing_is_undecided() -> None:
    found = decide(cell("tfidf", 0.47, comments=100), cell("llama", 0.55, comments=100))
    assert found.answer == "too little data to tell"
    assert f"{LLAMA} is not shown to beat guessing" in found.headline


def test_a_cascade_that_saves_most_of_the_compute_is_the_better_answer() -> None:
    # tfidf is correct on the first 85 % and confident on the first 80 %, llama correct on 95 %.
    found = decide(cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9))
    assert found.answer == "practical if"
    assert "tfidf answers first and passes 20.0 % on" in found.headline
    assert any("A cascade of tfidf and llama" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([cell("tfidf", 0.85), cell("bert", 0.9)], "no fine-tuned LLM"),
        ([cell("tfidf", 0.85), cell("llama-zero-shot", 0.9)], "no fine-tuned LLM"),
        ([cell("llama", 0.9)], "no cheaper model"),
        ([cell("tfidf", 0.9), cell("llama", 0.9, throughput=None)], f"{LLAMA} has no throughput"),
    ],
)
def test_without_both_sides_there_is_no_verdict(
    cells: list[record.CellRecord], reason: str
) -> None:
    found = decide(*cells)
    assert found.answer == "no verdict"
    assert reason in found.headline
    assert not found.reasons


def test_more_seeds_sharpen_the_answer() -> None:
    """The trainings of bert differ, as four of 89.1, 91.7, 92.1 and 93.3 % did."""
    llm = [cell("llama", right, seed=seed) for seed, right in enumerate((0.96, 0.961, 0.959, 0.96))]
    rival = [cell("bert", right, seed=i) for i, right in enumerate((0.891, 0.917, 0.921, 0.933))]
    two, four = decide(*llm[:2], *rival[:2]), decide(*llm, *rival)
    assert two.answer == "too little data to tell"
    assert four.answer == "practical"
    assert "bert 91.5 %: a difference of +4." in four.reasons[0]
    assert "Figures are means of 4 trainings of llama and 4 trainings of bert" in four.reasons[0]
    assert any(change.startswith("More seeds: trainings differ so much") for change in two.changes)
    assert not any(change.startswith("More seeds") for change in four.changes)


def test_one_unlucky_seed_does_not_decide() -> None:
    """The worst of the LLM's is below the best of the rival's, and the means differ clearly."""
    llm = [cell("llama", right, seed=seed) for seed, right in enumerate((0.92, 0.95, 0.95, 0.95))]
    rival = [cell("bert", right, seed=i) for i, right in enumerate((0.87, 0.87, 0.93, 0.87))]
    assert decide(*llm, *rival).answer == "practical"


def test_where_no_number_of_comments_decides_more_seeds_are_the_advice() -> None:
    seeds = [cell(model, right, seed=seed, comments=200)
             for model, rights in (("bert", (0.9, 0.84, 0.86)), ("llama", (0.85, 0.84, 0.86)))
             for seed, right in enumerate(rights)]  # fmt: skip
    found = decide(*seeds)
    assert found.answer == "too little data to tell"
    assert not any(change.startswith("More test comments") for change in found.changes)
    assert any("more test comments alone would not decide" in one for one in found.changes)


def test_one_training_says_what_it_does_not_cover() -> None:
    found = decide(cell("bert", 0.88), cell("llama", 0.95))
    assert (
        "llama and bert were each trained once: that another training may give another result is not "
        "covered." in found.reasons[0]
    )
    fixed = decide(cell("tfidf", 0.88), *(cell("llama", 0.95, seed=seed) for seed in range(3)))
    assert "trained once" not in fixed.reasons[0]
    assert not any("More seeds" in change for change in fixed.changes)


def rare(
    comments: int, found: float, precision: float
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Labels, of which 3 % are positive, and scores with this recall and precision at 0.5."""
    positives = round(0.03 * comments)
    hits = round(found * positives)
    alarms = round(hits / precision) - hits
    truth = (1,) * positives + (0,) * (comments - positives)
    rest = np.linspace(0.01, 0.4, comments)
    scores = [
        0.9 if i < hits or positives <= i < positives + alarms else rest[i] for i in range(comments)
    ]
    return truth, tuple(np.round(scores, 6).tolist())


def test_rare_positives_are_decided_by_average_precision() -> None:
    truth, by_llm = rare(4_000, 0.9, 0.5)
    _, by_rival = rare(4_000, 0.3, 0.2)
    cells = [
        dataclasses.replace(cell(model, 0.9, comments=4_000), quality=factories.quality(scored))
        for model, scored in (("tfidf", by_rival), ("llama", by_llm))
    ]
    part = factories.part(truth)
    made = factories.run(factories.data(part, balanced=False, population=(3_880, 120),
        steps=factories.steps(("without duplicates", "train", "test", "natural"), 4_000, 3_880, 120)),
        *cells)  # fmt: skip
    found = rules.decide(Analysis.of(made))
    assert found.answer == "practical"
    assert found.headline.endswith("points of average precision over tfidf.")
    assert "llama has an average precision of " in found.reasons[0]
    guesses = np.random.default_rng(0).random(4_000).tolist()
    blind = dataclasses.replace(cells[1], quality=factories.quality(tuple(guesses)))
    no_better = rules.decide(Analysis.of(dataclasses.replace(made, cells=(cells[0], blind))))
    assert no_better.answer == "not worth it here"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"throughput": None}, "it has no throughput (not measured in this run)"),
        ({"device": "cuda"}, "cuda and cpu have no common price"),
    ],
)
def test_a_model_that_may_be_cheaper_and_as_good_leaves_the_verdict_open(
    changed: dict[str, Any], reason: str
) -> None:
    tfidf, llama = cell("tfidf", 0.85), cell("llama", 0.95)
    for rivals in ((tfidf, cell("bert", 0.95, **changed)), (cell("bert", 0.95, **changed),)):
        found = decide(*rivals, llama)
        assert found.answer in ("too little data to tell", "no verdict")
        assert reason in found.headline
    assert decide(tfidf, cell("bert", 0.88, **changed), llama).answer == "practical"
    equal = decide(cell("tfidf", 0.95), cell("bert", 0.95, **changed), llama)
    assert equal.answer == "not worth it here"


def test_a_p99_that_may_exceed_the_limit_is_not_known_to_stay_within_it() -> None:
    found = decide(cell("bert", 0.88), cell("llama", 0.95, p99_ms=99.9))
    assert found.answer == "practical if"
    assert "1 answer in 100 may take up to 112 ms instead of 100" in found.headline


def test_no_cascade_replaces_an_llm_where_accuracy_does_not_decide() -> None:
    comments = 3_000
    truth = (1, *(0,) * 9) * (comments // 10)

    def scored(model: str, right: float, sure: float) -> record.CellRecord:
        place = np.arange(comments) / comments
        likely = np.where(place < sure, 0.95, 0.6)
        test = tuple(np.where((place < right) == (np.asarray(truth) == 1), likely, 1 - likely))
        quality = record.Quality(test, test, test, 1.0, 0.0, test)
        return dataclasses.replace(cell(model, 0.9), quality=quality)

    steps = ("without duplicates", "train", "test", "natural")
    part = factories.part(truth)
    data = factories.data(
        part, validation=part, balanced=False, steps=factories.steps(steps, comments, 2_700, 300)
    )
    found = Analysis.of(factories.run(data, scored("tfidf", 0.85, 0.8), scored("llama", 0.95, 0.9)))
    assert found.cascades[0].replaces
    assert found.cascades[0].cascade.saved_share > rules.WORTHWHILE_SAVING
    assert rules.decide(found).answer == "practical"


def test_the_cheapest_of_equivalent_llms_represents_them() -> None:
    correct = np.arange(3_000) < 2_850
    one_more = np.arange(3_000) < 2_851
    qlora, llama = correct_on("llama-qlora", one_more), correct_on("llama", correct)
    for cells in ([qlora, llama], [llama, qlora]):
        found = decide(cell("bert", 0.88), *cells)
        assert found.headline == f"Practical: {LLAMA} gains 7.0 points over bert."
        assert (
            "llama and llama-qlora are equivalent (-0.0 points, -0.1 to +0.1), and llama is 10 times "
            "cheaper to run." in found.reasons
        )


def test_one_comment_does_not_choose_between_llms_that_may_differ() -> None:
    llama = np.arange(500) < 470
    for more in (-1, 1):  # qlora is correct on one comment more or less, but on 60 others
        qlora = np.roll(np.arange(500) < 470 + more, 30)
        cells = [correct_on("llama", llama), correct_on("llama-qlora", qlora)]
        found = decide(cell("bert", 0.86, comments=500), *cells)
        assert found.headline.startswith(f"Practical: {LLAMA} gains 8.0 points over bert")
        assert any("Whether llama or llama-qlora is more accurate is undecided" in reason
                   for reason in found.reasons)  # fmt: skip

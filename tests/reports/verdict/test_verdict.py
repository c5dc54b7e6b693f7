"""reports/verdict: each outcome, from a run that leads to it."""

import dataclasses

import pytest

from tests.rendering import render
from tests.verdict_runs import COMMENTS, RATES, cell, decide, run
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules


def test_an_llm_that_is_better_and_fast_enough_is_practical() -> None:
    found = decide(cell("tfidf", 0.85), cell("bert", 0.88), cell("llama", 0.95))
    assert found.answer == "practical"
    assert found.headline == "Practical: llama gains 7.0 points over bert."
    assert len(found.reasons) == 3
    assert "95.0 %" in found.reasons[0]
    assert "+7.0 points" in found.reasons[0]
    assert "significant in the paired test (p < 0.001)" in found.reasons[0]
    assert "Running llama takes 10 × the compute per comment (25 ms)" in found.reasons[1]


def test_a_slow_llm_is_practical_if_its_latency_is_acceptable() -> None:
    found = decide(cell("bert", 0.88), cell("llama", 0.95, p99_ms=240.0))
    assert found.answer == "practical if"
    assert found.headline.startswith(
        "Practical if 1 answer in 100 may take 240 ms instead of 100: llama gains 7.0 points"
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
    assert decide(*cells, budget="throughput_per_s=10").answer == "practical"


def test_a_cheaper_model_that_is_better_makes_it_not_worth_it() -> None:
    found = decide(cell("tfidf", 0.95), cell("llama", 0.90))
    assert found.answer == "not worth it here"
    assert found.headline == ("Not worth it here: tfidf is more accurate than llama, and cheaper.")
    assert "-5.0 points" in found.reasons[0]


def test_a_ratio_of_times_has_two_digits() -> None:
    rate = factories.throughput(8.87 * RATES["llama"])
    bert = cell("bert", 0.945, shift=900, throughput=rate)
    found = decide(cell("tfidf", 0.80), bert, cell("llama", 0.95))
    assert "bert is 8.9 times cheaper to run" in found.headline


def test_a_cheaper_model_without_a_significant_difference_makes_it_not_worth_it() -> None:
    found = decide(cell("tfidf", 0.80), cell("bert", 0.945, shift=900), cell("llama", 0.95))
    assert found.answer == "not worth it here"
    assert "bert is 10 times cheaper to run" in found.headline
    assert "llama is not shown to be more accurate" in found.headline
    assert "not significant in the paired test" in found.reasons[0]


def test_too_few_comments_give_too_little_data_to_tell() -> None:
    found = decide(cell("bert", 0.88, comments=100), cell("llama", 0.92, comments=100, shift=30))
    assert found.answer == "too little data to tell"
    assert "on 100 test comments, llama and bert do not differ significantly" in found.headline
    assert any(change.startswith("More test comments: ") for change in found.changes)


def test_an_llm_that_guesses_is_not_worth_it() -> None:
    found = decide(cell("tfidf", 0.85), cell("llama", 0.505))
    assert found.answer == "not worth it here"
    assert "not shown to beat guessing" in found.headline


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
        ([cell("tfidf", 0.9), cell("llama", 0.9, throughput=None)], "llama has no throughput"),
    ],
)
def test_without_both_sides_there_is_no_verdict(
    cells: list[record.CellRecord], reason: str
) -> None:
    found = decide(*cells)
    assert found.answer == "no verdict"
    assert reason in found.headline
    assert not found.reasons


def test_seeds_that_disagree_give_too_little_data_to_tell() -> None:
    same = [cell("tfidf", 0.85), cell("llama", 0.95), cell("llama", 0.94, seed=1)]
    assert decide(*same).answer == "practical"
    for first, second, comparison in ((0.95, 0.80, "more"), (0.80, 0.95, "less")):
        found = decide(cell("tfidf", 0.85), cell("llama", first), cell("llama", second, seed=1))
        assert found.answer == "too little data to tell"
        assert found.headline == (
            f"Too little data to tell: llama is {comparison} accurate than tfidf with the first seed, but "
            "not with every seed; tfidf is 75 times cheaper to run."
        )
        ranges = "llama reaches 80.0 % to 95.0 %, tfidf reaches 85.0 %"
        assert found.reasons[0].endswith(
            "significant in the paired test (p < 0.001). Other seeds do not confirm it: over all seeds, "
            f"{ranges}."
        )
        assert any(change.startswith(f"More seeds: {ranges}.") for change in found.changes)


def test_a_rival_on_which_seeds_agree_decides_before_one_on_which_they_do_not() -> None:
    seeds = [cell("llama", 0.95), cell("llama", 0.80, seed=1)]
    found = decide(cell("tfidf", 0.85), cell("bert", 0.945, shift=900), *seeds)
    assert found.answer == "not worth it here"
    assert "bert is 10 times cheaper to run" in found.headline


def test_the_changes_name_what_was_small_or_noisy() -> None:
    small = decide(cell("bert", 0.88), cell("llama", 0.95))
    assert any("135 M parameters" in change for change in small.changes)
    assert any("More seeds" in change for change in small.changes)
    assert not any("idle machine" in change for change in small.changes)
    noisy = dataclasses.replace(
        run(cell("bert", 0.88), cell("llama", 0.95)), noise=Figure(15.0, "%", "measured", "loop")
    )
    changes = rules.decide(Analysis.of(noisy)).changes
    assert any("idle machine" in change for change in changes)


def test_the_verdict_opens_the_report_with_three_reasons() -> None:
    text = render(run(cell("bert", 0.88), cell("llama", 0.95), cell("llama-zero-shot", 0.6)))
    opening = text.split("\n## Results")[0]
    assert "## Practical: llama gains" in opening
    before_fold, fold = opening.split("<details>")
    assert before_fold.count("\n- ") == 3
    assert "- Without tuning, the same weights reach 60.0 %." in fold
    assert "- More seeds" in fold


def test_without_a_verdict_the_report_says_what_would_give_one() -> None:
    opening = render(run(cell("tfidf", 0.85))).split("\n## Results")[0]
    assert "## No verdict: this run has no fine-tuned LLM" in opening
    assert "- Run the main job with `--models tfidf,bert,llama`." in opening

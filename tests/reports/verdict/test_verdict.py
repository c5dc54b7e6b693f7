"""reports/verdict/rules.py: each outcome from a run made to lead to it."""

import dataclasses

import pytest

from tests.judged_runs import COMMENTS, RATES, cell, judged, run
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.analysis import cascade
from worthit.reports.analysis.paired_tests import pairs
from worthit.reports.sections import report
from worthit.reports.verdict import rules


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
    told = rules.verdict(found, pairs(found), cascade.chosen(found)).reasons
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
    told = rules.verdict(noisy, pairs(noisy), cascade.chosen(noisy)).changes
    assert any("idle machine" in change for change in told)


def test_the_verdict_stands_at_the_top_of_the_report() -> None:
    text = report.render(run(cell("bert", 0.88), cell("llama", 0.95)), {})
    assert text.index("## Practical: llama brings") < text.index("## Results")

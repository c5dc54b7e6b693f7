"""The sentences around a verdict: what would change it, the headline, and the top of the report."""

import dataclasses

from tests import factories
from tests.rendering import render
from tests.verdict_runs import cell, decide, run
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules, wording

#: how a headline names the LLM of `verdict_runs`
LLAMA = "llama (small, 135 M parameters)"


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
    assert f"## Practical: {LLAMA} gains" in opening
    before_fold, fold = opening.split("<details>")
    assert before_fold.count("\n- ") == 3
    assert "- Without tuning, the same weights reach 60.0 %." in fold
    assert "- More seeds" in fold


def test_the_best_way_to_ask_without_tuning_is_named() -> None:
    def asked(model: str, right: float, prompt: str) -> record.CellRecord:
        untuned = cell(model, right)
        assert untuned.training is not None
        settings = untuned.training.settings | {"prompt": prompt}
        training = dataclasses.replace(untuned.training, settings=settings)
        return dataclasses.replace(untuned, training=training)

    text = render(run(
        cell("bert", 0.88), cell("llama", 0.95),
        asked("llama-few-shot", 0.5, "chat:yes/no"), asked("llama-zero-shot", 0.6, "statement:all"),
    ))  # fmt: skip
    sentence = "the same weights reach 60.0 % (llama-zero-shot, prompt `statement:all`)."
    assert f"- Without tuning, {sentence}" in text


def test_without_a_verdict_the_report_says_what_would_give_one() -> None:
    opening = render(run(cell("tfidf", 0.85))).split("\n## Results")[0]
    assert "## No verdict: this run has no fine-tuned LLM" in opening
    assert "- Run the main job with `--models tfidf,bert,llama`." in opening


def test_the_headline_names_the_weights_of_the_llm_and_their_size() -> None:
    def named(model: str, checkpoint: str, parameters: int | None) -> str:
        setup = factories.setup(settings={"checkpoint": checkpoint}, kind="llm")
        training = factories.training(9.0, parameters=parameters)
        llm = record.CellRecord(model, "cpu", 0, setup=setup, training=training)
        return wording.with_weights(run(cell("tfidf", 0.9)), llm)

    hub = f"Qwen/Qwen2.5-Coder-1.5B@{'0a' * 20}"
    assert named("llama", hub, 1_543_714_304) == "llama (Qwen2.5-Coder-1.5B, 1.5 B parameters)"
    for file in ("qwen-q4.gguf", "qwen-q4-0123456789abcdef"):
        assert named("llama", file, None) == "llama (qwen-q4)"
    assert named("hf:Qwen3-0.6B", "Qwen/Qwen3-0.6B", 596_049_920) == (
        "hf:Qwen3-0.6B (596 M parameters)"
    )
    # such as a server's model
    served = dataclasses.replace(cell("llama", 0.9), setup=factories.setup(), training=None)
    assert wording.with_weights(run(served), served) == "llama"


def test_a_human_rater_is_compared_on_the_comments_with_votes_only() -> None:
    made = run(cell("tfidf", 0.85), cell("llama", 0.95))
    half = len(made.data.test.ids) // 2

    def sentence(shares: tuple[float | None, ...], raters: tuple[int | None, ...]) -> str:
        test = dataclasses.replace(made.data.test, toxic_share=shares * half, raters=raters * half)
        voted = dataclasses.replace(made, data=dataclasses.replace(made.data, test=test))
        reasons = rules.decide(Analysis.of(voted)).reasons
        return next(reason for reason in reasons if "one human rater" in reason)

    assert sentence((1.0, 0.0), (9, 9)).endswith("100.0 % of these comments.")
    assert sentence((1.0, None), (9, None)).endswith(
        "100.0 % of the 1,500 test comments with two votes or more."
    )


def test_a_gpu_is_suggested_only_if_the_run_used_none() -> None:
    cells = cell("bert", 0.88), cell("llama", 0.95)
    assert any(change.startswith("A GPU: ") for change in decide(*cells).changes)
    on_both = decide(*cells, cell("bert", 0.88, device="cuda"))
    assert not any(change.startswith("A GPU: ") for change in on_both.changes)


def test_a_larger_llm_is_suggested_in_a_way_that_its_row_allows() -> None:
    def suggested(model: str) -> str:
        llm = dataclasses.replace(cell("llama", 0.95), model=model)
        changes = decide(cell("bert", 0.88), llm).changes
        return next(change for change in changes if change.startswith("A larger LLM"))

    assert suggested("llama-int8").endswith("135 M parameters (`--checkpoint llama=…`).")
    assert suggested("hf:small").endswith("135 M parameters (`--models hf:…`).")

"""reports/verdict/languages.py: weights that cannot read the comments do not decide silently."""

import dataclasses

from tests import factories
from tests.verdict_runs import cell, run
from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import rules
from worthit.reports.verdict.rules import Verdict


def _decide(language: str, **of_weights: tuple[str, ...]) -> Verdict:
    """The verdict on comments of a language, with weights for other languages."""

    def model(name: str, right: float) -> CellRecord:
        base = cell(name, right)
        assert base.setup is not None
        setup = dataclasses.replace(base.setup, languages=of_weights.get(name, ()))
        return dataclasses.replace(base, setup=setup)

    made = run(model("tfidf", 0.9), model("bert", 0.8), model("llama", 0.85))
    side = factories.side_audit(languages={language: 19, "unsure": 1})
    audit = dataclasses.replace(made.data.audit, train=side)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, audit=audit))
    return rules.decide(Analysis.of(made))


def test_a_verdict_says_that_the_llm_cannot_read_the_comments() -> None:
    found = _decide("zh", llama=("en",), bert=("en",))
    assert found.answer == "not worth it here"
    assert found.headline.endswith(". The weights of bert and llama cannot read zh well.")
    assert found.reasons[0] == (
        "The comments are mainly in a language (zh) that the weights of bert and llama cannot read well: this "
        "verdict does not say what an LLM for zh would reach."
    )
    assert found.changes[0].startswith("Weights that know zh, for bert and llama")


def test_a_verdict_says_that_a_rival_cannot_read_the_comments() -> None:
    found = _decide("zh", llama=("zh", "en"), bert=("en",))
    assert "llama has an advantage that other weights would not leave it" in found.reasons[0]


def test_nothing_is_said_where_all_weights_can_read_the_comments() -> None:
    for found in (_decide("en", llama=("en",), bert=("en",)), _decide("zh")):
        assert "weights" not in found.headline
        assert not any("cannot read" in text for text in (*found.reasons, *found.changes))

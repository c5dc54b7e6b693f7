"""reports/analysis/languages.py: weights that cannot read the data are named."""

import dataclasses

import pytest

from tests import factories, small_runs
from worthit.bench.saved.record import CellRecord, Run, Vocabulary
from worthit.datasets.audit.audit import SideAudit
from worthit.reports.analysis.languages import main_language, unread

_FITTING = Vocabulary(0.25, 0.23, 0.0)


def _side(**languages: int) -> SideAudit:
    return factories.side_audit(languages=languages, comments=sum(languages.values()))


def _run(side: SideAudit, *cells: CellRecord) -> Run:
    made = small_runs.run(*cells)
    audit = dataclasses.replace(made.data.audit, train=side)
    return dataclasses.replace(made, data=dataclasses.replace(made.data, audit=audit))


def _cell(model: str, vocabulary: Vocabulary | None, *languages: str) -> CellRecord:
    setup = factories.setup(languages=languages, checkpoint="weights")
    quality = factories.quality(small_runs.GOOD, vocabulary=vocabulary)
    return small_runs.cell(model=model, setup=setup, quality=quality)


def test_english_weights_are_named_on_other_languages_only() -> None:
    cells = _cell("bert", _FITTING, "en"), _cell("lsa", None), _cell("llama", _FITTING)
    assert unread(_run(_side(en=18, unsure=2), *cells)) == {}
    assert unread(_run(_side(en=16, de=4), *cells)) == {}
    assert unread(_run(_side(en=14, de=5, unsure=1), *cells)) == {"bert": "weights for English"}
    assert unread(_run(_side(unsure=15, de=5), *cells)) == {"bert": "weights for English"}
    assert unread(_run(_side(unsure=1_000, de=5), *cells)) == {}


@pytest.mark.parametrize(
    ("language", "vocabulary", "why"),
    [
        ("th", Vocabulary(0.03, 0.23, 1.0), "100.0 % of the tokens are unknown"),
        ("hi", Vocabulary(1.05, 0.23, 0.0), "1.1 tokens per character instead of 0.2 in English"),
        ("zh", Vocabulary(1.79, 0.23, 0.0), "1.8 tokens per character instead of 0.2 in English"),
        ("zh", Vocabulary(1.0, 0.23, 0.0), ""),
        ("de", Vocabulary(0.33, 0.23, 0.01), ""),
        ("en", Vocabulary(0.9, 0.23, 0.2), ""),  # English, however odd
    ],
)
def test_a_vocabulary_shows_what_it_cannot_read(
    language: str, vocabulary: Vocabulary, why: str
) -> None:
    run = _run(_side(**{language: 19}, unsure=1), _cell("bert", vocabulary))
    assert main_language(run.data.audit.train) == language
    assert unread(run) == ({"bert": why} if why else {})
    known = _run(_side(**{language: 20}), _cell("bert", vocabulary, language))
    assert unread(known) == ({"bert": why} if why else {})

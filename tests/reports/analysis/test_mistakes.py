"""reports/analysis/mistakes.py and sections/errors.py: where classifiers err."""

import pytest

from tests.factories import part
from tests.rendering import row
from tests.scored_runs import cell, run
from worthit.reports.analysis import mistakes
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import errors
from worthit.reports.text.escaping import cut


def test_comments_are_grouped_by_quarters_of_length() -> None:
    groups = mistakes.by_length(part((1, 0, 1, 0), characters=(10, 40, 20, 30)))
    assert [mask.tolist().index(True) for mask in groups.values()] == [0, 2, 3, 1]


def test_comments_of_one_length_stay_in_their_quarter() -> None:
    groups = mistakes.by_length(part((1, 0) * 5, characters=(10, 20, *(50,) * 6, 60, 70)))
    assert {heading: mask.sum() for heading, mask in groups.items()} == {
        "up to 50 characters": 8, "longer": 2,
    }  # fmt: skip
    groups = mistakes.by_length(part((1, 0) * 5, characters=(10, 20, 30, *(50,) * 5, 60, 70)))
    assert [mask.sum() for mask in groups.values()] == [3, 5, 2]


def test_comments_are_grouped_by_agreement() -> None:
    votes = part((1, 0, 1, 0, 1), toxic_share=(1.0, 0.0, 0.8, 0.3, None), raters=(9, 9, 9, 9, None))
    groups = mistakes.by_agreement(votes)
    assert {heading: mask.nonzero()[0].tolist() for heading, mask in groups.items()} == {
        "unanimous": [0, 1], "80 % or more": [2], "under 80 %": [3],
    }  # fmt: skip
    assert mistakes.by_agreement(part((1, 0))) == {}


def test_the_section_has_accuracies_by_length_and_by_agreement() -> None:
    test = part(
        (1, 0, 1, 0),
        toxic_share=(1.0, 0.0, 0.6, 0.2),
        raters=(10,) * 4,
        characters=(10, 20, 30, 40),
    )
    first, second = (0.1, 0.1, 0.9, 0.9), (0.2, 0.8, 0.8, 0.3)
    text = "\n".join(
        errors.section(Analysis.of(run((), cell("a", first), cell("b", second), test=test)))
    )
    by_length, by_agreement = text.split("Accuracy by the share of raters")
    assert row(by_length, "a") == ["a", "0.0 %", "100.0 %", "100.0 %", "0.0 %"]
    assert row(by_agreement, "a") == ["a", "50.0 %", "0.0 %", "100.0 %", "1"]
    assert row(by_agreement, "b") == ["b", "0.0 %", "100.0 %", "100.0 %", "2"]
    assert "unanimous, n = 2" in by_agreement
    assert "1 of 4 test comments is misclassified by every model, 1 of them although" in text


def test_the_section_without_votes_has_lengths_only() -> None:
    text = "\n".join(errors.section(Analysis.of(run((1, 0), cell("a", (0.1, 0.1))))))
    assert "1 of 2 test comments is misclassified by every model." in text
    assert "Accuracy by length" in text
    assert "Accuracy by agreement of the raters: n/a" in text
    assert errors.section(Analysis.of(run((1, 0)))) == []


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("plain", 20, "plain"),
        ("two\nlines\r\x1b[31m", 40, "two\\nlines\\r\\x1b\\[31m"),
        ("\u202eturned\u2028", 40, "\\u202eturned\\u2028"),
        ("<b>&*_`", 40, "&lt;b&gt;&amp;\\*\\_\\`"),
        ("too long to show", 9, "too long…"),
        ("ab<c", 6, "ab…"),
        ("漢字漢字", 6, "漢字…"),
        ("a" + "\u0301" * 9, 6, "a" + "\u0301" * 4 + "…"),  # marks without width still end
    ],
)
def test_comments_are_escaped_and_cut(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected

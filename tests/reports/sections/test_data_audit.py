"""reports/sections/data_audit.py: what an audit found, and what to do about it."""

import dataclasses
from pathlib import Path

from tests import factories
from tests.scored_runs import audited
from worthit.bench.saved import run_file
from worthit.bench.saved.record import Run
from worthit.datasets.audit.audit import NearDuplicates
from worthit.datasets.audit.label_noise import LabelNoise
from worthit.datasets.audit.personal_data import HINTS
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import data_audit


def section(made: Run) -> str:
    return "\n\n".join(data_audit.section(Analysis.of(made)))


def copies(*ids: str, other_label: int = 0) -> NearDuplicates:
    return NearDuplicates(ids, other_label, 30, "hashes")


def test_estimates_are_marked_and_only_labels_ask_for_action() -> None:
    text = section(audited())
    assert text.split("\n\n")[1] == "1 of 6 checks ask for action: labels."
    assert "*≈2* (10.0 %)" in text
    assert "97.0 % of those whose labels it does not question" in text
    assert text.count("To do: ") == 1
    assert "none of the 30 test comments (balanced and natural) is a near-duplicate" in text
    assert "all classes have the same number" in text
    assert "no contact details were found" in text


def test_sound_data_ask_for_no_action() -> None:
    text = section(audited(label_noise=LabelNoise(0, 0, 0.9, unquestioned_accuracy=0.97)))
    assert text.split("\n\n")[1] == "0 of 6 checks ask for action."
    assert "To do" not in text


def test_each_finding_says_what_to_do() -> None:
    text = section(
        audited(
            # the eleventh comment and the last one, on which the model is wrong
            near_duplicates=copies("0000000a", "00000013", "ffffffff", other_label=1),
            train=factories.side_audit(
                counts=(19, 1), languages={"de": 12, "en": 8},
                personal_data=dict.fromkeys(HINTS, 0) | {"web links": 3},
            ),
            length_auc=0.2,
            label_noise=LabelNoise(None, None, None, reason="too few"),
        )
    )  # fmt: skip
    assert (
        "5 of 6 checks ask for action: copies, balance, length, languages and personal data."
        in text
    )
    assert text.count("To do: ") == 5
    assert "3 of the 30 test comments (balanced and natural) are near-duplicates" in text
    assert "1 of them with another label" in text
    assert "**Balance**: toxic is 1 of 20 training comments (5.0 %)" in text
    assert "comments of class not toxic are longer" in text
    assert "ROC AUC of 0.80" in text
    assert "40.0 % of the training side are not identified as de" in text
    assert "3 with web links" in text
    assert "n/a [1]" in text
    assert "the share of wrong labels cannot be estimated: too few" in text
    # 18 of 20 are correct; without one correct and one wrong comment 17 of 18
    assert "changes by at most +4.4 points (lsa)" in text


def test_names_of_classes_are_escaped_and_cut() -> None:
    made = audited(train=factories.side_audit(counts=(19, 1)), length_auc=0.2)
    named = dataclasses.replace(made.data, classes=("<b>" + "n" * 90, "1"))
    text = section(dataclasses.replace(made, data=named))
    assert "<b>" not in text
    assert "n" * 40 not in text
    assert "**Balance**: “1” is 1 of 20 training comments" in text


def test_models_that_cannot_read_the_language_are_named() -> None:
    made = audited(train=factories.side_audit(languages={"zh": 20}))
    cells = [
        dataclasses.replace(cell, setup=factories.setup(languages=("en",))) for cell in made.cells
    ]
    text = section(dataclasses.replace(made, cells=tuple(cells)))
    assert "zh 100.0 % of the training side. These models start from weights that cannot" in text
    assert "lsa (weights for English)" in text
    assert "To do: give them weights that know zh (`--checkpoint MODEL=ID_OR_PATH`)" in text


def test_copies_change_the_accuracy_of_three_classes_too() -> None:
    made = audited()
    labels = (0, 1, 2, 1) * 5
    predicted = (0, 1, 2, 1) * 4 + (0, 1, 2, 0)  # the last comment is misclassified
    scores = tuple(float(label == one) for one in predicted for label in range(3))
    audit = factories.audit(3, near_duplicates=copies("00000002", "00000013"))
    data = dataclasses.replace(
        made.data, classes=("a", "b", "c"), test=dataclasses.replace(made.data.test, labels=labels),
        natural=dataclasses.replace(made.data.natural, labels=labels), audit=audit,
    )  # fmt: skip
    assert made.cells[0].quality is not None
    quality = dataclasses.replace(made.cells[0].quality, test=scores, natural=scores, train=scores)
    cell = dataclasses.replace(made.cells[0], quality=quality)
    text = section(dataclasses.replace(made, data=data, cells=(cell,)))
    assert "changes by at most +5.0 points (lsa)" in text  # 19 of 20; 18 of 18 without them
    assert "**Length**" not in text


def test_unsure_is_not_a_language() -> None:
    short = section(audited(train=factories.side_audit(languages={"unsure": 11, "en": 9})))
    assert "55.0 % of the training side are not identified as en" in short
    unknown = section(audited(train=factories.side_audit(languages={"unsure": 20})))
    assert "the language of most comments is not known" in unknown
    assert unknown.split("\n\n")[1] == "1 of 6 checks ask for action: labels."


def test_rare_languages_are_summed() -> None:
    languages = {"en": 10, "de": 5, "fr": 2, "es": 1, "it": 1, "nl": 1}
    assert "es 5.0 %, others 10.0 %" in section(
        audited(train=factories.side_audit(languages=languages))
    )


def test_an_audit_is_saved_with_its_run(tmp_path: Path) -> None:
    run_file.save(audited(), tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == audited()

"""reports/sections/data_audit.py: what an audit found, and what to do about it."""

import dataclasses
from pathlib import Path

from tests.audited_runs import facts, run, side
from worthit.bench.saved import run_file
from worthit.bench.saved.record import Run
from worthit.datasets.audit.label_noise import Noise
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import data_audit


def section(audited: Run) -> str:
    return "\n\n".join(data_audit.section(Analysis.of(audited)))


def test_estimates_are_marked_and_only_labels_ask_for_action() -> None:
    text = section(run(facts()))
    assert text.split("\n\n")[1] == "1 of 6 checks ask for action: labels."
    assert "*≈2* (10.0 %)" in text
    assert "*≈1* (5.0 %)" in text
    assert text.count("To do: ") == 1
    assert "none of the 30 test comments is a near-duplicate" in text
    assert "all classes have the same number" in text
    assert "no contact details were found" in text


def test_sound_data_ask_for_no_action() -> None:
    text = section(run(facts(noise=Noise(0, 0, 0.9))))
    assert text.split("\n\n")[1] == "0 of 6 checks ask for action."
    assert "To do" not in text


def test_each_finding_says_what_to_do() -> None:
    text = section(run(
        facts(
            # the eleventh comment and the last one, on which the model is wrong
            twins=("0000000a", "00000013", "fffffff"),
            twins_other_label=1,
            train=side(counts=(19, 1), personal={**side().personal, "web links": 3},
                       languages={"de": 12, "en": 8}),
            length_auc=0.2,
            noise=Noise(None, None, None, reason="too few"),
        )
    ))  # fmt: skip
    assert (
        "5 of 6 checks ask for action: copies, balance, length, languages and personal data."
        in text
    )
    assert text.count("To do: ") == 5
    assert "3 of the 30 test comments are near-duplicates" in text
    assert "1 of them with another label" in text
    assert "**Balance**: toxic is 1 of 20 training comments (5.0 %)" in text
    assert "comments of class not toxic are longer" in text
    assert "ROC AUC of 0.80" in text
    assert "40.0 % of the training side are not identified as de" in text
    assert "3 with web links" in text
    assert "n/a [1]" in text
    assert "the number of wrong labels is unknown: too few" in text
    # 18 of 20 are correct; without one correct and one wrong comment 17 of 18
    assert "changes by at most +4.4 points (lsa)" in text


def test_copies_change_the_accuracy_of_three_classes_too() -> None:
    made = run(facts(twins=("00000002", "00000013")))
    labels = (0, 1, 2, 1) * 5
    predicted = (0, 1, 2, 1) * 4 + (0, 1, 2, 0)  # the last comment is misclassified
    scores = tuple(float(label == one) for one in predicted for label in range(3))
    sides = dict.fromkeys(("train", "test"), side(counts=(5, 10, 5), median_characters=(1, 1, 1)))
    assert made.data.trust is not None
    data = dataclasses.replace(
        made.data, classes=("a", "b", "c"), test=dataclasses.replace(made.data.test, labels=labels),
        natural=dataclasses.replace(made.data.natural, labels=labels),
        trust=dataclasses.replace(made.data.trust, length_auc=None, **sides),
    )  # fmt: skip
    assert made.cells[0].quality is not None
    quality = dataclasses.replace(made.cells[0].quality, test=scores, natural=scores, train=scores)
    cell = dataclasses.replace(made.cells[0], quality=quality)
    text = section(dataclasses.replace(made, data=data, cells=(cell,)))
    assert "changes by at most +5.0 points (lsa)" in text  # 19 of 20; 18 of 18 without them
    assert "**Length**" not in text


def test_rare_languages_are_summed() -> None:
    languages = {"en": 10, "de": 5, "fr": 2, "es": 1, "it": 1, "nl": 1}
    assert "es 5.0 %, others 10.0 %" in section(run(facts(train=side(languages=languages))))


def test_a_run_without_an_audit_says_so() -> None:
    assert "not audited" in section(run(None))


def test_an_audit_is_saved_with_its_run(tmp_path: Path) -> None:
    run_file.save(run(facts()), tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == run(facts())

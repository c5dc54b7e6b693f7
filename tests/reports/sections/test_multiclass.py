"""reports/: what is rendered of more classes than two, and of two that are not called toxic."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from tests.multiclass_runs import NOISES, THREE, draw_scores, many, part, row, run, section
from worthit.datasets.errors import RunError
from worthit.reports.analysis import metrics as quality
from worthit.reports.analysis import mistakes
from worthit.reports.compare import compare
from worthit.reports.pictures import pictures
from worthit.reports.sections import by_class, report
from worthit.reports.sections import quality as scores
from worthit.reports.verdict import rules


def test_a_report_of_three_classes() -> None:
    made = run(THREE, NOISES)
    text = report.render(made, {})
    assert "toxic" not in text
    assert "nan" not in text.lower()
    figures = section(text, "Quality")
    assert "| macro precision |" in " ".join(figures.split())
    assert "Called the class of the highest probability" in figures
    assert "means over the 3 classes" in figures
    assert "raters' votes tell one class from the rest, and here are 3" in figures
    scored = draw_scores(made.data.test.labels, 3, NOISES["bert"], 1)
    f1 = metrics.f1_score(made.data.test.labels, scored.argmax(axis=1), average=None)
    assert (
        row(section(text, "Class by class").split("<details>")[0], "sport")[3]
        == f"{100 * f1[1]:.1f} %"
    )
    assert "macro ROC AUC not told apart from" in text
    assert "this run has 3 classes" in section(text, "At natural prevalence")
    assert "the classes' own shares already" in section(text, "At natural prevalence")
    confusion = metrics.confusion_matrix(made.data.test.labels, scored.argmax(axis=1))
    confused = section(text, "Confusion matrices")
    entries = [line.split("|")[1:-1] for line in confused.splitlines() if line.startswith("| bert")]
    worst = [entry.strip() for entry in entries[0]]
    true, called = THREE.index(worst[1]), THREE.index(worst[2])
    assert worst[3] == str(confusion[true, called])
    np.fill_diagonal(confusion, 0)
    assert confusion[true, called] == confusion.max()
    assert row(section(text, "Data"), "step")[2:] == ["news", "sport", "arts |"]
    assert "3 classes, 300 comments to train on" in text
    assert "each class against the rest" in section(text, "Results")
    assert "each class against the rest" in report.brief(made)
    assert "## Learning curves" in text
    assert report.render(made, {}) == text


def test_balanced_sets_of_many_classes_have_a_second_one_at_their_own_shares() -> None:
    made = run(THREE, NOISES, balanced=True)
    text = section(report.render(made, {}), "At natural prevalence")
    scored = draw_scores(made.data.natural.labels, 3, NOISES["bert"], 1)
    share = (scored.argmax(axis=1) == np.asarray(made.data.natural.labels)).mean()
    assert row(text, "bert")[1].startswith(f"{100 * share:.1f} % (")
    assert f"right for {100 * quality.guessing(made.data.natural.labels):.1f} %" in text


def test_a_report_of_more_classes_than_can_be_drawn(tmp_path: Path) -> None:
    made = run(many(24), {"tfidf": 2.0, "llama": 1.0}, comments=400, seeds=2)
    found = pictures.draw(made, tmp_path)
    assert not any(title.startswith(report.CONFUSION) for title in found)
    assert scores.ROC in found
    assert scores.PRECISION_RECALL not in found
    text = report.render(made, found)
    confused = section(text, "Confusion matrices")
    assert "A matrix of 24 classes is too large to read" in confused
    assert len([line for line in confused.splitlines() if line.startswith("| llama")]) == 10
    assert row(section(text, "Data"), "step")[2:] == ["of the rarest class", "of the commonest |"]
    assert row(section(text, "Quality").split("By the prob")[0], "llama (2 seeds)")
    assert rules.headline(made)


def test_classes_that_the_test_set_lacks_are_left_out_and_said_to_be() -> None:
    made = run(many(4), {"bert": 1.0, "tfidf": 2.0})
    labels = tuple(min(label, 2) for label in made.data.test.labels)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, test=part(labels)))
    text = report.render(made, {})
    assert "nan" not in text.lower()
    assert "the 3 of 4 classes in it" in text
    assert "classes without any (1) are left out" in text
    assert "| class-3" not in section(text, "Class by class")


def test_names_of_two_classes_stand_in_text_and_pictures(tmp_path: Path) -> None:
    made = run(("ham", "spam"), NOISES)
    text = report.render(made, pictures.draw(made, tmp_path))
    assert "toxic" not in text
    assert "Called spam from a probability of 0.5 on" in text
    assert "of the comments called spam, the share that is" in text
    assert "called spam from a probability of 0.5 on" in section(text, "Confusion matrices")
    assert "## Class by class" not in text
    assert "macro" not in text
    assert "What each model mistakes" not in text
    numbered = report.render(run(("0", "1"), NOISES), {})
    assert "Called “1” from a probability" in numbered


def test_names_that_are_commands_elsewhere_are_harmless(tmp_path: Path) -> None:
    wild = ("a|b", "$x^$", "<b>*bold*", "漢字", "n" * 90, "two\nlines")
    made = run(wild, {"bert": 1.0})
    found = pictures.draw(made, tmp_path)  # a letter that the font lacks would be a warning
    text = section(report.render(made, found), "Class by class")
    assert "a\\|b" in text
    assert "&lt;b&gt;\\*bold\\*" in text
    assert "n" * 39 + "…" in text
    assert "n" * 41 not in text
    assert "two\\nlines" in text
    rows = [line for line in text.split("<details>")[0].splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}


def test_mistakes_by_votes_are_for_two_classes() -> None:
    made = run(THREE, NOISES)
    voted = dataclasses.replace(made.data.test, toxic_share=(1.0,) * 300, raters=(9,) * 300)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, test=voted))
    with pytest.raises(RunError, match="no raters' votes"):
        mistakes.missed(made, 5, 80)
    text = report.render(made, {})
    assert "By raters' agreement n/a" in text
    assert "One rater" not in text
    wrong = mistakes.wrong((0, 2), [np.asarray([(0.5, 0.3, 0.2), (0.5, 0.3, 0.2)])])
    assert wrong.tolist() == [0, 1]


def test_most_confused_are_none_where_nothing_is_wrong() -> None:
    made = run(THREE, {"bert": 0.0})
    assert by_class.confused(made) == []
    assert "100.0 %" in "\n".join(by_class.draw_scores(made))


def test_runs_of_many_classes_are_compared() -> None:
    before, after = run(THREE, {"bert": 1.0}), run(THREE, {"bert": 2.5})
    found = compare.compared([("a", before), ("b", after)])
    assert "test accuracy (B)" in found.verdict
    assert found.regressed
    assert "### ROC AUC, macro" in found.text
    accuracies = [
        (
            draw_scores(before.data.test.labels, 3, noise, 1).argmax(axis=1) == before.data.test.labels
        ).mean()
        for noise in (1.0, 2.5)
    ]
    shown = row(found.text.split("### test accuracy")[1].split("###")[0], "bert")
    assert shown[2:4] == [f"{100 * share:.1f} %" for share in accuracies]
    other = compare.compared([("a", before), ("b", run(("ham", "spam"), {"bert": 1.0}))])
    assert "classes 3 classes → ham, spam" in other.text

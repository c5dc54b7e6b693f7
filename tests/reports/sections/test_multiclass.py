"""reports/sections/: runs of more than two classes, and of two that are not called toxic."""

import dataclasses
import functools

import numpy as np
import pytest
from sklearn import metrics

from tests.multiclass_runs import NOISES, THREE, draw_scores, many, part, run
from tests.rendering import brief, render, row, section
from worthit.bench.saved.record import Run
from worthit.datasets.errors import RunError
from worthit.reports.analysis import mistakes
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import scores
from worthit.reports.cli import comments
from worthit.reports.sections import by_class


@pytest.fixture(scope="module")
def three() -> Run:
    return run(THREE, NOISES)


def confusion(made: Run) -> np.ndarray:
    """The confusion matrix of bert, by scikit-learn."""
    labels = made.data.test.labels
    predicted = draw_scores(labels, len(made.data.classes), NOISES["bert"], 1).argmax(axis=1)
    return np.asarray(metrics.confusion_matrix(labels, predicted))


@functools.cache
def report_of_three() -> str:
    return render(run(THREE, NOISES))


def test_a_report_of_three_classes_says_how_classes_are_averaged() -> None:
    text = report_of_three()
    assert "toxic" not in text
    assert "nan" not in text.lower()
    assert "3 classes, 300 training" in text
    quality = text.split("## Quality\n")[1].split("\n## ")[0]
    assert "| macro precision |" in " ".join(quality.split())
    assert "Predicted is the class with the highest score" in quality
    assert "over 3 classes" in quality
    assert "One rater: n/a, since votes are for or against one class" in quality
    assert "no significant difference in macro ROC AUC from" in quality
    assert render(run(THREE, NOISES)) == text


def test_the_terminal_says_how_classes_are_averaged(three: Run) -> None:
    assert "each against the rest" in brief(three)


def test_each_class_has_its_f1(three: Run) -> None:
    labels = three.data.test.labels
    predicted = draw_scores(labels, 3, NOISES["bert"], 1).argmax(axis=1)
    f1 = metrics.f1_score(labels, predicted, average=None)
    text = "\n\n".join(by_class.section(Analysis.of(three)))
    assert row(text.split("<details>")[0], "sport")[3] == f"{100 * f1[1]:.1f} %"
    lowest = int(f1.argmin())
    assert f"bert {100 * f1[lowest]:.1f} %" in text.split("\n\n")[1].split(THREE[lowest])[1]


def test_the_most_frequent_errors_are_those_of_the_confusion_matrix(three: Run) -> None:
    paragraphs = by_class.confusion(Analysis.of(three))
    rows = [
        line.split("|")[1:-1] for line in "\n".join(paragraphs).splitlines() if "| bert" in line
    ]
    _, is_class, predicted, count, share = (entry.strip() for entry in rows[0])
    counts = confusion(three)
    true, answer = THREE.index(is_class), THREE.index(predicted)
    assert count == str(counts[true, answer])
    assert share == f"{100 * counts[true, answer] / counts[true].sum():.1f} %"
    np.fill_diagonal(counts, 0)
    assert counts[true, answer] == counts.max()


def test_the_most_frequent_error_of_all_models_comes_first(three: Run) -> None:
    analysis = Analysis.of(three)
    labels = three.data.test.labels
    matrices = [
        metrics.confusion_matrix(labels, scores(analysis.run, cell).argmax(axis=1))
        for cell in analysis.run.cells
    ]
    errors = np.sum(matrices, axis=0)
    np.fill_diagonal(errors, 0)
    true, predicted = divmod(int(errors.argmax()), 3)
    assert (
        f"{THREE[predicted]} is predicted for {THREE[true]} ({errors.max()} times)"
        in by_class.confusion(analysis)[1]
    )


def test_natural_prevalence_needs_one_positive_class() -> None:
    text = section_of_three("At the data's own shares")
    assert "this run has 3 classes" in text
    assert "the data's own shares of the classes already" in text


def section_of_three(heading: str) -> str:
    return report_of_three().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_a_second_set_of_three_classes_is_weighted_to_the_shares_of_its_population() -> None:
    made = run(THREE, NOISES, balanced=True)
    data = dataclasses.replace(made.data, population=(300, 600, 300))
    text = section(dataclasses.replace(made, data=data), "At the data's own shares")
    truth = np.asarray(data.natural.labels)
    correct = draw_scores(data.natural.labels, 3, NOISES["bert"], 1).argmax(axis=1) == truth
    recalls = [correct[truth == kind].mean() for kind in range(3)]
    accuracy = text.split("### Scores")[0]
    weighted = np.dot(recalls, (0.25, 0.5, 0.25))
    assert row(accuracy, "bert")[1].startswith(f"{100 * weighted:.1f} % (")
    assert row(accuracy, "*majority class*")[1] == "50.0 %"


def test_more_classes_than_a_picture_can_show_have_more_errors_in_the_table() -> None:
    made = run(many(24), {"tfidf": 2.0, "llama": 1.0}, comments=400, seeds=2)
    text = render(made)
    confusions = text.split("## Confusion matrices\n")[1].split("\n## ")[0]
    assert "A matrix of 24 classes is too large for a picture" in confusions
    assert sum(line.startswith("| llama") for line in confusions.splitlines()) == 10
    assert "<details>" in confusions
    assert row(text.split("## Quality")[1].split("From the [calibrated]")[0], "llama (2 seeds)")
    by_f1 = text.split("## Class by class\n")[1].split("\n## ")[0]
    assert "F1 of each class (20 rows)</summary>" in by_f1


def test_classes_without_test_comments_are_omitted_and_counted() -> None:
    made = run(many(4), {"bert": 1.0, "tfidf": 2.0})
    labels = tuple(min(label, 2) for label in made.data.test.labels)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, test=part(labels)))
    text = render(made)
    assert "nan" not in text.lower()
    assert "over 3 of 4 classes" in text
    classes = text.split("## Class by class\n")[1].split("\n## ")[0]
    assert "1 of the classes have none and are omitted" in classes
    assert "| class-3" not in classes


def test_two_classes_are_called_by_their_names() -> None:
    text = render(run(("ham", "spam"), NOISES))
    assert "toxic" not in text
    assert "Predicted spam from the threshold that validation comments chose" in text
    assert "predicted spam from the threshold" in text.split("## Confusion matrices")[1]
    assert "## Class by class" not in text
    assert "most frequent error" not in text
    assert "Predicted “1” from the threshold" in render(run(("0", "1"), NOISES))


def test_class_names_are_escaped_and_cut() -> None:
    wild = ("a|b", "$x^$", "<b>*bold*", "漢字", "n" * 90, "two\nlines")
    text = "\n\n".join(by_class.section(Analysis.of(run(wild, {"bert": 1.0}))))
    assert "a\\|b" in text
    assert "&lt;b&gt;\\*bold\\*" in text
    assert "n" * 39 + "…" in text
    assert "n" * 41 not in text
    assert "two\\nlines" in text
    rows = [line for line in text.split("<details>")[0].splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}


def test_errors_by_votes_need_two_classes(three: Run) -> None:
    votes = dataclasses.replace(three.data.test, toxic_share=(1.0,) * 300, raters=(9,) * 300)
    made = dataclasses.replace(three, data=dataclasses.replace(three.data, test=votes))
    with pytest.raises(RunError, match="no votes of raters"):
        comments.missed(made, 5, 80)
    assert "Accuracy by agreement of the raters: n/a" in section(made, "Where models err")
    assert Analysis.of(made).rater is None


def test_error_shares_of_three_classes() -> None:
    shares = mistakes.error_shares((0, 2), [np.asarray([(0.5, 0.3, 0.2), (0.5, 0.3, 0.2)])])
    assert shares.tolist() == [0, 1]


def test_a_model_without_errors_has_no_confusions() -> None:
    analysis = Analysis.of(run(THREE, {"bert": 0.0}))
    _, about, *tables = by_class.confusion(analysis)
    assert about.startswith("No model confuses any classes.")
    assert not tables
    assert "100.0 %" in "\n".join(by_class.section(analysis))


def test_of_many_classes_the_worst_are_shown_and_the_others_counted() -> None:
    made = run(many(151), {"tfidf": 2.5}, comments=800)
    text = "\n\n".join(by_class.section(Analysis.of(made)))
    assert "the 20 classes with the lowest mean F1 of all models; 131 others are left out." in text
    shown = [
        line for line in text.split("Precision and recall")[0].splitlines() if "| class-" in line
    ]
    f1 = [float(line.split("|")[3].strip(" %")) for line in shown]
    assert len(f1) == 20
    assert f1 == sorted(f1)

"""reports/compare/: runs of more than two classes."""

from tests.multiclass_runs import THREE, draw_scores, run
from tests.rendering import row
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.run_view import scores
from worthit.reports.compare.compare import compare


def test_runs_of_three_classes_are_compared_by_accuracy_and_macro_auc() -> None:
    before, after = run(THREE, {"bert": 1.0}), run(THREE, {"bert": 2.5})
    comparison = compare([("a", before), ("b", after)])
    assert "test accuracy (B)" in comparison.verdict
    assert comparison.regressed
    assert "### ROC AUC, macro" in comparison.text
    assert "Accuracy and ROC AUC are subtracted, in points of 0.01" in comparison.text
    labels = before.data.test.labels
    decided = [Decisions.of(one).decided for one in (before, after)]
    accuracies = [(scores(one, one.cells[0]).argmax(axis=1) == labels).mean() for one in decided]
    entries = row(comparison.text.split("### test accuracy")[1].split("###")[0], "bert")
    assert accuracies[1] != (draw_scores(labels, 3, 2.5, 1).argmax(axis=1) == labels).mean()
    assert entries[2:4] == [f"{100 * share:.1f} %" for share in accuracies]


def test_runs_of_other_classes_are_not_treated_as_the_same() -> None:
    before, after = run(THREE, {"bert": 1.0}), run(("ham", "spam"), {"bert": 1.0})
    comparison = compare([("a", before), ("b", after)])
    assert "classes 3 classes → ham, spam" in comparison.text

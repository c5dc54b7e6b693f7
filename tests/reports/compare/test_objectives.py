"""reports/compare/: runs whose answers were chosen for other objectives."""

from tests.biased_runs import run
from tests.rendering import row
from worthit.reports.compare.compare import compare


def test_another_objective_is_no_regression() -> None:
    before, after = run(1.0, 0.0), run(1.0, 0.0, objective="recall", recall="0.99")
    comparison = compare([("a", before), ("b", after)])
    assert not comparison.regressed
    assert "A accuracy, B recall 0.99; answers here are all chosen as in A" in comparison.text
    entries = row(comparison.text.split("### test accuracy")[1].split("###")[0], "tfidf")
    assert entries[2] == entries[3]


def test_another_recall_is_another_objective() -> None:
    found, same = (run(1.0, 0.0, objective="recall", recall=share) for share in ("0.99", "0.8"))
    assert "A recall 0.99, B recall 0.8" in compare([("a", found), ("b", same)]).text
    assert "recalls of the runs" not in compare([("a", found), ("b", found)]).text

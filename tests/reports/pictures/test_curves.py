"""reports/pictures/pictures.py: ROC, reliability and precision-recall curves, by number of classes."""

from pathlib import Path

from tests import multiclass_runs
from tests.multiclass_runs import NOISES, THREE, many
from tests.rendering import render
from tests.scored_runs import cell, run, three_models
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import pictures, titles


def test_curves_need_two_classes(tmp_path: Path) -> None:
    three = three_models()
    files = pictures.draw(Analysis.of(three), tmp_path)
    assert [files[title] for title in (titles.ROC, titles.RELIABILITY, titles.PRECISION_RECALL)] == [
        "roc.png", "reliability.png", "precision-recall.png",
    ]  # fmt: skip
    text = render(three, files)
    for title, file in files.items():
        assert text.count(f"![{title}]({file})") == 1
        assert (tmp_path / file).stat().st_size > 1_000
    one_class = pictures.draw(Analysis.of(run((1, 1), cell("a", (0.9, 0.1)))), tmp_path)
    assert titles.ROC not in one_class
    assert titles.PRECISION_RECALL not in one_class
    assert titles.RELIABILITY in one_class


def test_more_than_two_classes_have_no_precision_recall_curves(tmp_path: Path) -> None:
    files = pictures.draw(Analysis.of(multiclass_runs.run(THREE, NOISES)), tmp_path)
    assert titles.ROC in files
    assert titles.PRECISION_RECALL not in files
    assert sum(title.startswith(titles.CONFUSION) for title in files) == 3


def test_a_confusion_matrix_of_many_classes_is_not_drawn(tmp_path: Path) -> None:
    run_of_many = multiclass_runs.run(many(24), {"tfidf": 2.0, "llama": 1.0}, comments=400)
    files = pictures.draw(Analysis.of(run_of_many), tmp_path)
    assert not any(title.startswith(titles.CONFUSION) for title in files)


def test_names_that_fonts_or_matplotlib_cannot_show_are_drawn(tmp_path: Path) -> None:
    wild = ("a|b", "$x^$", "<b>*bold*", "漢字", "n" * 90, "two\nlines")
    pictures.draw(Analysis.of(multiclass_runs.run(wild, {"bert": 1.0})), tmp_path)  # no warning

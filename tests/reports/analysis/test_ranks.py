"""reports/: figures that rank comments are of the scores before answers are chosen."""

import dataclasses
import functools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn import metrics as reference

from tests import factories, multiclass_runs, multilabel_runs
from tests.multiclass_runs import THREE
from tests.rendering import entries, render, row
from worthit.bench.saved import record
from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.run_view import calibrated, scores, truth
from worthit.reports.compare.compare import compare
from worthit.reports.page import content
from worthit.reports.pictures import curves
from worthit.reports.statistics import metrics

OTHER = multiclass_runs.draw_labels(150, 3, seed=5)


@functools.cache
def made() -> record.Run:
    """Two models with two seeds each, whose answers balanced accuracy moves; with another set."""
    found = multiclass_runs.run(THREE, {"tfidf": 4.0, "bert": 3.0}, seeds=2)
    other = factories.out_of_domain(
        multiclass_runs.part(OTHER), classes=THREE, mapped_to=THREE,
        steps=factories.steps(("in the corpus", "left", "tested on"), 150),
    )  # fmt: skip
    cells = []
    for number, cell in enumerate(found.cells):
        assert cell.quality is not None
        also = multiclass_runs.flat(multiclass_runs.draw_scores(OTHER, 3, 3.0, 50 + number))
        scored = (record.OutOfDomainScores("other.csv", also),)
        quality = dataclasses.replace(cell.quality, out_of_domain=scored)
        cells.append(dataclasses.replace(cell, quality=quality))
    return dataclasses.replace(
        found,
        data=dataclasses.replace(found.data, out_of_domain=(other,)),
        cells=tuple(cells),
        options=factories.options(objective="balanced-accuracy"),
    )


@functools.cache
def analysis() -> Analysis:
    return Analysis.of(made())


@functools.cache
def report_section(heading: str) -> str:
    return report().split(f"\n## {heading}\n\n")[1].split("\n\n## ")[0]


@functools.cache
def report() -> str:
    return render(made())


def area(labels: tuple[int, ...], own: np.ndarray) -> float:
    by_class = [
        reference.roc_auc_score(np.asarray(labels) == k, own[:, k]) for k in np.unique(labels)
    ]
    return float(np.mean(by_class))


def own_scores(cell: CellRecord, flat: tuple[float, ...]) -> np.ndarray:
    """Scores of the record, calibrated."""
    return analysis().decisions.choices[cell.name].calibrated(np.reshape(flat, (-1, 3)))


def areas(model: str) -> list[float]:
    """ROC AUC of a model's trainings by scikit-learn, from its own scores of test comments."""
    return [
        area(made().data.test.labels, own_scores(cell, cell.quality.test))
        for cell in made().cells
        if cell.model == model and cell.quality is not None
    ]


def other_areas(model: str) -> list[float]:
    """The same out of domain."""
    return [
        area(OTHER, own_scores(cell, cell.quality.out_of_domain[0].probabilities))
        for cell in made().cells
        if cell.model == model and cell.quality is not None
    ]


@pytest.mark.parametrize("model", ["tfidf", "bert"])
def test_offsets_change_answers_and_would_change_the_figures(model: str) -> None:
    cells = analysis().models[model]
    decided = [scores(made(), cell) for cell in cells]
    own = [scores(made(), calibrated(cell)) for cell in cells]
    assert all(
        (a.argmax(axis=1) != b.argmax(axis=1)).any() for a, b in zip(decided, own, strict=True)
    )
    with_offsets = [area(made().data.test.labels, of) for of in decided]
    assert abs(np.mean(with_offsets) - np.mean(areas(model))) > 0.002


@pytest.mark.parametrize("model", ["tfidf", "bert"])
def test_tables_and_page_show_the_area_of_own_scores(model: str) -> None:
    mean = f"{np.mean(areas(model)):.3f}"
    results = report_section("Results")
    headings = next(line for line in results.splitlines() if line.startswith("| model"))
    column = [entry.strip() for entry in headings.split("|")[1:-1]].index("ROC AUC")
    assert row(results.split("\n\n")[0], model)[column] == mean
    assert row(report_section("Seeds"), model)[3] == f"{mean} ± {np.std(areas(model), ddof=1):.3f}"
    quality = entries(report_section("Quality"), "macro ROC AUC")
    (shown,) = [entry for entry in quality if entry[0] == f"{model} (2 seeds)"]
    assert shown[1].startswith(f"{mean} (")
    (on_page,) = [of for of in content.of([made()])["runs"][0]["models"] if of["model"] == model]
    assert on_page["figures"]["roc_auc"]["value"] == pytest.approx(np.mean(areas(model)))


@pytest.mark.parametrize("model", ["tfidf", "bert"])
def test_average_precision_is_of_own_scores(model: str) -> None:
    truth_of = np.asarray(made().data.test.labels)
    own = [
        own_scores(cell, cell.quality.test)
        for cell in made().cells
        if cell.model == model and cell.quality is not None
    ]
    mean = np.mean(
        [reference.average_precision_score(truth_of == k, of[:, k]) for of in own for k in range(3)]
    )
    quality = entries(report_section("Quality"), "macro average precision")
    (shown,) = [entry for entry in quality if entry[0] == f"{model} (2 seeds)"]
    assert shown[2].startswith(f"{mean:.3f} (")


def test_pairs_of_models_differ_by_the_areas_of_own_scores() -> None:
    (pair,) = analysis().pairs
    assert pair.auc is not None
    assert pair.auc.value == pytest.approx(np.mean(areas("tfidf")) - np.mean(areas("bert")))
    answers = [
        np.mean([metrics.correct(scores(made(), cell), truth(made())) for cell in cells])
        for cells in analysis().models.values()
    ]
    assert pair.accuracy.value == pytest.approx(answers[0] - answers[1])
    ((of_set,),) = analysis().transfers.pairs.values()
    assert of_set.auc is not None
    expected = np.mean(other_areas("tfidf")) - np.mean(other_areas("bert"))
    assert of_set.auc.value == pytest.approx(expected)


def test_transfer_compares_the_areas_of_own_scores() -> None:
    for result in analysis().transfers.results:
        model = result.cell.model
        assert result.auc.value == pytest.approx(other_areas(model)[0])
        assert result.in_domain_auc == pytest.approx(areas(model)[0])
        assert result.auc_drop is not None
        assert result.auc_drop.value == pytest.approx(other_areas(model)[0] - areas(model)[0])
        answers = scores(made(), result.cell).argmax(axis=1)
        recall = reference.balanced_accuracy_score(made().data.test.labels, answers)
        assert result.in_domain_share == pytest.approx(recall)


def test_compared_runs_have_the_areas_of_own_scores() -> None:
    renamed = [
        dataclasses.replace(cell, model="bert")
        for cell in made().cells
        if cell.model == "tfidf" and cell.seed == 0
    ]
    before = dataclasses.replace(made(), cells=made().cells[2:3])
    later = dataclasses.replace(made(), cells=tuple(renamed))
    text = compare([("a", before), ("b", later)]).text
    found = row(text.split("### ROC AUC, macro")[1].split("##")[0], "bert")
    expected = areas("bert")[0], areas("tfidf")[0]
    assert found[2:5] == [
        *(f"{one:.3f}" for one in expected),
        f"{100 * (expected[1] - expected[0]):+.1f}",
    ]


def test_the_curve_has_the_area_of_own_scores() -> None:
    figure = curves.draw_roc(analysis())
    for line, model in zip(figure.axes[0].lines, ("tfidf", "bert"), strict=False):
        rates, recalls = (np.asarray(data, float) / 100 for data in line.get_data())
        assert reference.auc(rates, recalls) == pytest.approx(areas(model)[0], abs=1e-3)
    plt.close(figure)


def test_thresholds_of_labels_and_of_two_classes_change_no_ranking() -> None:
    labels = multilabel_runs.run(noises={"tfidf": 2.0}, comments=200)
    two = dataclasses.replace(
        multiclass_runs.run(("ham", "spam"), {"tfidf": 2.5}),
        options=factories.options(objective="f1"),
    )
    for run in (labels, two):
        decided = Decisions.of(run).decided
        cell = decided.cells[0]
        assert calibrated(cell) is not cell
        areas = [metrics.roc_auc(scores(run, of), truth(run)) for of in (cell, calibrated(cell))]
        assert areas[0] == pytest.approx(areas[1], abs=1e-12)

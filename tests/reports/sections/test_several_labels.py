"""Reports, comparisons and refusals of runs with several labels per comment."""

import dataclasses
import functools

import numpy as np
import pytest
from sklearn import metrics as reference

from tests import factories, multiclass_runs, multilabel_runs
from tests.rendering import render, row, section
from worthit.bench.saved import record
from worthit.datasets.errors import RunError
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.cli import comments
from worthit.reports.compare import repeat
from worthit.reports.compare.compare import compare
from worthit.reports.sections import by_label, seeds
from worthit.reports.verdict import warnings

MADE = multilabel_runs.run(noises={"tfidf": 2.0, "bert": 1.7, "llama": 1.6}, comments=200)


@functools.cache
def report() -> str:
    return render(MADE)


@functools.cache
def report_without(label: int) -> str:
    return render(without(label))


def without(label: int) -> record.Run:
    """A run whose test comments never have one label."""
    matrix = multilabel_runs.matrix(MADE.data.test, 3).copy()
    matrix[:, label] = 0
    test = multilabel_runs.part(matrix)
    return dataclasses.replace(MADE, data=dataclasses.replace(MADE.data, test=test, natural=test))


def test_macro_f1_leads_verdict_and_results() -> None:
    assert "points of macro F1" in report().split("## Results")[0]
    assert "Macro F1 decides." in report()
    results = report().split("## Results")[1].split("\n\n")[1]
    headings = [entry.strip() for entry in results.split("\n")[0].split("|")]
    figures = ["macro F1", "micro F1", "subset accuracy"]
    assert [one for one in headings if one.endswith("(95 % interval)")] == [
        f"{figure} (95 % interval)" for figure in figures
    ]
    assert "*best constant answer*" in results


def test_each_label_has_f1_and_roc_auc_with_intervals() -> None:
    text = report().split("## By label")[1].split("## Where")[0]
    matrix = multilabel_runs.matrix(MADE.data.test, 3)
    rows = [line for line in text.split("\n") if line.startswith("| threat")]
    assert len(rows) == 2
    assert all(f"{matrix[:, 2].sum():,} |" in row and row.count(" to ") == 3 for row in rows)


def test_a_label_without_test_comments_is_not_available() -> None:
    text = report_without(1).split("## By label")[1].split("## Where")[0]
    (f1, auc) = (line for line in text.split("\n") if line.startswith("| insult"))
    assert f1.count("n/a [1]") == auc.count("n/a [1]") == 3
    assert text.count("[1] no test comment has this label") == 2


def test_macro_figures_say_over_how_many_labels_they_are() -> None:
    assert "over 3 labels" in report()
    assert "over 2 of 3 labels" in report_without(1)


def test_what_needs_one_class_is_left_out_and_said() -> None:
    headings = [line for line in report().split("\n") if line.startswith("#")]
    for absent in ("Cascades", "Confusion", "Class by class", "prevalence"):
        assert not any(absent in heading for heading in headings)
    assert "Left out, because a comment has several labels" in report()


def test_thresholds_are_shown_label_by_label() -> None:
    table = report().split("from which on each label is predicted.")[1].split("\n\n")[1]
    assert all(name in table.split("\n")[0] for name in multilabel_runs.THREE)


def test_rare_labels_are_warned_of() -> None:
    text = warnings.few_test_comments(without(1))
    assert text.startswith("Warning: few of the 200 test comments have the label insult (0)")


def test_rare_labels_are_warned_of_beside_a_small_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "FEW_TEST_COMMENTS", 300)
    text = warnings.few_test_comments(without(1))
    assert text.startswith("Warning: the test set has only 200 comments")
    assert "have the label insult (0), so figures on it say little" in text


def test_labels_that_resamples_lack_are_named() -> None:
    assert by_label._lacking(["toxic", "insult", "threat"], [40, 4, 0]) == ""
    assert "lack a label (threat) are means" in by_label._lacking(["toxic", "threat"], [40, 3])


def test_runs_of_labels_are_compared_by_f1() -> None:
    worse = multilabel_runs.run(noises={"tfidf": 5.0, "bert": 1.0, "llama": 0.9})
    found = compare([("a", multilabel_runs.run()), ("b", dataclasses.replace(worse, run_id="b"))])
    for heading in ("macro F1", "micro F1", "subset accuracy"):
        assert f"### test {heading}" in found.text
    assert "Macro F1, micro F1, subset accuracy and ROC AUC are subtracted, in points" in found.text
    assert "tfidf-cpu test subset accuracy" in found.text


def test_labels_are_not_compared_with_classes() -> None:
    classes = multiclass_runs.run(multiclass_runs.THREE, multiclass_runs.NOISES)
    with pytest.raises(RunError, match="compare runs of one kind"):
        compare([("a", MADE), ("b", classes)])


def test_repeated_runs_of_labels_have_the_same_scores() -> None:
    _, agreements = repeat.ratios(MADE, MADE)
    assert {*agreements} == {"same"}


@pytest.mark.parametrize("describe", [comments.missed, comments.suspects])
def test_comments_to_look_at_are_refused_in_one_line(describe: object) -> None:
    assert callable(describe)
    with pytest.raises(RunError) as no:
        describe(MADE, 5, 80)
    assert "\n" not in str(no.value)


def test_two_labels_are_not_two_classes() -> None:
    made = multilabel_runs.run(("toxic", "insult"))
    assert made.data.classes == ("toxic", "insult")
    assert "2 labels" in render(made).split("## Results")[0]
    assert np.shape(multilabel_runs.matrix(made.data.test, 2)) == (300, 2)


@pytest.mark.parametrize("objective", ["micro-f1", "subset-accuracy"])
def test_another_figure_can_decide(objective: str) -> None:
    made = dataclasses.replace(MADE, options={"--objective": objective})
    heading = objective.replace("-f1", " F1").replace("-", " ")
    text = render(made)
    assert f"points of {heading}" in text.split("## Results")[0]
    assert f"{heading[0].upper()}{heading[1:]} differs" in text


def also_tested(labels: multilabel_runs.Labels) -> record.Run:
    """A run that was also tested on out-of-domain comments with these labels."""
    part = multilabel_runs.part(labels)
    other = factories.out_of_domain(
        part,
        classes=multilabel_runs.THREE,
        mapped_to=multilabel_runs.THREE,
        steps=factories.steps(("read", "tested on"), len(labels), *labels.sum(axis=0).tolist()),
    )
    cells = []
    for number, cell in enumerate(MADE.cells):
        flat = multilabel_runs.flat(multilabel_runs.draw_scores(labels, 2.5, number))
        assert cell.quality is not None
        scores = (record.OutOfDomainScores(other.name, flat),)
        quality = dataclasses.replace(cell.quality, out_of_domain=scores)
        cells.append(dataclasses.replace(cell, quality=quality))
    data = dataclasses.replace(MADE.data, out_of_domain=(other,))
    return dataclasses.replace(MADE, data=data, cells=tuple(cells))


def test_out_of_domain_comments_are_compared_by_the_labels_of_both_sets() -> None:
    labels = multilabel_runs.draw_labels(200, seed=7)
    labels[:, 2] = 0
    made = also_tested(labels)
    text = section(made, "Out-of-domain comments")
    assert "| macro F1, out-of-domain" in text.replace("  ", "")
    assert f"{labels[:, 0].sum():,} toxic, {labels[:, 1].sum():,} insult" in text
    assert "Left out: threat, which all or none of the comments of one set have." in text
    found = Analysis.of(made)
    (first, *_) = found.transfers.results
    cell = first.cell
    assert cell.quality is not None
    own = np.reshape(cell.quality.out_of_domain[0].probabilities, (-1, 3))[:, :2]
    assert first.share.value == pytest.approx(
        reference.f1_score(labels[:, :2], own >= 0.5, average="macro")
    )


def test_sets_without_a_common_label_are_not_compared() -> None:
    made = also_tested(np.zeros((60, 3), np.int64))
    assert "no label is in both sets" in section(made, "Out-of-domain comments")


def test_a_figure_that_is_not_defined_is_not_0_over_seeds() -> None:
    made = multilabel_runs.run(noises={"bert": 1.0}, comments=60, seeds=2)
    nothing = multilabel_runs.part(np.zeros((60, 3), np.int64))
    data = dataclasses.replace(made.data, test=nothing, natural=nothing)
    text = "\n\n".join(seeds.section(Analysis.of(dataclasses.replace(made, data=data))))
    assert row(text, "bert")[2:4] == ["n/a", "n/a"]
    assert "differ most" not in text

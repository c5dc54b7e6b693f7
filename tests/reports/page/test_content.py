"""reports/page/content.py: runs become a JSON-able value."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import multiclass_runs, multilabel_runs, page_runs, priced_runs, rendering, small_runs
from worthit.bench.saved.record import measured
from worthit.reports.analysis import figures, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.page import content
from worthit.reports.page.plain import plain
from worthit.reports.sections import frontier, report
from worthit.reports.statistics import metrics
from worthit.reports.verdict import rules


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def figure(found: dict[str, Any], model: str, key: str) -> dict[str, Any]:
    (one,) = [entry for entry in found["models"] if entry["model"] == model]
    made: dict[str, Any] = one["figures"][key]
    return made


def test_the_answer_is_the_verdict_of_the_report_without_markdown() -> None:
    run = multiclass_runs.run(multiclass_runs.THREE, multiclass_runs.NOISES)
    verdict = content.of([run])["runs"][0]["verdict"]
    assert verdict["headline"] == plain(rules.decide(Analysis.of(run)).headline)
    assert verdict["headline"]
    assert len(verdict["reasons"]) == len(rules.decide(Analysis.of(run)).reasons) > 0


def test_every_figure_of_the_table_is_there_with_a_value_or_a_reason() -> None:
    found = content.of([page_runs.run()])
    keys = [spec.key for spec in figures.FIGURES]
    assert [spec["key"] for spec in found["figures"]] == keys
    for model in found["runs"][0]["models"]:
        assert list(model["figures"]) == keys
        for one in model["figures"].values():
            assert one["reason"] if one["value"] is None else one["text"]


def test_a_new_figure_needs_no_change_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    (accuracy,) = [spec for spec in figures.FIGURES if spec.key == "accuracy"]
    made = FigureSpec("water_ml", accuracy.read, heading="water, ml/comment")
    monkeypatch.setattr(figures, "FIGURES", (*figures.FIGURES, made))
    found = content.of([page_runs.run()])
    assert found["figures"][-1]["heading"] == "water, ml/comment"
    assert figure(found["runs"][0], "bert", "water_ml")["value"] == 0.98


def test_figures_say_whether_they_are_estimated_cached_or_disturbed() -> None:
    run = content.of([page_runs.run()])["runs"][0]
    energy = figure(run, "word2vec", "energy_mj")
    assert energy["estimated"]
    assert energy["text"] == "≈2,000"
    assert "interval" not in energy
    assert "high" not in energy  # how far it is off is unknown
    assert figure(run, "embeddings", "comments_per_s")["disturbed"] == "another program"
    assert figure(run, "embeddings", "comments_per_s")["text"] == "700 (disturbed)"
    small = content.of([small_runs.run(small_runs.cell(), small_runs.cell(model="tfidf"))])
    assert figure(small["runs"][0], "lsa", "training_s")["text"] == "1.5 (cached)"


def test_what_is_missing_is_null_and_never_zero() -> None:
    run = content.of([page_runs.run()])["runs"][0]
    assert figure(run, "static", "accuracy") == {
        "value": None,
        "text": "n/a",
        "reason": "static-cpu: quality: memory",
    }
    assert figure(run, "llama-zero-shot", "training_s")["text"] == "none"
    assert figure(run, "llama-zero-shot", "training_s")["nothing"]


def test_a_choice_of_the_prompt_is_not_called_a_training() -> None:
    """The report's column has trainings only; the page shows what its limits and frontiers compare."""
    base = priced_runs.untuned()
    training = dataclasses.replace(base.training, choosing_s=measured(30, "s", "clock"))  # type: ignore[type-var]
    chose = dataclasses.replace(base, training=training)
    found = content.of([page_runs.run(*page_runs.cells()[:3], chose)])
    assert figure(found["runs"][0], "llama-zero-shot", "training_s")["value"] == 30
    headings = {spec["key"]: spec["heading"] for spec in found["figures"]}
    assert headings["training_s"] == "training, or choice of the prompt, s"


def test_a_training_by_several_processes_says_so() -> None:
    first, *others = page_runs.cells()[:3]
    training = dataclasses.replace(first.training, processes=2)  # type: ignore[type-var]
    shared = dataclasses.replace(first, training=training)
    run = content.of([page_runs.run(shared, *others)])["runs"][0]
    assert figure(run, "lsa", "training_s")["reason"] == "2 processes shared the training"
    assert not figure(run, "tfidf", "training_s")["reason"]


def test_limits_are_in_the_unit_of_their_figures() -> None:
    run = page_runs.run(options={"--budget": "energy_j=0.5,accuracy=0.9"})
    assert content.of([run])["runs"][0]["limits"] == {"energy_mj": 500.0, "accuracy": 0.9}


def test_standings_are_those_of_the_report() -> None:
    run = page_runs.run(*page_runs.measured_cells())
    analysis = Analysis.of(run)
    models = content.of([run])["runs"][0]["models"]
    for one in analysis.frontiers:
        standings = [model["standings"][one.figure.key]["kind"] for model in models]
        assert standings == [point.standing for point in one.points]


def test_a_cascade_stands_at_each_cost_as_in_the_report() -> None:
    run = page_runs.cascade()
    _, _, table, *_ = frontier.section(Analysis.of(run))
    _, *in_report = rendering.row(table, "tfidf → llama")
    (page,) = content.of([run])["runs"]
    (cascade,) = page["cascades"]
    on_page = [cost["standing"] for cost in cascade["costs"].values()]
    assert len(on_page) == len(in_report)
    for shown, entry in zip(on_page, in_report, strict=True):
        assert shown.split(": ")[0] == plain(entry.split(" [")[0])
    assert on_page.count("not ranked: the cost of some model is an estimate") == 1


def test_a_matrix_of_too_many_classes_is_left_out_with_the_reason() -> None:
    few, many = (
        content.of([multiclass_runs.run(multiclass_runs.many(kinds), multiclass_runs.NOISES)])
        for kinds in (3, 21)
    )
    matrix = few["runs"][0]["models"][0]["confusion"]
    assert sum(map(sum, matrix)) == few["runs"][0]["comments"]
    assert many["runs"][0]["models"][0]["confusion"] is None
    assert "classes" in many["runs"][0]["models"][0]["no_confusion"]


def test_names_of_others_cannot_control_the_display_and_the_value_is_json() -> None:
    run = page_runs.run(run_id=page_runs.HOSTILE)
    data = dataclasses.replace(run.data, classes=("ok", page_runs.HOSTILE), title=page_runs.HOSTILE)
    found = content.of([dataclasses.replace(run, data=data)])
    assert "</script><img" in found["runs"][0]["classes"][1]
    assert not [text for text in texts(found) if "\u202e" in text or "\u2028" in text]
    json.dumps(found, allow_nan=False)


def test_markdown_becomes_text() -> None:
    assert plain("**a** `b` [c](#term-c) d\\_e &lt;f&gt; <i>g</i>") == "a b c d_e <f> <i>g</i>"


def test_several_labels_have_the_headings_and_the_constant_answer_of_the_report() -> None:
    run = multilabel_runs.run()
    found = content.of([run])
    headings = {spec["key"]: spec["heading"] for spec in found["figures"]}
    assert headings["accuracy"] == "subset accuracy"
    assert headings["deciding"] == "what the verdict compares (macro F1)"
    (page,) = found["runs"]
    assert page["ranking"] == "macro_f1"
    assert page["majority"] == metrics.majority_accuracy(run_view.truth(run))
    assert page["majority_answer"] == "most common set of labels"


def test_figures_of_several_trainings_say_so_as_in_the_report() -> None:
    noises = {"tfidf": 2.5, "bert": 1.5}
    run = multiclass_runs.run(multiclass_runs.THREE, noises, seeds=2)
    (page,) = content.of([run])["runs"]
    means = "ROC AUC are means of 2 trainings of tfidf and 2 trainings of bert; other figures"
    assert means in page["answers"]
    assert means in report.results(Analysis.of(run))[1]
    assert [model["trainings"] for model in page["models"]] == [2, 2]


def test_runs_on_other_test_comments_say_that_accuracies_do_not_compare() -> None:
    first = page_runs.run(*page_runs.cells()[:2])
    labels = dataclasses.replace(first.data.test, labels=first.data.test.labels[::-1])
    relabelled = dataclasses.replace(first.data, test=labels)
    renamed = dataclasses.replace(first.data, classes=("no", "yes"))
    again, *others = (
        dataclasses.replace(first, run_id=str(number), data=data)
        for number, data in enumerate((first.data, relabelled, renamed))
    )
    found = content.of([first, again, *others])["runs"]
    assert [run["other_comments"] for run in found] == [
        "",
        "",
        "labels of the same test comments differ",
        "the classes of the runs differ",
    ]

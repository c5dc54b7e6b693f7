"""bench/saved/consistency.py, reports/saved_runs.py: a run damaged by one edit is refused in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import factories, multiclass_runs, multilabel_runs, small_runs
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import measured
from worthit.datasets.audit.audit import NearDuplicates
from worthit.datasets.audit.label_noise import LabelNoise
from worthit.datasets.errors import RunError
from worthit.reports import saved_runs
from worthit.reports.cli import main

GOOD = small_runs.GOOD
NO_CPU = "Object missing required field `cpu` - at `$.machine`"


def whole() -> record.Run:
    """A run that has everything a report looks at."""
    part = replace(factories.part(small_runs.LABELS), toxic_share=(0.5,) * 20, raters=(10,) * 20)
    audit = factories.audit(
        near_duplicates=NearDuplicates(("00000003",), 0, 20, "hashes"),
        label_noise=LabelNoise(1, 1, 0.9, ("00000004",)),
    )
    data = factories.data(
        part, validation=part, audit=audit,
        steps=factories.steps(("balanced", "train, balanced", "test, balanced"), 20),
        out_of_domain=(factories.out_of_domain(part, name="o.csv"),),
    )  # fmt: skip
    points = tuple(record.CurvePoint(size, measured(1, "s", "clock"), GOOD) for size in (5, 10))
    scores = (record.OutOfDomainScores("o.csv", GOOD),)
    quality = factories.quality(GOOD, validation=GOOD, out_of_domain=scores)
    tuning = factories.tuning()
    cell = small_runs.cell(quality=quality, learning_curve=points, tuning=tuning)
    return small_runs.run(cell, data=data, noise=measured(2, "%", "loop"))


def damaged(folder: Path, run: record.Run, edit: Callable[[Any], object]) -> Path:
    file = folder / "a.json"
    run_file.save(run, file)
    raw = json.loads(file.read_text())
    edit(raw)
    file.write_text(json.dumps(raw))
    return file


def part(name: str, key: str, place: int, value: Any) -> Callable[[Any], object]:
    """Puts one value among a part's."""
    return lambda raw: raw["data"][name][key].__setitem__(place, value)


def cell(*path: Any, value: Any) -> Callable[[Any], object]:
    """Puts a value at a place of the only cell."""

    def edit(raw: Any) -> None:
        at = raw["cells"][0]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return edit


DAMAGES: list[tuple[Callable[[Any], object], str]] = [
    (lambda raw: raw.update(machine={}), NO_CPU),
    (lambda raw: raw["machine"].pop("accelerators"), "Object missing required field `accelerators` - at `$.machine`"),
    (
        lambda raw: raw["machine"].update(cores_allowed="two"),
        "Expected `int`, got `str` - at `$.machine.cores_allowed`",
    ),
    (lambda raw: raw["machine"].update(libraries=[]), "Expected `object`, got `array` - at `$.machine.libraries`"),
    (lambda raw: raw["noise"].update(value=-2), "noise is -2 %"),
    (cell("tuning", "given", value={}), "cell lsa-cpu: tuning chose ['C'], given are []"),
    (
        cell("tuning", "reason", value="no time"),
        "cell lsa-cpu: tuning needs chosen settings, or a reason why the given ones stay",
    ),
    (
        cell("tuning", "comments", value=0),
        "cell lsa-cpu: tuning: only trainings on some comments give a score",
    ),
    (lambda raw: raw["data"].update(classes=["toxic"]), "Expected `array` of length >= 2 - at `$.data.classes`"),
    (lambda raw: raw["data"].update(classes=["toxic", "toxic"]), "data.classes has 'toxic' 2 times"),
    (lambda raw: raw["data"].update(steps=[]), "data.steps has no step 'train'"),
    (lambda raw: raw["data"]["steps"].pop(0), "data.steps has no step 'balanced'"),
    (lambda raw: raw["data"].update(balanced=False), "data.steps has no step 'without duplicates'"),
    (
        lambda raw: raw["data"]["steps"][0].update(comments=30),
        "data.steps 'balanced' has 30 comments, by class (10, 10)",
    ),
    (
        lambda raw: raw["data"]["steps"][0].update(counts=[-5, 25]),
        "Expected `int` >= 0 - at `$.data.steps[0].counts[0]`",
    ),
    (lambda raw: raw["data"]["steps"][0].update(counts=[20]), "data.steps 'balanced' counts 1 classes of 2"),
    (
        lambda raw: raw["data"]["steps"][2].update(comments=30, counts=[10, 20]),
        "data.test has 20 ids, the step 'test, balanced' 30 comments",
    ),
    (lambda raw: raw["data"]["test"]["labels"].pop(), "data.test has 20 ids and 19 labels"),
    (lambda raw: raw["data"]["natural"]["characters"].pop(), "data.natural has 20 ids and 19 characters"),
    (lambda raw: raw["data"]["population"].pop(), "Expected `array` of length >= 2 - at `$.data.population`"),
    (
        lambda raw: raw["data"]["population"].append(7),
        "data.population has 3 classes of 2",
    ),
    (
        lambda raw: raw["data"].update(population=[1_800, 9]),
        "data.natural has 10 comments of class 'toxic', data.population 9",
    ),
    (
        lambda raw: raw["data"]["natural"].update(labels=[0] * 20),
        "data.natural has 0 comments of class 'toxic', data.population 200",
    ),
    (part("test", "labels", 4, 7), "data.test.labels has 7, there are 2 classes"),
    (part("test", "labels", 4, -1), "Expected `int` >= 0 - at `$.data.test.labels[4]`"),
    (part("test", "toxic_share", 0, 1.5), "Expected `float` <= 1.0 - at `$.data.test.toxic_share[0]`"),
    (part("train", "raters", 19, -1), "Expected `int` >= 0 - at `$.data.train.raters[19]`"),
    (
        lambda raw: raw["data"]["out_of_domain"].append(raw["data"]["out_of_domain"][0]),
        "data.out_of_domain has 'o.csv' 2 times",
    ),
    (
        lambda raw: raw["data"]["out_of_domain"][0].update(mapped_to=["not toxic"]),
        "data.out_of_domain 'o.csv' has 2 classes and maps 1",
    ),
    (
        lambda raw: raw["data"]["out_of_domain"][0].update(mapped_to=["ham", None]),
        "data.out_of_domain 'o.csv' maps a class to 'ham', which is not an in-domain class",
    ),
    (
        lambda raw: raw["data"]["out_of_domain"][0].update(steps=[]),
        "Expected `array` of length >= 1 - at `$.data.out_of_domain[0].steps`",
    ),
    (
        lambda raw: raw["data"]["out_of_domain"][0].update(name="p.csv"),
        "cell lsa-cpu: quality.out_of_domain has ['o.csv'], data.out_of_domain ['p.csv']",
    ),
    (
        lambda raw: raw["data"]["audit"]["test"].update(comments=30),
        "data.audit.test has 30 comments, by class (10, 10)",
    ),
    (
        lambda raw: raw["data"]["audit"]["test"].update(comments=0),
        "Expected `int` >= 1 - at `$.data.audit.test.comments`",
    ),
    (
        lambda raw: raw["data"]["audit"]["train"].update(median_characters=[3]),
        "data.audit.train.median_characters has 1 classes of 2",
    ),
    (
        lambda raw: raw["data"]["audit"]["train"].update(languages={}),
        "Expected `object` of length >= 1 - at `$.data.audit.train.languages`",
    ),
    (
        lambda raw: raw["data"]["audit"]["train"].update(personal_data={}),
        "data.audit.train and test have different hints of personal data",
    ),
    (
        lambda raw: raw["data"]["audit"]["label_noise"].update(suspects=["ffffffff"]),
        "data.audit.label_noise.suspects has ffffffff, which is not a test comment",
    ),
    (
        lambda raw: raw["data"]["audit"]["near_duplicates"].update(ids=["ffffffff"]),
        "data.audit.near_duplicates.ids has ffffffff, which is not a test comment",
    ),
    (
        lambda raw: raw["data"]["audit"]["label_noise"].update(train=None),
        "data.audit.label_noise needs a number of labels, or a reason instead of it",
    ),
    (
        lambda raw: raw["noise"].update(samples=0),
        "noise has 0 samples",
    ),
    (lambda raw: raw["cells"].append(raw["cells"][0]), "cells has 'lsa-cpu' 2 times"),
    (
        lambda raw: raw["cells"][0]["quality"]["test"].pop(),
        "cell lsa-cpu: quality.test has 19 probabilities for 20 comments, 1 each",
    ),
    (
        lambda raw: raw["cells"][0]["quality"]["validation"].pop(),
        "cell lsa-cpu: quality.validation has 19 probabilities for 20 comments, 1 each",
    ),
    (
        cell("quality", "test", 2, value=7.5),
        "cell lsa-cpu: quality.test has 7.5 at place 3; allowed is from 0 to 1",
    ),
    (
        cell("quality", "out_of_domain", 0, "probabilities", 0, value=-0.1),
        "cell lsa-cpu: quality.out_of_domain 'o.csv' has -0.1 at place 1; allowed is from 0 to 1",
    ),
    (
        cell("quality", "truncated_share", value=25),
        "Expected `float` <= 1.0 - at `$.cells[0].quality.truncated_share`",
    ),
    (cell("training", "comments", value=0), "cell lsa-cpu: training.comments is 0"),
    (cell("training", "disk_mb", "value", value=-1), "cell lsa-cpu: training.disk_mb is -1 MB"),
    (cell("training", "memory", "peak_mb", "value", value=-700), "cell lsa-cpu: training.memory.peak_mb is -700 MB"),
    (
        cell("learning_curve", 1, "comments", value=5),
        "cell lsa-cpu: learning_curve has sizes [5, 5], which do not grow",
    ),
    (
        cell("learning_curve", 0, "test", value=[]),
        "cell lsa-cpu: learning_curve at 5 has 0 probabilities for 20 comments, 1 each",
    ),
    (cell("latency", "samples_ms", value=[]), "Expected `array` of length >= 1 - at `$.cells[0].latency.samples_ms`"),
    (cell("latency", "characters", value=[5]), "cell lsa-cpu: latency has 2 samples_ms and 1 characters"),
    (cell("latency", "samples_ms", 0, value=0), "Expected `float` > 0.0 - at `$.cells[0].latency.samples_ms[0]`"),
    (cell("latency", "p50_ms", "value", value=15), "cell lsa-cpu: latency.p50_ms is 15, the samples are 1 to 2"),
    (cell("throughput", "batches", value=[]), "Expected `array` of length >= 1 - at `$.cells[0].throughput.batches`"),
    (
        cell("throughput", "batches", 0, "batch_size", value=0),
        "Expected `int` >= 1 - at `$.cells[0].throughput.batches[0].batch_size`",
    ),
    (
        cell("throughput", "batches", 0, "comments_per_s", "value", value=0),
        "cell lsa-cpu: throughput has no rate at batch size 8",
    ),
    (
        cell("throughput", "machine", "comments_per_s", "value", value=0),
        "cell lsa-cpu: throughput.machine has no rate",
    ),
    (
        cell("throughput", "batches", 0, "comments_per_s", "value", value=-8),
        "cell lsa-cpu: throughput.batches[0].comments_per_s is -8 comments/s",
    ),
    (cell("energy", "cpu_j_per_comment", "value", value=-8), "cell lsa-cpu: energy.cpu_j_per_comment is -8 J"),
    (
        lambda raw: raw["options"].update({"--recall": "most"}),
        "--recall is most; it takes a number from 0.01 up to 1",
    ),
    (
        lambda raw: raw["options"].update({"--p99-limit-ms": "-5"}),
        "--p99-limit-ms is -5; it takes a number from 1 up",
    ),
    (
        lambda raw: raw["options"].update({"--budget": "accuracy=90"}),
        "--budget gives accuracy the limit '90'; it takes a number above 0 and up to 1: test accuracy "
        "(of several labels subset accuracy), from 0 to 1, at least",
    ),
]  # fmt: skip


def test_a_whole_run_is_loaded_unchanged(tmp_path: Path) -> None:
    run_file.save(whole(), tmp_path / "a.json")
    assert saved_runs.load(tmp_path / "a.json") == whole()


@pytest.mark.parametrize(("edit", "message"), DAMAGES, ids=[message for _, message in DAMAGES])
def test_one_damage_is_refused_in_one_line(
    tmp_path: Path, edit: Callable[[Any], object], message: str
) -> None:
    file = damaged(tmp_path, whole(), edit)
    with pytest.raises(RunError) as caught:
        saved_runs.load(file)
    assert str(caught.value) == f"{file} is not a valid run: {message}"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda raw: raw["cells"][0]["quality"]["test"].pop(),
            "cell tfidf-cpu: quality.test has 899 probabilities for 300 comments, 3 each",
        ),
        (
            lambda raw: raw["cells"][0]["quality"]["natural"].__setitem__(slice(3, 6), [0.5, 0.5, 0.5]),
            "cell tfidf-cpu: quality.natural: the probabilities of comment 2 add to 1.5",
        ),
        (
            lambda raw: raw["data"]["steps"][0].update(counts=[]),
            "data.steps 'without duplicates' counts 0 classes of 3",
        ),
        (part("test", "labels", 0, 3), "data.test.labels has 3, there are 3 classes"),
    ],
)  # fmt: skip
def test_damage_is_refused_with_three_classes(
    tmp_path: Path, edit: Callable[[Any], object], message: str
) -> None:
    file = damaged(tmp_path, multiclass_runs.run(multiclass_runs.THREE, {"tfidf": 2.5}), edit)
    with pytest.raises(RunError) as caught:
        run_file.load(file)
    assert str(caught.value) == f"{file} is not a valid run: {message}"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (part("test", "labels", 0, 2), "data.test.labels has 2; of multi-label data it has 0 and 1"),
        (
            lambda raw: raw["data"]["test"]["labels"].pop(),
            "data.test has 300 ids and 899 labels",
        ),
        (
            lambda raw: raw["data"]["steps"][0]["counts"].__setitem__(0, 301),
            "data.steps 'without duplicates' has 300 comments, by class (301, 63, 29)",
        ),
        (
            cell("quality", "test", 0, value=1.5),
            "cell tfidf-cpu: quality.test has 1.5 at place 1; allowed is from 0 to 1",
        ),
        (
            lambda raw: raw["cells"][0]["quality"]["test"].pop(),
            "cell tfidf-cpu: quality.test has 899 probabilities for 300 comments, 3 each",
        ),
        (
            lambda raw: raw["data"].update(balanced=True),
            "data.balanced is true, but multi-label data is never balanced",
        ),
    ],
)  # fmt: skip
def test_damage_of_multi_label_data_is_refused(
    tmp_path: Path, edit: Callable[[Any], object], message: str
) -> None:
    file = damaged(tmp_path, multilabel_runs.run(noises={"tfidf": 2.5}), edit)
    with pytest.raises(RunError) as caught:
        run_file.load(file)
    assert str(caught.value) == f"{file} is not a valid run: {message}"


def test_probabilities_of_multi_label_data_need_not_add_to_1(tmp_path: Path) -> None:
    run = multilabel_runs.run(noises={"tfidf": 2.5})
    run_file.save(run, tmp_path / "a.json")
    assert run_file.load(tmp_path / "a.json") == run


def test_an_out_of_domain_set_may_have_other_classes(tmp_path: Path) -> None:
    def edit(raw: Any) -> None:
        mapped_to = ["not toxic", "not toxic", "toxic"]
        raw["data"]["out_of_domain"][0].update(
            classes=["ham", "eggs", "toxic"], mapped_to=mapped_to
        )

    assert len(run_file.load(damaged(tmp_path, whole(), edit)).data.out_of_domain[0].classes) == 3


def test_net_energy_may_be_negative(tmp_path: Path) -> None:
    edit = cell("energy", "cpu_net_j_per_comment", "value", value=-0.1)
    assert run_file.load(damaged(tmp_path, whole(), edit)).cells[0].energy is not None


def test_runs_lists_valid_runs_and_names_damaged_ones_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "reports" / "runs"
    run_file.save(whole(), runs / "healthy.json")
    run_file.save(whole(), runs / "other.json")
    damaged(runs, whole(), lambda raw: raw.update(machine={})).rename(runs / "damaged.json")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "worthit.reports.cli.main", "runs"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = done.stdout.splitlines()
    assert [line.split()[:3] for line in printed[2:5]] == [
        ["damaged", "unreadable", "[1]"], ["healthy", "a", "CPU"], ["other", "a", "CPU"],
    ]  # fmt: skip
    assert (
        " ".join(" ".join(printed[5:]).split())
        == f"[1] reports/runs/damaged.json is not a valid run: {NO_CPU}"
    )
    assert main.main(["report", "damaged", "--root", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"worthit: {runs / 'damaged.json'} is not a valid run: {NO_CPU}\n"
    )


@pytest.mark.parametrize(
    "raw", [{"schema_version": 1}, {"schema_version": []}, {"schema_version": True}]
)
def test_other_schema_versions_are_refused(tmp_path: Path, raw: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(raw))
    with pytest.raises(RunError, match=r"a\.json (is not a valid run of|has) schema version"):
        run_file.load(tmp_path / "a.json")

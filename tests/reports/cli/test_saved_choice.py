"""The calibration and threshold that `score` applies and `export` writes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import biased_runs, factories
from tests.scored_comments import read, saved
from worthit.bench.saved import run_file, trained_models
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import RunError
from worthit.reports.cli import main as cli
from worthit.reports.cli import saved_choice


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved run whose model always says yes, with its model in the cache, and comments."""
    monkeypatch.setenv("WORTHIT_CACHE", str(tmp_path / "cache"))
    runs = tmp_path / "reports" / "runs"
    runs.mkdir(parents=True)
    made = biased_runs.run(0.6, 4.0)
    (cell,) = made.cells
    artifact = cache_folder("artifacts", "tfidf-test")
    artifact.mkdir(parents=True)
    saved("tfidf", artifact)
    cell = replace(cell, training=factories.training(artifact="tfidf-test"))
    run_file.save(replace(made, cells=(cell,), run_id="biased"), runs / "biased.json")
    (tmp_path / "in.csv").write_text("text\nyou idiot\nthanks for the article\n")
    return tmp_path


def score(project: Path, model: str, *arguments: str) -> list[dict[str, Any]]:
    target = project / "out.jsonl"
    target.unlink(missing_ok=True)
    code = cli.main(
        ["score", "--model", model, str(project / "in.csv"), "--root", str(project), "--output",
         str(target), *arguments]
    )  # fmt: skip
    assert code == 0
    return read(target)


def test_score_applies_the_choice_of_the_run_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = score(project, "biased:tfidf", "--raw")
    assert "scores are the model's own" in capsys.readouterr().err
    chosen = score(project, "biased:tfidf")
    said = capsys.readouterr().err
    assert (
        "scores are calibrated (temperature and bias), for comments of which 50.0 % are toxic"
        in said
    )
    assert "predicted toxic from 0.5 on, chosen for accuracy on 500 validation comments" in said
    assert "--raw gives the model's own" in said
    for before, after in zip(raw, chosen, strict=True):
        assert after["score"] < before["score"]
        assert after["predicted"] == ("toxic" if after["score"] >= 0.5 else "not toxic")
    assert [row["score"] for row in raw] == sorted((row["score"] for row in raw), reverse=True)


def test_options_choose_anew(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score(project, "biased:tfidf", "--cost-miss", "1000", "--cost-false-alarm", "1")
    assert "chosen for cost" in capsys.readouterr().err
    flagged = score(project, "biased:tfidf", "--cost-miss", "1e9", "--cost-false-alarm", "1e-3")
    assert {row["predicted"] for row in flagged} == {"toxic"}


def test_an_exported_folder_keeps_the_choice(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "exported"
    arguments = ["export", "biased:tfidf", str(folder), "--root", str(project), "--objective", "f1"]
    assert cli.main(arguments) == 0
    assert "chosen for f1" in capsys.readouterr().out
    assert json.loads((folder / "decision.json").read_text())["objective"] == "f1"
    of_run = score(project, "biased:tfidf", "--objective", "f1")
    assert score(project, str(folder)) == of_run
    assert "chosen for f1" in capsys.readouterr().err
    assert score(project, str(folder), "--raw") == score(project, "biased:tfidf", "--raw")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "recall"], "has no validation comments to choose by"),
        (["--raw", "--objective", "f1"], "--raw chooses nothing"),
        (["--cost-miss", "2"], "together"),
    ],
)
def test_impossible_choices_are_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    folder = project / "exported"
    assert cli.main(["export", "biased:tfidf", str(folder), "--root", str(project)]) == 0
    given = ["score", "--model", str(folder), str(project / "in.csv"), *arguments]
    assert cli.main(given) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_damaged_choice_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "exported"
    assert cli.main(["export", "biased:tfidf", str(folder), "--root", str(project)]) == 0
    (folder / "decision.json").write_text("{")
    assert cli.main(["score", "--model", str(folder), str(project / "in.csv")]) == 2
    assert "decision.json is damaged" in capsys.readouterr().err


def test_costs_choose_for_cost_whatever_the_run_was_saved_with(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "reports" / "runs" / "biased.json"
    made = run_file.load(file)
    run_file.save(replace(made, options={**made.options, "--objective": "f1"}), file)
    flagged = score(project, "biased:tfidf", "--cost-miss", "1e9", "--cost-false-alarm", "1e-3")
    assert "chosen for cost" in capsys.readouterr().err
    assert {row["predicted"] for row in flagged} == {"toxic"}


def test_one_cost_replaces_that_of_the_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "reports" / "runs" / "biased.json"
    made = run_file.load(file)
    costs = {"--cost-miss": "1", "--cost-false-alarm": "1"}
    run_file.save(replace(made, options={**made.options, **costs}), file)
    score(project, "biased:tfidf", "--cost-miss", "1e9")
    assert "chosen for cost" in capsys.readouterr().err


def test_a_recall_without_its_objective_is_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["score", "--model", "biased:tfidf", str(project / "in.csv"), "--root", str(project)]
    assert cli.main([*given, "--recall", "0.9"]) == 2
    said = capsys.readouterr().err
    assert "add --objective recall" in said
    assert said.count("\n") == 1


def test_a_model_remembers_its_text_column_in_its_run_and_exported(project: Path) -> None:
    file = project / "reports" / "runs" / "biased.json"
    made = run_file.load(file)
    run_file.save(replace(made, data=replace(made.data, text_column="note")), file)
    (project / "in.csv").write_text("text,note\nthanks for the article,you idiot\n")
    own = score(project, "biased:tfidf", "--raw")
    assert own[0]["predicted"] == "toxic"
    folder = str(project / "exported")
    assert cli.main(["export", "biased:tfidf", folder, "--root", str(project)]) == 0
    assert score(project, folder, "--raw") == own
    assert score(project, folder, "--raw", "--text-column", "text") != own
    (Path(folder) / "input.json").write_text("{")
    with pytest.raises(
        RunError, match=r"input\.json is damaged; export the model again, or delete"
    ):
        saved_choice.text_column(trained_models.find(folder, file.parent))

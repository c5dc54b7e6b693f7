"""bench/session.py: options, the cells they make, the file of a run."""

import errno
from pathlib import Path
from typing import Any

import pytest

from worthit.bench import session
from worthit.bench.cell import Cell
from worthit.bench.cells.progress import Progress
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import measured
from worthit.datasets.errors import OptionError, RunError, UnknownNameError, WorthitError


def options(**changed: Any) -> session.Options:
    given: dict[str, Any] = {
        "preset_name": "quick", "models": None, "devices": "cpu", "dataset": "synthetic", "train_size": None,
        "test_size": None, "max_length": None, "checkpoints": [], "seeds": 1, "retrain": False,
        "learning_curve": False, "cell_limit_s": None, "runs_folder": Path("runs"), "report_options": {},
    }  # fmt: skip
    return session.checked(**given | changed)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"models": "lsa,gpt"},
            UnknownNameError,
            "unknown model 'gpt'; known: majority, word-list, lsa, word2vec",
        ),
        ({"models": " , "}, OptionError, "--models was given no name"),
        ({"devices": "tpu"}, UnknownNameError, "unknown device 'tpu'; known: cpu, cuda, mps"),
        (
            {"preset_name": "slow"},
            UnknownNameError,
            "unknown preset 'slow'; known: quick, standard, reference",
        ),
        ({"dataset": "imdb"}, UnknownNameError, "unknown dataset 'imdb'; known: wikipedia"),
        ({"train_size": 0}, OptionError, "--train-size is 0"),
        ({"seeds": 0}, OptionError, "--seeds is 0"),
        ({"checkpoints": ["llama"]}, OptionError, "is not MODEL=ID_OR_PATH"),
        ({"checkpoints": ["gpt=x"]}, UnknownNameError, "unknown model 'gpt'"),
        (
            {"checkpoints": ["lsa=x"]},
            OptionError,
            "lsa has no checkpoint to choose; those that have: embeddings, bert, llama",
        ),
    ],
)
def test_bad_options_are_refused(
    changed: dict[str, Any], error: type[WorthitError], message: str
) -> None:
    with pytest.raises(error, match=message):
        options(**changed)


def test_models_are_paired_with_devices_they_can_run_on() -> None:
    pairs = session.cells(options(models="lsa,bert", devices="cpu,cuda", seeds=2))
    assert pairs == [
        ("lsa", "cpu", "0"), ("lsa", "cpu", "1"),
        ("bert", "cpu", "0"), ("bert", "cpu", "1"), ("bert", "cuda", "0"), ("bert", "cuda", "1"),
    ]  # fmt: skip


def test_a_device_asked_for_is_not_passed_over_in_silence() -> None:
    assert session.cells(options(models="lsa", devices="mps")) == [("lsa", "mps", "0")]


def test_two_runs_that_start_in_the_same_second_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "measure_noise", lambda seconds: measured(1, "%", "no loop"))
    given = options(dataset="synthetic:600", runs_folder=tmp_path / "runs")
    with (tmp_path / "progress").open("w") as stream:
        made = [session.Session(given, 1, Progress(stream)) for _ in range(3)]
        for one in made:
            one._started_at = made[0]._started_at
            one.open()
        logs = [one.cell_run("lsa", "cpu", 0)._log for one in made]
    name = f"{made[0]._started_at:%Y-%m-%d-%H%M%S}-quick"
    files = [tmp_path / "runs" / f"{name}{suffix}.json" for suffix in ("", "-2", "-3")]
    assert [one.run_file for one in made] == files
    assert [run_file.load(file).run_id for file in files] == [file.stem for file in files]
    assert [log.parent.name for log in logs] == [file.stem for file in files]


def test_a_run_that_cannot_be_saved_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(run: record.Run, file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(session, "measure_noise", lambda seconds: measured(1, "%", "no loop"))
    monkeypatch.setattr(run_file, "save", full)
    given = options(dataset="synthetic:600", runs_folder=tmp_path / "runs")
    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(given, 1, Progress(stream))
        with pytest.raises(RunError, match=r"\(No space left on device\); choose --runs-folder"):
            made.open()
        assert made.finish(interrupted=False) is None
    assert not list((tmp_path / "runs").iterdir())


def test_names_of_cells() -> None:
    assert Cell("bert", "cpu", 0, "x").name == "bert-cpu"
    assert Cell("bert", "cuda", 2, "x").name == "bert-cuda-seed2"

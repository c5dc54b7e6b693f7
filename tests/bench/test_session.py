"""bench/session.py: the cells of a run, and its file."""

import errno
from pathlib import Path

import pytest

from tests import factories
from tests.command_line import options
from worthit.bench import places, session
from worthit.bench.cell import Cell
from worthit.bench.cells.progress import Progress
from worthit.bench.forecast.forecast import Forecast, ModelForecast
from worthit.bench.instruments import machine
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import measured, unavailable
from worthit.datasets.errors import OptionError, OutputError, RunError

pytestmark = pytest.mark.usefixtures("untimed_machine", "examined_comments")


def test_models_are_paired_with_devices_they_can_run_on() -> None:
    pairs = session.cells(options("--models", "lsa,bert", "--devices", "cpu,cuda", "--seeds", "2"))
    assert pairs == [
        ("lsa", "cpu", "0"), ("lsa", "cpu", "1"),
        ("bert", "cpu", "0"), ("bert", "cpu", "1"), ("bert", "cuda", "0"), ("bert", "cuda", "1"),
    ]  # fmt: skip


def test_a_given_device_that_suits_no_model_has_a_cell() -> None:
    given = options("--models", "lsa", "--devices", "mps")
    assert session.cells(given) == [("lsa", "mps", "0")]


def test_a_model_that_a_seed_does_not_change_is_trained_once() -> None:
    given = options("--models", "tfidf,lsa", "--seeds", "2")
    assert session.cells(given) == [("tfidf", "cpu", "0"), ("lsa", "cpu", "0"), ("lsa", "cpu", "1")]
    seeds = [seed for _, _, seed in session.cells(options("--models", "lsa"))]
    assert seeds == ["0", "1", "2"]


def test_only_models_that_train_fast_are_trained_again_by_default(tmp_path: Path) -> None:
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(options("--models", "bert"), 9, Progress(stream))
        for model, train_s in (("lsa", 2.0), ("bert", 45.0), ("llama", 45.1)):
            new._records[model, "cpu", 0] = cell_record(model, train_s)
        failed = record.CellRecord("llama-qlora", "cpu", 0, failures=("training: lost",))
        new._records["llama-qlora", "cpu", 0] = failed
        assert new.why_no_seed("llama", "cpu", 0) == ""
        assert new.why_no_seed("lsa", "cpu", 1) == new.why_no_seed("bert", "cpu", 2) == ""
        assert new.why_no_seed("llama", "cpu", 1) == (
            "llama-cpu-seed1 is omitted: its first training took over 45 s; --seeds 3 trains it again"
        )
        assert new.why_no_seed("llama", "cpu", 2).startswith("llama-cpu-seed2 is omitted")
        assert "its first training has no result" in new.why_no_seed("llama-qlora", "cpu", 1)
        three = session.Session(options("--seeds", "3"), 9, Progress(stream))
        assert three.why_no_seed("llama", "cpu", 1) == ""
    printed = (tmp_path / "progress").read_text()
    assert printed.count("llama-cpu has one seed: its first training took over 45 s") == 1


def test_later_seeds_take_the_settings_that_the_search_of_the_first_found(
    tmp_path: Path,
) -> None:
    given = options(
        *("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs")),
        *("--models", "lsa,bert", "--tune", "60", "--max-length", "32"),
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 4, Progress(stream))
        new.open()
        first = new.cell_run("bert", "cpu", 0).cell
        tuned = factories.tuning(chosen={"epochs": 2}, given={"epochs": 1})
        new._records["bert", "cpu", 0] = record.CellRecord("bert", "cpu", 0, tuning=tuned)
        second = new.cell_run("bert", "cpu", 1).cell
        other = new.cell_run("lsa", "cpu", 0).cell
    assert (first.tune_s, first.settings) == (60, {"max_length": 32})
    assert (second.tune_s, second.settings) == (None, {"max_length": 32, "epochs": 2})
    assert (other.tune_s, other.settings) == (60, {})


def test_a_cell_has_the_limit_of_its_forecast(tmp_path: Path) -> None:
    given = options(
        *("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs")),
        *("--models", "lsa,majority"),
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 4, Progress(stream))
        new.open()
        long = ModelForecast("lsa", "cpu", None, "", {("lsa", "cpu", 0): 1_000.0}, 0.0)
        new._forecast = Forecast((long,), {})
        limits = [new.cell_run(model, "cpu", 0)._limit.seconds for model in ("lsa", "majority")]
    assert limits == [4_000.0, 900.0]


def test_choosing_settings_counts_as_training(tmp_path: Path) -> None:
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(options("--models", "bert"), 9, Progress(stream))
        for model, choosing_s in (("llama-zero-shot", 44.0), ("llama-few-shot", 46.0)):
            training = factories.training(
                unavailable("s", record.NOT_TUNED), choosing_s=measured(choosing_s, "s", "clock")
            )
            new._records[model, "cpu", 0] = record.CellRecord(model, "cpu", 0, training=training)
        assert new.why_no_seed("llama-zero-shot", "cpu", 1) == ""
        assert "took over 45 s" in new.why_no_seed("llama-few-shot", "cpu", 1)


def cell_record(model: str, train_s: float) -> record.CellRecord:
    return record.CellRecord(model, "cpu", 0, training=factories.training(train_s))


def test_two_runs_that_start_in_the_same_second_have_different_files(
    tmp_path: Path,
) -> None:
    given = options("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs"))
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


def test_a_model_of_one_label_is_refused_before_the_run(tmp_path: Path) -> None:
    rows = [f"a note on rivers {i},{i % 2},{int(i % 3 == 0)}" for i in range(300)]
    (table := tmp_path / "mine.csv").write_text("\n".join(["text,a,b", *rows]) + "\n")
    given = options(
        *("--dataset", str(table), "--label-column", "a,b", "--models", "lsa,endpoint:x"),
        *("--endpoint", "http://localhost:1", "--runs-folder", str(tmp_path / "runs")),
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 1, Progress(stream))
        with pytest.raises(OptionError, match=r"^endpoint:x cannot learn several labels at once; "):
            new.open()
    assert not (tmp_path / "runs").exists()


def test_guesses_about_a_users_table_are_printed_and_saved(
    tmp_path: Path,
) -> None:
    words = ("awful", "old", "old")
    rows = [f"{i};a note on {words[i % 3]} rivers {i};{i % 3}" for i in range(300)]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["id;tweet;label", *rows]) + "\n")
    given = options(
        *("--dataset", str(table), "--positive-label", "0", "--no-balance"),
        *("--runs-folder", str(tmp_path / "runs")),
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 1, Progress(stream))
        new.open()
    assert new.run_file is not None
    run = run_file.load(new.run_file)
    assert run.data.classes == ("not 0", "0")
    assert (run.data.balanced, run.data.language) == (False, "any")
    assert "text column: tweet (guessed; --text-column changes it)" in run.data.notes
    lines = (tmp_path / "progress").read_text().splitlines()
    assert max(map(len, lines)) <= 80
    for note in run.data.notes:
        assert note in " ".join(" ".join(lines).split())
    assert run.options["--dataset"] == "mine.csv"
    assert run.options["--positive-label"] == "0"
    assert str(tmp_path) not in repr(run.data)


def test_models_that_cannot_read_the_comments_are_named_before_training(
    tmp_path: Path,
) -> None:
    rows = [
        f"今天我们在店里又吃了一次{i}{'好汤' if i % 2 else '坏面包'},{i % 2}" for i in range(200)
    ]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    for given, named in (
        (
            ("--models", "tfidf,bert,llama"),
            "languages: zh; bert, llama start from weights for English",
        ),
        (("--models", "tfidf,bert", "--checkpoint", "bert=some/other"), ""),
        (("--models", "hf:all-MiniLM-L6-v2"), "hf:all-MiniLM-L6-v2 start from weights for English"),
    ):
        with (tmp_path / "progress").open("w") as stream:
            chosen = options("--dataset", str(table), "--runs-folder", str(tmp_path / "r"), *given)
            session.Session(chosen, 1, Progress(stream)).open()
        printed = " ".join((tmp_path / "progress").read_text().split())
        assert named in printed
        assert ("weights for English" in printed) == bool(named)


def test_a_run_that_cannot_be_saved_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(run: record.Run, file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_file, "save", full)
    given = options("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs"))
    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(given, 1, Progress(stream))
        with pytest.raises(RunError, match=r"\(No space left on device\); choose --runs-folder"):
            made.open()
        assert made.finish(interrupted=False) == []
    assert not list((tmp_path / "runs").iterdir())


def test_a_run_that_cannot_be_saved_at_its_end_is_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file.tempfile, "tempdir", str(tmp_path))
    given = options("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs"))
    save = run_file.save

    def full(run: record.Run, file: Path) -> None:
        if file.parent.name == "runs":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(run, file)

    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(given, 1, Progress(stream))
        made.open()
        monkeypatch.setattr(run_file, "save", full)
        for train_s in (1.0, 2.0):
            made.keep(cell_record("lsa", train_s))
        with pytest.raises(OutputError, match=r"\(No space left on device\); it is in ") as refused:
            made.finish(interrupted=False)
    assert made.run_file is not None
    (other,) = tmp_path.glob(f"worthit-*/{made.run_file.name}")
    assert f"it is in {other}: move it to {made.run_file}, then: worthit report" in str(
        refused.value
    )
    assert [cell.model for cell in run_file.load(other).cells] == ["lsa"]
    assert (tmp_path / "progress").read_text().count("the run cannot be saved") == 1


def test_a_cell_that_was_interrupted_before_its_first_result_leaves_no_file(
    tmp_path: Path,
) -> None:
    given = options("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs"))
    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(given, 1, Progress(stream))
        made.open()
        assert made.finish(interrupted=True) == []
        made.keep(record.CellRecord("lsa", "cpu", 0, wall_s=3.0))  # as its end does
        assert not made.has_results
        assert not list((tmp_path / "runs").iterdir())
        made.keep(record.CellRecord("lsa", "cpu", 0, failures=("training: lost",)))
        assert made.has_results


def test_names_of_cells() -> None:
    assert Cell("bert", "cpu", 0, "x").name == "bert-cpu"
    assert Cell("bert", "cuda", 2, "x").name == "bert-cuda-seed2"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            "--models llama --devices cpu",
            "3 processes cannot train on cpu, which has 2 physical cores",
        ),
        (
            "--models bert-int8 --devices cpu",
            "3 processes cannot train on cpu, which has 2 physical",
        ),
        (
            "--models hf:x --devices cuda",
            "3 processes cannot train on cuda, which has 2 visible CUDA GPUs",
        ),
        ("--models bert --devices mps", "3 processes cannot train on mps, which has one GPU"),
        ("--models tfidf,majority --devices cpu", ""),
    ],
)
def test_more_processes_than_a_device_has_places_are_refused_before_anything_else(
    arguments: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.machine, "places", {"cpu": 2, "cuda": 2, "mps": 1}.get)
    given = options(*arguments.split(), "--processes", "3")
    if not reason:
        places.require(given)
        return
    with pytest.raises(OptionError, match=reason) as raised:
        places.require(given)
    assert "\n" not in str(raised.value)


def test_a_run_elsewhere_has_the_noise_of_its_noisiest_machine_and_cells_in_order(
    tmp_path: Path,
) -> None:
    given = options(
        *("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs")),
        *("--models", "lsa,tfidf", "--seeds", "1"),
    )
    place = session.Place("xeon", machine.describe())
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 2, Progress(stream), place)
        new.open()
        for percent in (3.0, 5.0, 4.0):
            new.keep_noise(measured(percent, "%", "loop"))
        for model in ("tfidf", "lsa"):
            new.keep(cell_record(model, 1.0))
        ((run, file),) = new.finish(interrupted=False)
    assert run.noise.value == 5.0
    assert [cell.model for cell in run_file.load(file).cells] == ["lsa", "tfidf"]
    assert run.complete
    assert file.stem.endswith("-quick-xeon")

"""bench/saved/interrupted.py and the session: `--resume` continues an interrupted run."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import factories, small_runs
from tests.command_line import options
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.measured_cell import MeasuredCell
from worthit.bench.cells.progress import Progress
from worthit.bench.saved import interrupted, record, run_file
from worthit.bench.session import Session
from worthit.datasets.errors import OptionError, RunError

Open = Callable[..., Session]


def whole(model: str = "tfidf", seed: int = 0, like: Session | None = None) -> record.CellRecord:
    """A cell with every part.

    Args:
        like: a session whose comments it has scored.
    """
    cell = small_runs.cell(model=model, seed=seed, memory=factories.memory())
    if like is None:
        return cell
    assert like._run is not None
    scores = {
        name: (0.5,) * len(getattr(like._run.data, name).ids)
        for name in ("train", "test", "natural", "validation")
    }
    return dataclasses.replace(cell, quality=dataclasses.replace(cell.quality, **scores))


@pytest.fixture
def open_session(tmp_path: Path, untimed_machine: None, examined_comments: None) -> Iterator[Open]:
    stream = (tmp_path / "progress").open("w")

    def opened(*arguments: str) -> Session:
        given = options(
            *("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs")),
            *("--models", "tfidf,lsa,majority", "--seeds", "1", *arguments),
        )
        new = Session(given, 3, Progress(stream))
        new.open()
        return new

    yield opened
    stream.close()


def interrupt(session: Session) -> None:
    """As if the process had ended."""
    session.finish(interrupted=True)
    session._lock.release()


def test_measured_cells_stay_and_the_others_are_measured(
    open_session: Open, tmp_path: Path
) -> None:
    first = open_session()
    lsa = record.CellRecord("lsa", "cpu", 0, training=factories.training(3.0))
    for one in (whole(like=first), lsa):
        first.keep(one)
    interrupt(first)
    second = open_session("--resume")
    assert second.run_file == first.run_file
    assert isinstance(second.cell_run("lsa", "cpu", 0), CellRun)
    assert isinstance(second.cell_run("majority", "cpu", 0), CellRun)
    tfidf = second.cell_run("tfidf", "cpu", 0)
    assert isinstance(tfidf, MeasuredCell)
    assert tfidf.latency() == whole().latency
    # Nothing is lost if it is interrupted again, before it has come to these cells.
    third = open_session_after(second, open_session)
    assert [cell.model for cell in run_file.load(third.run_file).cells] == ["tfidf", "lsa"]
    printed = (tmp_path / "progress").read_text()
    assert f"continues {first.run_file.stem}: 1 cell measured" in printed
    assert "[1/3] tfidf-cpu" in printed
    assert "  measured before\n" in printed


def open_session_after(session: Session, open_session: Open) -> Session:
    session._records.clear()
    interrupt(session)
    return open_session("--resume")


def test_its_time_is_that_of_all_its_parts(open_session: Open) -> None:
    first = open_session()
    first._started -= 100
    first.keep(whole(like=first))
    interrupt(first)
    second = open_session("--resume")
    second.keep(whole("lsa", like=second))
    ((run, _),) = second.finish(interrupted=True)
    assert 100 < run.wall_s < 200
    assert run.started_at == run_file.load(first.run_file).started_at


def test_a_training_of_the_same_run_is_not_called_cached(open_session: Open) -> None:
    first = open_session()
    own = factories.training(3.0, artifact="lsa-abc")
    first.keep(record.CellRecord("lsa", "cpu", 0, training=own))
    interrupt(first)
    second = open_session("--resume")
    cached = dataclasses.replace(own, cached=True)
    second.keep(record.CellRecord("lsa", "cpu", 0, training=cached))
    assert second._records["lsa", "cpu", 0].training == own
    other = dataclasses.replace(cached, artifact="lsa-def")
    second.keep(record.CellRecord("lsa", "cpu", 0, training=other))
    assert second._records["lsa", "cpu", 0].training == other


def test_another_command_data_or_machine_is_refused(
    open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="has no run of this command that was interrupted"):
        open_session("--resume")
    first = open_session()
    first.keep(whole(like=first))
    interrupt(first)
    with pytest.raises(OptionError, match="has no run of this command that was interrupted"):
        open_session("--resume", "--attempts", "1", "--max-length", "64")
    saved = run_file.load(first.run_file)
    changed = dataclasses.replace(saved, machine=saved.machine | {"commit": "abc", "cpu": "Other"})
    run_file.save(changed, first.run_file)
    with pytest.raises(OptionError, match=r"measured with another (cpu, commit|commit, cpu); omit"):
        open_session("--resume")
    fewer = dataclasses.replace(saved.data, title="Other comments")
    run_file.save(dataclasses.replace(saved, data=fewer), first.run_file)
    with pytest.raises(OptionError, match="measured with another data; omit --resume"):
        open_session("--resume")
    run_file.save(dataclasses.replace(saved, complete=True), first.run_file)
    with pytest.raises(OptionError, match="has no run of this command that was interrupted"):
        open_session("--resume")


def test_a_complete_run_is_continued_for_its_failed_cells(open_session: Open) -> None:
    first = open_session()
    failed = record.CellRecord("lsa", "cpu", 0, failures=("training: train took longer",))
    for one in (whole(like=first), failed, whole("majority", like=first)):
        first.keep(one)
    ((run, _),) = first.finish(interrupted=False)
    assert run.complete
    first._lock.release()
    second = open_session("--resume", "--cell-limit", "3600")
    assert second.run_file == first.run_file
    again = [
        isinstance(second.cell_run(m, "cpu", 0), CellRun) for m in ("tfidf", "lsa", "majority")
    ]
    assert again == [False, True, False]


def test_a_run_that_goes_on_elsewhere_is_not_continued(open_session: Open) -> None:
    first = open_session()
    first.keep(whole(like=first))
    with pytest.raises(RunError, match=f"^another process measures {first.run_file.stem}; wait"):
        open_session("--resume")
    interrupt(first)
    assert open_session("--resume").run_file == first.run_file


@pytest.mark.parametrize(
    ("measured", "is_whole"),
    [
        (whole(), True),
        (dataclasses.replace(whole(), memory=None), False),
        (dataclasses.replace(whole(), failures=("memory: lost",)), False),
        (dataclasses.replace(whole(), skipped="no cuda"), False),
        (record.CellRecord("tfidf", "cpu", 1, training=factories.training()), False),
        (dataclasses.replace(whole(seed=1), memory=None, energy=None), True),
    ],
)
def test_a_cell_is_measured_again_if_a_part_is_missing(
    measured: record.CellRecord, is_whole: bool
) -> None:
    earlier = interrupted.Earlier([measured], {"tfidf": "tfidf"})
    assert (earlier.whole == earlier.cells) == is_whole


def test_a_model_on_a_server_has_no_memory_here() -> None:
    cell = dataclasses.replace(whole("endpoint:x"), memory=None, energy=None)
    assert interrupted.Earlier([cell], {"endpoint:x": "endpoint:x"}).whole


def test_cells_on_a_cluster_are_not_continued() -> None:
    with pytest.raises(OptionError, match=r"^--resume continues a run of this machine only; "):
        options("--resume", "--cluster", "auto")

"""reports/cli/arrivals.py: workers answer every request, and time starts at the planned arrival."""

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from worthit.reports.cli import arrivals


class Sleeper:
    """Takes 2 ms for a call, and lists what it was called with."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def predict_proba(self, texts: Sequence[str]) -> None:
        time.sleep(0.002)
        self.calls.append(list(texts))


def serving(model: Sleeper, largest_batch: int) -> tuple[Connection, threading.Thread]:
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=arrivals.serve, args=(model, theirs, largest_batch))
    thread.start()
    return ours, thread


def test_each_request_is_answered_once_by_the_workers_in_turn() -> None:
    models = Sleeper(), Sleeper()
    workers = [serving(model, 1) for model in models]
    pipes = [pipe for pipe, _ in workers]
    found = arrivals.replay(pipes, ["a", "b"], rate_per_s=200.0, seconds=0.2)
    for pipe, thread in workers:
        pipe.close()
        thread.join()
    assert len(found.answered_ms) == 40
    assert found.answered_ms.min() >= 2  # none is shorter than its call
    assert found.call_ms >= 2
    assert [len(model.calls) for model in models] == [20, 20]
    assert all(len(call) == 1 for model in models for call in model.calls)


def test_a_busy_worker_takes_what_waits_in_batches_up_to_the_largest() -> None:
    model = Sleeper()
    pipe, thread = serving(model, 4)
    for number in range(50):
        pipe.send((number, str(number)))
    pipe.send(None)
    answered = pipe.recv()
    pipe.close()
    thread.join()
    sizes = [len(call) for call in model.calls]
    assert max(sizes) == 4
    assert sum(sizes) == 50
    assert [number for numbers, _, _ in answered for number in numbers] == list(range(50))
    assert all(started < ended for _, started, ended in answered)


def test_workers_load_a_saved_model_in_processes_of_their_own(lsa_model: Path) -> None:
    """In a process of its own: the first spawned process leaves a helper that others would count."""
    program = (
        "import sys; from pathlib import Path; from worthit.reports.cli import arrivals\n"
        "from worthit.reports.analysis.serving import Server\n"
        "with arrivals.started(Path(sys.argv[1]), Server([1.0]), in_batches=False) as pipes:\n"
        "    found = arrivals.replay(pipes, ['you idiot', 'thanks'], 100.0, 0.1)\n"
        "print(len(found.answered_ms), found.answered_ms.min() > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(lsa_model)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "10 True\n"


@pytest.mark.parametrize("given", ["", "0", "1.5", "half"])
def test_loads_are_shares(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert arrivals.main([str(tmp_path / "run.json"), "--loads", given]) == 2
    assert "--loads is" in capsys.readouterr().err


def test_a_worker_that_ends_early_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(parsed: object) -> None:
        raise EOFError

    monkeypatch.setattr(arrivals, "_compare", fail)
    assert arrivals.main(["run.json"]) == 2
    assert "a worker ended early" in capsys.readouterr().err

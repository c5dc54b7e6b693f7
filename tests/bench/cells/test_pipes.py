"""The pipes between the benchmark and a cell's process carry UTF-8, and never hang."""

import errno
import math
import os
import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worthit.bench.cells import engine
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.saved.record import Converted
from worthit.datasets.errors import CellError

ECHO = """
import sys
from worthit.bench.cells import worker


class Echo:
    def setup(self):
        return None

    def echo(self, text):
        print("said", text)
        return text

    def garble(self):
        import os
        os.write(3, b"no JSON" + bytes([10]))
        return None


def channel_3():
    import os
    found = os.fdopen(os.dup2(1, 3), "wb")
    os.dup2(2, 1)
    return found


worker._take_stdout = channel_3
worker.serve(lambda cell, progress: Echo())
"""
TEXT = "na\u00efve \u2192 \u0e01\u0e32\u0e23 \U0001f600"


@pytest.fixture(params=["ascii", "latin-1", "cp1252", "utf-16"])
def echo(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Worker]:
    """A process that answers with what it is asked, in an environment of another encoding."""
    (tmp_path / "echo_worker.py").write_text(ECHO, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONIOENCODING", request.param)
    started = Worker({}, tmp_path / "log", lambda done, total: None, module="echo_worker")
    yield started
    started.close()


def test_texts_of_any_script_arrive_whatever_the_environment(echo: Worker, tmp_path: Path) -> None:
    limit = Limit(30, "look for what hangs")
    echo.start(type(None), limit)
    assert echo.ask("echo", str, limit, text=TEXT) == TEXT
    assert f"said {TEXT}" in (tmp_path / "log").read_text("utf-8")


@pytest.mark.parametrize("echo", ["ascii"], indirect=True)
def test_what_is_no_message_fails_the_cell_in_one_line(echo: Worker) -> None:
    limit = Limit(30, "look for what hangs")
    echo.start(type(None), limit)
    with pytest.raises(CellError, match="cannot be sent to the process"):
        echo.ask("echo", str, limit, text="\ud800")
    with pytest.raises(CellError, match="sent no answer"):
        echo.ask("garble", str, limit)
    assert not echo.alive()


def test_a_process_that_cannot_read_its_requests_ends() -> None:
    program = """
import sys
from types import SimpleNamespace
from worthit.bench.cells import worker


def broken():
    raise OSError("no pipe")
    yield


sys.stdin = SimpleNamespace(buffer=broken())
worker.serve(lambda cell, progress: None)
"""
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"no pipe" in done.stderr


WAITING = """
from worthit.bench.cells import worker


class Waiting:
    def __init__(self, report):
        self.report = report

    def setup(self):
        return self.report.waited_s

    def waited(self):
        return self.report.waited_s


worker.serve(lambda cell, report: Waiting(report))
"""


def test_a_process_knows_how_long_it_has_waited_for_requests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "waiting_worker.py").write_text(WAITING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    waiting = Worker({}, tmp_path / "log", lambda done, total: None, module="waiting_worker")
    limit = Limit(30, "look for what hangs")
    assert waiting.start(float, limit) == 0  # its start is no waiting
    assert waiting.ask("waited", float, limit) > 0
    waiting.close()


FORKING = """
import os
import time
from pathlib import Path
from worthit.bench.cells import worker


class Forking:
    def setup(self):
        return None

    def leave_a_child(self, file):
        if os.fork() == 0:
            time.sleep(20)
            Path(file).touch()
            os._exit(0)


worker.serve(lambda cell, progress: Forking())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_child_that_a_model_leaves_ends_with_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "forking_worker.py").write_text(FORKING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    forking = Worker({}, tmp_path / "log", lambda done, total: None, module="forking_worker")
    limit = Limit(30, "look for what hangs")
    forking.start(type(None), limit)
    forking.ask("leave_a_child", type(None), limit, file=str(tmp_path / "outlived"))
    forking.close()
    assert not forking._reader.is_alive()
    assert not (tmp_path / "outlived").exists()


def test_the_users_numbers_of_threads_are_replaced_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine.processor, "allowed_cores", lambda: 4)
    for name in engine._THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert engine.overridden_threads() == ""
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert engine.overridden_threads() == ""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    line = engine.overridden_threads()
    assert line.startswith("OMP_NUM_THREADS=2, MKL_NUM_THREADS=1 has no effect")
    assert "4 threads" in line


def test_a_log_that_cannot_be_written_is_an_error_of_the_cell(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(CellError, match=r"its log .*cell\.log cannot be written \("):
        Worker({}, tmp_path / "logs" / "cell.log", lambda done, total: None)


def test_a_process_that_died_is_reported_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    stdin = SimpleNamespace(write=broken, flush=broken, close=broken)
    died: Any = object.__new__(Worker)
    died._log = None
    died._process = SimpleNamespace(stdin=stdin, returncode=None, wait=lambda *_: 3)
    died._reader = SimpleNamespace(join=lambda *_: None)
    died._cell = {}
    monkeypatch.delattr(engine.signal, "SIGKILL", raising=False)
    monkeypatch.delattr(engine.os, "killpg", raising=False)
    with pytest.raises(CellError, match=r"^the process died with exit code 3$"):
        died.start(type(None), Limit(30, ""))
    died.close()


@pytest.mark.parametrize("limit_s", [1e300, math.inf])
def test_a_limit_of_any_length_can_be_waited_for(limit_s: float) -> None:
    waiting: Any = object.__new__(Worker)
    waiting._lines = queue.SimpleQueue()
    waiting._lines.put(b'{"answer": 1}\n')
    assert waiting._receive(limit_s) == {"answer": 1}


def test_an_answer_of_impossible_values_fails_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    answering: Any = object.__new__(Worker)
    answering._lines = queue.SimpleQueue()
    answering._lines.put(b'{"answer": {"artifact": "x", "disk_mb": null}, "seconds": 1.0}\n')
    monkeypatch.setattr(answering, "_send", lambda message: None)
    with pytest.raises(CellError, match=r"^convert gave an impossible result \(Expected `object`"):
        answering.ask("convert", Converted, Limit(30, ""))


def test_a_process_that_cannot_be_started_is_an_error_of_the_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(engine.subprocess, "Popen", refuse)
    with pytest.raises(CellError, match=r"^its process cannot be started \(Resource temporarily "):
        Worker({}, None, lambda done, total: None)


def test_threads_convert_answers_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that meet a type for the first time at once would crash msgspec."""
    inside, most = 0, 0

    def convert(value: int, answer: type) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.02)
        inside -= 1
        return value

    monkeypatch.setattr(engine.msgspec, "convert", convert)
    monkeypatch.setattr(Worker, "_send", lambda self, message: None)
    monkeypatch.setattr(Worker, "_receive", lambda self, left_s: {"answer": 3, "seconds": 0})
    workers = [Worker.__new__(Worker) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda one: one.ask("scores", int, Limit(9, "wait")), workers)
        assert list(answers) == [3] * 4
    assert most == 1

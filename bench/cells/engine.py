"""Starts a cell's process, requests operations, and waits without using the processor."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from worthit.datasets.errors import CellError, DeviceError
from worthit.models.hardware import processor

T = TypeVar("T")
_GRACE_S = 5.0
#: the longest wait; systems do not take any number, Windows 49 days at most
_LONGEST_WAIT_S = min(threading.TIMEOUT_MAX, 10 * 365 * 86_400.0)
#: exit code after SIGKILL, a signal that Windows does not have
_KILLED = -9
#: sizes of thread pools: OpenMP (torch, scikit-learn), BLAS (numpy, scipy), Rayon (tokenizers)
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
#: what the process and its libraries print can be written, whatever the locale
_UTF_8_LOG = {"PYTHONIOENCODING": "utf-8:backslashreplace"}

#: msgspec 0.22 crashes if a thread converts to a type that another one is about to use for the first time
_CONVERTING = threading.Lock()


@dataclass(frozen=True)
class Limit:
    """How long an operation may take, and the advice if it takes longer."""

    seconds: float
    remedy: str


class Worker:
    """One new process for one cell.

    Args:
        cell: a Cell, or another value that `module` takes; passed as JSON.
        log: file to which the output of libraries is appended; None: where this process's goes.
        progress: called with (done, total) while training.
        module: the module to run; it calls `worker.serve`.
        threads: size of each thread pool; by default the allowed cores.
    """

    def __init__(
        self,
        cell: Any,
        log: Path | None,
        progress: Callable[[int, int], None],
        module: str = "worthit.bench.cells.worker",
        threads: int | None = None,
    ) -> None:
        self._log, self._progress = log, progress
        with _appending(log) as stderr:
            try:
                self._process = subprocess.Popen(
                    # -P: a folder named `datasets` in the working directory must not be importable.
                    [sys.executable, "-P", "-m", module],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=os.environ
                    | _UTF_8_LOG
                    | thread_settings(threads or processor.allowed_cores()),
                    start_new_session=True,  # Ctrl-C reaches only pytest, which then ends this process
                )
            except OSError as error:
                raise CellError(f"its process cannot be started ({error.strerror})") from error
        # A thread blocks on the pipe: a wait with a time limit on every system, without polling.
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._cell = msgspec.to_builtins(cell)
        self.seconds = 0.0  # of the last operation, measured in the process

    def start(self, answer: type[T], limit: Limit) -> T:
        """Have the process import and download what the cell needs; see `ask`."""
        return self.ask("start", answer, limit, cell=self._cell)

    def ask(self, operation: str, answer: type[T], limit: Limit, **arguments: Any) -> T:
        """Request one operation and wait for its answer, converted to the type `answer`.

        Raises:
            DeviceError: the cell cannot run on this machine and should be skipped.
            CellError: the operation failed, crashed, ran out of memory or exceeded `limit`.
        """
        deadline = time.monotonic() + limit.seconds
        try:
            self._send({"do": operation, **arguments})
            while True:
                message = self._receive(deadline - time.monotonic())
                if "progress" in message:
                    self._progress(*message["progress"])
                elif "error" in message:
                    raise self._error(message)
                else:
                    self.seconds = float(message["seconds"])
                    with _CONVERTING:
                        return msgspec.convert(message["answer"], answer)
        except msgspec.ValidationError as error:  # a user's model may return anything
            raise CellError(f"{operation} gave an impossible result ({error})") from None
        except queue.Empty:
            self._kill()
            raise CellError(
                f"{operation} took longer than its limit of {limit.seconds:,.0f} s; {limit.remedy}"
            ) from None
        except KeyboardInterrupt:
            self._kill()
            raise

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """Let the process end, or kill it after a grace period."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # as in `_send`
            self._process.stdin.close()
        try:
            self._wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._reader.join(_GRACE_S)  # a child in a group of its own may hold the pipe

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            line = msgspec.json.encode(message) + b"\n"
        except UnicodeEncodeError as error:  # half of a surrogate pair
            raise CellError(f"a text cannot be sent to the process ({error})") from None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError):  # of a broken pipe, which on Windows is EINVAL
            raise CellError(self._exit_reason()) from None

    def _receive(self, seconds_left: float) -> dict[str, Any]:
        line = self._lines.get(timeout=min(max(seconds_left, 0), _LONGEST_WAIT_S))
        if not line:
            raise CellError(self._exit_reason())
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            self._kill()
            raise CellError(f"the process sent no answer ({error}){self._in_log()}") from None

    def _wait(self, seconds: float | None = None) -> int:
        """The exit code, after the end of the process; children that it leaves end, too.

        They would disturb the next cells.
        """
        has_just_ended = self._process.returncode is None  # later its id may be another process's
        code = self._process.wait(seconds)
        if has_just_ended and hasattr(os, "killpg"):
            self._signal_group(signal.SIGTERM)
        return code

    def _kill(self) -> None:
        """Kill the process and its children, by their process group."""
        if hasattr(os, "killpg"):
            self._signal_group(signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        self._reader.join(_GRACE_S)

    def _signal_group(self, number: int) -> None:
        # It may have ended by itself: macOS refuses permission if all that is left of it are zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as answers:
                for line in answers:
                    self._lines.put(line)
        finally:  # else the caller would wait for its limit
            self._lines.put(b"")

    def _error(self, message: dict[str, Any]) -> CellError | DeviceError:
        if message["kind"] == "skip":
            return DeviceError(message["error"])
        where = self._in_log() if message["kind"] == "crash" else ""
        return CellError(message["error"] + where)

    def _exit_reason(self) -> str:
        code = self._wait()
        if code == _KILLED:
            return "the process was killed, most likely because the machine ran out of memory"
        return f"the process died with exit code {code}{self._in_log()}"

    def _in_log(self) -> str:
        return f" (log: {self._log.name})" if self._log else ""


@contextlib.contextmanager
def _appending(log: Path | None) -> Iterator[BinaryIO | None]:
    if log is None:
        yield None
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("ab")
    except OSError as error:
        raise CellError(f"its log {log} cannot be written ({error.strerror})") from None
    with stream:
        yield stream


def thread_settings(threads: int) -> dict[str, str]:
    """Settings for repeatable runs: fixed hash seed, and thread pools of this size."""
    fixed = {"PYTHONHASHSEED": "0", "TOKENIZERS_PARALLELISM": "true"}
    return fixed | dict.fromkeys(_THREAD_VARIABLES, str(threads))


def overridden_threads() -> str:
    """A line on the user's sizes of thread pools that `thread_settings` replaces; empty if none."""
    cores = processor.allowed_cores()
    given = {name: os.environ.get(name, str(cores)) for name in _THREAD_VARIABLES}
    others = [f"{name}={value}" for name, value in given.items() if value != str(cores)]
    if not others:
        return ""
    return (
        f"{', '.join(others)} has no effect: all thread pools have {cores} threads, one for each "
        "core that this process may use; on Linux, taskset limits the cores"
    )

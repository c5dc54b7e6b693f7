"""The process of a cell: reads requests and answers them, independently of pytest.

One JSON object per line, in UTF-8 whatever the locale. In: {"do": OPERATION, ...}. Out: any number
of {"progress": [done, total]}, then {"answer": …, "seconds": …} or {"error": one line, "kind": …}. The output
of libraries goes to stderr, which `engine` redirects to the cell's log file.
"""

import math
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from worthit.datasets.errors import DeviceError, WorthitError, described, is_out_of_memory, one_line


def main() -> None:
    serve(_make_work)


class Report:
    """Messages of the process during an operation."""

    def __init__(self, channel: BinaryIO) -> None:
        self._channel = channel
        self.waited_s = 0.0  # for requests after the first

    def __call__(self, done: int, total: int) -> None:
        """Tell the progress of training, in comments."""
        _send(self._channel, {"progress": [done, total]})

    def end(self, reason: str) -> None:
        """Answer with an error, and end the process, whatever its threads wait for."""
        _send(self._channel, {"error": reason, "kind": "user"})
        os._exit(1)


def _make_work(cell: Any, report: Report) -> Any:
    # Imported late, so the time of imports counts towards `start`.
    from worthit.bench.cell import Cell
    from worthit.bench.cells.work import Work
    from worthit.models.registry import is_endpoint

    made = msgspec.convert(cell, Cell)
    if is_endpoint(made.location):
        from worthit.bench.cells.server_work import ServerWork

        return ServerWork(made, report, report.end, lambda: report.waited_s)
    return Work(made, report, report.end, lambda: report.waited_s)


def serve(make_work: Callable[[Any, Report], Any]) -> None:
    """Answer requests until stdin is closed.

    Args:
        make_work: takes the cell of the request `start` and a progress callback (done, total), and
            returns an object with one method per operation; its `setup` answers `start`.
    """
    channel = _take_stdout()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(requests, busy), daemon=True).start()
    work: Any = None
    report, answered_at = Report(channel), math.inf
    while line := requests.get():
        busy.set()
        report.waited_s += max(time.perf_counter() - answered_at, 0.0)
        try:
            request = msgspec.json.decode(line)
            operation = request.pop("do")
            start = time.perf_counter()
            if operation == "start":
                work = make_work(request["cell"], report)
                answer = work.setup()
            else:
                answer = getattr(work, operation)(**request)
            _send(channel, {"answer": answer, "seconds": time.perf_counter() - start})
        except Exception as error:
            traceback.print_exc()
            kind = "user" if isinstance(error, WorthitError) else "crash"
            kind = "skip" if isinstance(error, DeviceError) else kind
            _send(channel, {"error": _reason(error), "kind": kind})
        busy.clear()
        answered_at = time.perf_counter()


def _read(requests: "queue.SimpleQueue[bytes]", busy: threading.Event) -> None:
    """Queue requests. When stdin is closed, end even a training that would take hours."""
    try:
        for line in sys.stdin.buffer:
            requests.put(line)
    except Exception:  # nobody else could end the process, and the caller would wait for its limit
        traceback.print_exc()
        os._exit(1)
    requests.put(b"")
    if busy.is_set():
        os._exit(1)


def _take_stdout() -> BinaryIO:
    """Reserve stdout for answers, and redirect all other output to stderr."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel


def _send(channel: BinaryIO, message: dict[str, Any]) -> None:
    channel.write(msgspec.json.encode(message) + b"\n")
    channel.flush()


def _reason(error: Exception) -> str:
    if isinstance(error, WorthitError):
        return one_line(error, 300)
    if is_out_of_memory(error):
        return f"out of memory ({one_line(error, 300) or 'MemoryError'})"
    return described(error, 300)


if __name__ == "__main__":
    main()

"""The process in which a cell runs: reads requests, answers them, and knows nothing of pytest.

One JSON object a line. In: {"do": OPERATION, ...}. Out: any number of {"progress": [done, total]},
then {"answer": …, "seconds": …} or {"error": one line, "kind": …}. What libraries print goes to stderr instead,
which whoever starts the process sends to the cell's log file.
"""

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from worthit.datasets.errors import DeviceError, WorthitError, is_out_of_memory


def main() -> None:
    serve(_work)


def _work(cell: Any, progress: Callable[[int, int], None]) -> Any:
    # Imported late: what it needs counts to the time of `start`.
    from worthit.bench.cell import Cell
    from worthit.bench.cells.work import Work

    return Work(msgspec.convert(cell, Cell), progress)


def serve(opened: Callable[[Any, Callable[[int, int], None]], Any]) -> None:
    """Answer requests until nobody is left to make any.

    Args:
        opened: makes the object whose methods do the work, of what `start` was given as its cell
            and of whom to tell (done, total); its method `setup` answers `start`.
    """
    channel = _claimed_stdout()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(requests, busy), daemon=True).start()
    work: Any = None
    while line := requests.get():
        busy.set()
        try:
            request = msgspec.json.decode(line)
            operation = request.pop("do")
            start = time.perf_counter()
            if operation == "start":
                work = opened(request["cell"], _progress_to(channel))
                answer = work.setup()
            else:
                answer = getattr(work, operation)(**request)
            _send(channel, {"answer": answer, "seconds": time.perf_counter() - start})
        except Exception as error:
            traceback.print_exc()
            _send(channel, {"error": _one_line(error), "kind": _kind(error)})
        busy.clear()


def _read(requests: "queue.SimpleQueue[str]", busy: threading.Event) -> None:
    """Queue requests; when nobody is left to ask for anything, do not train on for hours."""
    for line in sys.stdin:
        requests.put(line)
    requests.put("")
    if busy.is_set():
        os._exit(1)


def _claimed_stdout() -> TextIO:
    """Keep the real stdout for answers; whatever else is printed goes where stderr goes."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _send(channel: TextIO, message: dict[str, Any]) -> None:
    channel.write(msgspec.json.encode(message).decode() + "\n")
    channel.flush()


def _progress_to(channel: TextIO) -> Callable[[int, int], None]:
    return lambda done, total: _send(channel, {"progress": [done, total]})


def _kind(error: Exception) -> str:
    if isinstance(error, DeviceError):
        return "skip"
    return "user" if isinstance(error, WorthitError) else "crash"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, WorthitError):
        return text
    if is_out_of_memory(error):
        return f"out of memory ({text or 'MemoryError'})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    main()

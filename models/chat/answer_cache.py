"""Answers of servers in the cache folder, so that no request is paid twice.

The key is a hash of the server's address, the model, and all that was sent; no comment is stored.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from worthit.datasets.cache import cache_folder, room_in_cache
from worthit.datasets.errors import CacheError
from worthit.models.chat.answers import Completion

_FILE = "answers.sqlite"
_LONGEST_WAIT_S = 60.0  # for another process that writes


class AnswerCache:
    """Safe to use by several threads and processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        with room_in_cache(), _one_line():
            cache_folder().mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(
                cache_folder(_FILE),
                timeout=_LONGEST_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS answers (request TEXT PRIMARY KEY, answer BLOB)"
            )

    def get(self, request: str) -> Completion | None:
        """The answer to a request that was answered before."""
        with self._lock, _one_line():
            row = self._file.execute(
                "SELECT answer FROM answers WHERE request = ?", (request,)
            ).fetchone()
        try:
            return msgspec.json.decode(row[0], type=Completion) if row else None
        except msgspec.DecodeError:  # of another version
            return None

    def put(self, request: str, answer: Completion) -> None:
        with self._lock, _one_line():
            self._file.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?)",
                (request, msgspec.json.encode(answer)),
            )

    def close(self) -> None:
        self._file.close()


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CacheError(
            f"the cache of answers {cache_folder(_FILE)} cannot be used ({error}); free some space, or "
            "delete that file"
        ) from error

"""The user's cache folder: where it is, and how things get into it whole or not at all."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from worthit.datasets.errors import CacheError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cache_folder(*parts: str) -> Path:
    """The cache folder, or a place below it. WORTHIT_CACHE overrides the platform's own."""
    root = os.environ.get("WORTHIT_CACHE")
    base = Path(root).expanduser() if root else platformdirs.user_cache_path("worthit")
    return base.joinpath(*parts)


@contextmanager
def room_in_cache() -> Iterator[None]:
    """Turn a full or read-only disk into a CacheError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            reason = "is full: free some space (a cold default run needs about 700 MB)"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            reason = "cannot be written to: mend its permissions"
        else:
            raise
        raise CacheError(
            f"the cache folder {cache_folder()} {reason}, or set WORTHIT_CACHE to another folder"
        ) from error


@contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a scratch folder beside `target` that becomes `target` when the block succeeds.

    Whoever reads `target` sees all of it or none of it. Of two writers the first one wins, unless
    `replace` is set.
    """
    with room_in_cache():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield scratch
            if replace:
                shutil.rmtree(target, ignore_errors=True)
            try:
                scratch.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees half of it, not even after a power cut."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """The sha256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(*parts: str) -> str:
    """16 hexadecimal digits that stand for these texts, in this order."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

"""The cache folder: where it is, and how to write to it atomically."""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from worthit.datasets.errors import CacheError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def cache_folder(*parts: str) -> Path:
    """The cache folder or a path below it. WORTHIT_CACHE overrides the platform's default."""
    root = os.environ.get("WORTHIT_CACHE")
    base = Path(root).expanduser() if root else platformdirs.user_cache_path("worthit")
    return base.joinpath(*parts)


@contextmanager
def room_in_cache() -> Iterator[None]:
    """Turn a full or read-only disk into a CacheError that says what to do."""
    try:
        yield
    except Exception as error:
        if not (reason := _disk_reason(error)):
            raise
        raise CacheError(
            f"the cache folder {cache_folder()} {reason}, or set WORTHIT_CACHE to another folder"
        ) from error


def _disk_reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    # safetensors and others report a full disk only in their message.
    if number in _FULL or any(os.strerror(code) in str(error) for code in _FULL):
        return "is full: free some space (a cold default run needs about 700 MB)"
    return "cannot be written to: check its permissions" if number in _FORBIDDEN else ""


@contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a scratch folder beside `target` that becomes `target` when the block succeeds.

    Readers of `target` see all of it or none. Of two writers the first one wins, unless `replace` is
    set.
    """
    with room_in_cache():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch, old = _beside(target), _beside(target)
        scratch.mkdir()
        try:
            yield scratch
            if replace:
                with suppress(FileNotFoundError):  # another writer may be replacing it
                    target.rename(old)
            try:
                scratch.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file atomically: no reader sees half of it, not even after a power cut."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(target)
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """An unused name in the same folder, so that a rename is atomic."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}")


def sha256_of(path: Path) -> str:
    """The sha256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(*parts: str) -> str:
    """16 hexadecimal digits of a hash of these texts, in this order."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

"""Main memory that the process frees is kept for what it allocates next, where glibc decides."""

import ctypes
import sys

# Of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed() -> None:
    """Have glibc reuse freed blocks of any size, instead of giving big ones back to the system.

    It would fault them in anew, and the kernel fill them with zeros, in each training step: up to a
    sixth of its time. What the process holds stays at its peak; `malloc_trim` still returns it.
    Does nothing where another C library allocates.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, -1)  # never

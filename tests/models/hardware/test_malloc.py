"""Only glibc keeps freed memory, `malloc_trim` returns it, and other C libraries are left alone."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from worthit.models.hardware import malloc

_KEEPS = """
import ctypes, psutil
import numpy as np
from worthit.models.hardware import malloc

def resident():
    return psutil.Process().memory_info().rss / 1e6

malloc.keep_freed()
before = resident()
del (block := {"": np.ones(12_500_000)})[""]
kept = resident() - before
ctypes.CDLL(None).malloc_trim(0)
print(kept > 90, resident() - before < 10)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version") if sys.platform == "linux" else True,
    reason="needs glibc",
)
def test_freed_memory_is_kept_until_it_is_trimmed() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _KEEPS], capture_output=True, text=True, check=False
    )
    assert done.stdout == "True True\n", done.stderr


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    def opened(name: None) -> SimpleNamespace:
        assert platform == "linux"
        return SimpleNamespace(mallopt=None)  # musl has no version, others no mallopt

    monkeypatch.setattr(malloc.sys, "platform", platform)
    monkeypatch.setattr(malloc.ctypes, "CDLL", opened)
    malloc.keep_freed()

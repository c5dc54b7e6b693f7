"""models/hardware/main_memory.py: the memory limit of a container, from made control groups."""

from pathlib import Path

import psutil
import pytest

from worthit.bench.instruments import machine
from worthit.models.hardware import main_memory, processor

GB = 10**9
FILES = {
    "v2": {"proc": "0::/a/b\n", "a/b/memory.max": "max\n", "a/memory.max": f"{4 * GB}\n",
           "a/memory.current": f"{3 * GB}\n", "a/memory.stat": f"anon 1\ninactive_file {2 * GB}\n"},
    "v1": {"proc": "5:cpu:/x\n4:memory:/a\n", "memory/a/memory.limit_in_bytes": f"{4 * GB}\n",
           "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
           "memory/a/memory.usage_in_bytes": f"{3 * GB}\n",
           "memory/a/memory.stat": f"inactive_file 0\ntotal_inactive_file {2 * GB}\n"},
    "no limit": {"proc": "0::/\n", "memory.max": "max\n"},
    "v1 without a limit": {"proc": "4:memory:/\n",
                           "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"},
    "unreadable": {"proc": "0::/\n", "memory.max": "?\n"},
    "not Linux": {},
}  # fmt: skip


@pytest.fixture(params=FILES)
def group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name, text in FILES[request.param].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(processor, "_CGROUPS", tmp_path)
    monkeypatch.setattr(processor, "_OWN_CGROUPS", tmp_path / "proc")
    whole = psutil.virtual_memory()._replace(total=16 * GB, available=10 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: whole)
    return str(request.param)


def test_the_lowest_limit_of_a_group_and_its_parents_counts(group: str) -> None:
    limited = group in ("v1", "v2")
    assert main_memory.limit_bytes() == (4 * GB if limited else None)
    assert main_memory.usable_bytes() == (4 * GB if limited else 16 * GB)
    # 3 GB are used, of which 2 GB are a cache of files.
    assert main_memory.free_bytes() == (3 * GB if limited else 10 * GB)


@pytest.mark.parametrize("group", ["v2", "no limit"], indirect=True)
def test_the_limit_belongs_to_the_machine_of_a_run(group: str) -> None:
    described = machine.describe()
    assert described["memory_limit_gb"] == (4.0 if group == "v2" else "no limit")
    assert described["memory_gb"] == 16.0

"""bench/instruments/machine.py: the description of a machine and its fingerprint."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import threadpoolctl

from worthit.bench.instruments import machine
from worthit.models.hardware import processor

CGROUP_FILES = {
    "v1": {"proc": "4:cpu,cpuacct:/a/b\n3:cpuset:/z\n", "cpu/a/cpu.cfs_quota_us": "150000\n",
           "cpu/a/cpu.cfs_period_us": "100000\n", "cpu/a/b/cpu.cfs_quota_us": "-1\n",
           "cpu/a/b/cpu.cfs_period_us": "100000\n"},
    "v1, outside its own namespace": {"proc": "4:cpu:/docker/x\n", "cpu/cpu.cfs_quota_us": "50000\n",
                                      "cpu/cpu.cfs_period_us": "100000\n"},
    "v2": {"proc": "0::/a/b\n", "a/b/cpu.max": "250000 100000\n", "a/cpu.max": "max 100000\n"},
    "v2, bound by the parent": {"proc": "0::/a/b\n", "a/b/cpu.max": "400000 100000\n",
                                "a/cpu.max": "50000 100000\n"},
    "none": {"proc": "0::/\n", "cpu.max": "max 100000\n"},
    "another controller's": {"proc": "3:cpuset:/a\n0::/\n", "cpu/a/cpu.cfs_quota_us": "50000\n",
                             "cpu/a/cpu.cfs_period_us": "100000\n"},
    "unreadable": {"proc": "0::/\n", "cpu.max": "?\n"},
    "not Linux": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "quota", "cores"),
    [
        ("v1", 1.5, 2),
        ("v1, outside its own namespace", 0.5, 1),
        ("v2", 2.5, 3),
        ("v2, bound by the parent", 0.5, 1),
        ("none", None, 8),
        ("another controller's", None, 8),
        ("unreadable", None, 8),
        ("not Linux", None, 8),
    ],
)
def test_allowed_cores_respect_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: str, quota: float | None, cores: int
) -> None:
    for name, text in CGROUP_FILES[files].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(processor, "_CGROUPS", tmp_path)
    monkeypatch.setattr(processor, "_OWN_CGROUPS", tmp_path / "proc")
    monkeypatch.setattr(processor, "_CPUS", tmp_path)  # no siblings
    affinity = set(range(8))
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: affinity, raising=False)
    assert processor.cpu_quota_cores() == quota
    assert processor.allowed_cores() == cores
    affinity = {5}
    assert processor.allowed_cores() == 1


def test_the_fingerprint_changes_only_with_what_affects_speed() -> None:
    described = machine.describe()
    fingerprint = described["fingerprint"]
    assert len(fingerprint) == 16
    assert set(machine.FINGERPRINT_KEYS) == set(described) - {"commit", "fingerprint"}
    for key in machine.FINGERPRINT_KEYS:
        assert machine.fingerprint(described | {key: "another"}) != fingerprint, key
    assert machine.fingerprint(described | {"commit": "another", "note": "any"}) == fingerprint
    assert machine.fingerprint(json.loads(json.dumps(described))) == fingerprint


def test_an_installed_package_has_no_commit_of_the_repository_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worthit").mkdir()
    file = tmp_path / "worthit" / "bench" / "instruments" / "machine.py"
    monkeypatch.setattr(machine, "__file__", str(file))
    monkeypatch.setattr(processor, "output_of", lambda *command: "abc")
    assert machine._commit() is None
    (tmp_path / "worthit" / ".git").touch()  # a folder, but in a worktree
    assert machine._commit() == "abc+changes"


def test_the_description_names_blas_and_the_build_of_torch() -> None:
    import torch

    described = machine.describe()
    assert described["torch_build"].startswith(torch.__version__)
    assert torch.version.git_version[:12] in described["torch_build"]
    if sys.platform == "linux":
        assert described["blas_threads"] >= 1
        assert described["blas"]


def test_gpus_have_a_driver_and_a_power_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def limit(handle: int) -> int:
        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 450_000

    for name, fake in (
        ("Init", lambda: None), ("Shutdown", lambda: None), ("SystemGetDriverVersion", lambda: "570.1"),
        ("DeviceGetCount", lambda: 2), ("DeviceGetHandleByIndex", lambda index: index),
        ("DeviceGetName", lambda handle: "RTX"), ("DeviceGetEnforcedPowerLimit", limit),
    ):  # fmt: skip
        monkeypatch.setattr(pynvml, f"nvml{name}", fake)
    described = machine.describe()
    assert described["accelerators"] == ["RTX", "RTX"]
    assert described["gpu_driver"] == "570.1"
    assert described["gpu_power_limits_w"] == [450.0, None]


def test_describing_the_machine_imports_no_torch() -> None:
    program = (
        "import sys\nfrom worthit.bench.instruments import machine\nmachine.describe()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_thread_pools_are_those_of_the_loaded_libraries() -> None:
    import numpy as np

    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpoolctl.threadpool_limits(1):
        pools = machine.thread_pools()
    assert any(name.startswith("blas ") for name in pools)
    assert set(pools.values()) == {1}


def test_pytest_benchmark_sees_the_same_machine_after_a_commit(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `--benchmark-compare` would warn of another machine."""
    seen = []
    for commit in ("one", "another"):
        monkeypatch.setattr(
            machine, "describe", lambda given=commit: {"cpu": "a CPU", "commit": given}
        )
        info = dict[str, object]()
        pytestconfig.hook.pytest_benchmark_update_machine_info(
            config=pytestconfig, machine_info=info
        )
        seen.append(info)
    assert seen[0] == seen[1] == {"worthit": {"cpu": "a CPU"}}

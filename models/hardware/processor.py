"""The processor: its name, and the number of cores this process may use. Imports no torch."""

import contextlib
import functools
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_CPUINFO = Path("/proc/cpuinfo")
_CPUS = Path("/sys/devices/system/cpu")


def cpu_name() -> str:
    """The processor's model name, in 0.1 ms; py-cpuinfo takes 180 ms of each cold start."""
    if sys.platform == "darwin":
        return output_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    try:
        lines = _CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def output_of(*command: str) -> str:
    """What a command prints, stripped; empty if it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def int8_products_saturate() -> bool:
    """True if the sum of two 8-bit products may overflow 16 bits: on x86 without VNNI."""
    if not is_x86():
        return False
    try:
        return "vnni" not in _CPUINFO.read_text("utf-8")
    except OSError:  # not Linux; True is safe everywhere
        return True


@functools.cache
def has_amx() -> bool:
    """True if the processor multiplies tiles of bf16 numbers (Intel AMX)."""
    try:
        return "amx_bf16" in _CPUINFO.read_text("utf-8")
    except OSError:  # not Linux
        return False


def allowed_cores() -> int:
    """Physical cores this process may use, by its affinity mask and its control groups' CPU quota.

    The right number of threads for products of matrices: the logical CPUs of a core share the units
    that multiply, so a second thread on it adds no products, and all wait for the slowest thread.
    """
    cores = _physical_cores()
    return min(cores, math.ceil(cpu_quota_cores() or cores))


def allowed_cpus() -> int:
    """Logical CPUs this process may use: as `allowed_cores`, with every hyper-thread of a core."""
    cpus = len(_affinity())
    return min(cpus, math.ceil(cpu_quota_cores() or cpus))


def _affinity() -> set[int]:
    """The numbers of the logical CPUs in the affinity mask; without one, all."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _physical_cores() -> int:
    """The cores that the CPUs of the affinity mask belong to.

    Linux lists the siblings of each CPU. Its core numbers may repeat, in packages and in dies.
    """
    cpus = _affinity()
    if sys.platform == "linux":
        return len({_siblings(cpu) for cpu in cpus})
    import psutil

    return min(len(cpus), psutil.cpu_count(logical=False) or len(cpus))


def _siblings(cpu: int) -> str:
    """The logical CPUs of the same core, as Linux lists them; the CPU alone if it does not."""
    topology = _CPUS / f"cpu{cpu}" / "topology"
    for name in ("core_cpus_list", "thread_siblings_list"):  # the latter before Linux 5.3
        with contextlib.suppress(OSError):
            if text := (topology / name).read_text("utf-8").strip():
                return text
    return f"{cpu}"


def cpu_quota_cores() -> float | None:
    """CPU seconds per second that control groups (v1 and v2) allow, in cores; None without a limit.

    The lowest limit of the process's group and its parents. joblib's `cpu_count` reads the root
    group only.
    """
    quotas = (_quota_cores(folder) for folder in own_groups())
    return min((quota for quota in quotas if quota), default=None)


def own_groups(controller: str = "cpu") -> Iterator[Path]:
    """The folders of this process's groups, and their parents, in which a controller has its files."""
    try:
        lines = _OWN_CGROUPS.read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = _CGROUPS / controller if controllers else _CGROUPS  # v2 lists no controllers
        group = PurePosixPath(path.lstrip("/"))
        for folder in (group, *group.parents):
            yield base / folder


def _quota_cores(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text("utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text("utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text("utf-8")
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):  # no such limit, or no permission to read it
        return None

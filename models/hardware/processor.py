"""The processor: its name, and how many of its cores are ours. No torch is imported for it."""

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


def cpu_name() -> str:
    if sys.platform == "darwin":
        return _brand() or platform.processor()
    try:
        lines = _CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _brand() -> str:
    try:
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def int8_products_saturate() -> bool:
    """Whether two products of 8 bits may overflow their sum of 16: x86 without VNNI."""
    if not is_x86():
        return False
    try:
        return "vnni" not in _CPUINFO.read_text("utf-8")
    except OSError:  # not Linux: whoever takes them to saturate is right everywhere
        return True


def allowed_cores() -> int:
    """Cores this process may keep busy: by its affinity mask and its control groups' CPU quota."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, math.ceil(cpu_quota_cores() or cores))


def cpu_quota_cores() -> float | None:
    """CPU time a second that control groups (v1 and v2) grant, in cores; None without a limit.

    A group's parents bind it too, so the least of them counts.
    """
    quotas = (_quota_cores(folder) for folder in _own_groups())
    return min((quota for quota in quotas if quota), default=None)


def _own_groups() -> Iterator[Path]:
    """The folders of the groups that limit this process's CPU time, and of their parents."""
    try:
        lines = _OWN_CGROUPS.read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = _CGROUPS / "cpu" if controllers else _CGROUPS  # v2 lists no controllers
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
    except (OSError, ValueError):  # the group has no such limit, or we may not see it
        return None

"""The machine a run was made on: what decides how fast it is. No torch is imported for it."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

#: distributions whose version goes into every run
LIBRARIES = (
    "torch", "transformers", "peft", "bitsandbytes", "scikit-learn", "gensim", "numpy", "scipy",
    "codecarbon", "pytest-benchmark",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """One value per key: processor, memory, accelerators, system, versions."""
    return {
        "cpu": cpu_name(),
        "cores_allowed": allowed_cores(),
        "cores_present": psutil.cpu_count(logical=False) or os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "accelerators": nvidia_gpus() + (["Apple GPU"] if is_apple_silicon() else []),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "libraries": library_versions(LIBRARIES),
        "commit": _commit(),
    }


def cpu_name() -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def allowed_cores() -> int:
    """Cores this process may run on: its affinity mask, where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_apple_silicon() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def nvidia_gpus() -> list[str]:
    """Name and driver of each NVIDIA GPU the driver shows to this process; empty without one."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [
            f"{_text(pynvml.nvmlDeviceGetName(handle))} (driver {driver})" for handle in handles
        ]
    finally:
        pynvml.nvmlShutdown()


def present_devices() -> list[str]:
    """The devices this machine seems to have. Whether torch can use them, a cell finds out."""
    return ["cpu"] + (["cuda"] if nvidia_gpus() else []) + (["mps"] if is_apple_silicon() else [])


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Distribution name → installed version; `missing` where it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def _commit() -> str | None:
    """The commit of a checkout, with `+changes` when files differ from it; None elsewhere."""
    root = str(Path(__file__).resolve().parent.parent)
    commit = _output("git", "-C", root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    return commit + (
        "+changes" if _output("git", "-C", root, "status", "--porcelain", "-uno") else ""
    )


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

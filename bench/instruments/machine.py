"""The machine of a run: everything that affects its speed. Does not import torch."""

import contextlib
import json
import os
import platform
import runpy
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import threadpoolctl

from worthit.datasets.cache import short_hash
from worthit.datasets.errors import one_line
from worthit.models.hardware import main_memory, processor

#: distributions whose versions every run records
LIBRARIES = (
    "torch", "transformers", "peft", "bitsandbytes", "onnxruntime", "openvino", "scikit-learn",
    "gensim", "numpy", "scipy", "codecarbon", "pytest-benchmark",
)  # fmt: skip


#: must be equal in two descriptions before their runs are compared for regressions
FINGERPRINT_KEYS = (
    "cpu", "cores_allowed", "cpus_allowed", "cpu_quota_cores", "cores_present", "memory_gb",
    "memory_limit_gb", "accelerators", "gpu_driver", "gpu_power_limits_w", "system",
    "operating_system", "architecture", "python", "torch_build", "blas", "blas_threads", "libraries",
)  # fmt: skip


@dataclass(frozen=True)
class NvidiaGpu:
    """One NVIDIA GPU as its driver describes it."""

    name: str
    driver: str
    power_limit_w: float | None  # enforced now; None if the driver does not report it
    memory_bytes: int | None  # None if it shares the main memory
    fails: bool = False  # True: NVML cannot read it, and its name says why


def describe() -> dict[str, Any]:
    """Processor, memory, accelerators, system and versions, with their fingerprint."""
    gpus = nvidia_gpus()
    blas, blas_threads = _blas()
    limit_bytes = main_memory.limit_bytes()
    description = {
        "cpu": processor.cpu_name(),
        "cores_allowed": processor.allowed_cores(),
        "cpus_allowed": processor.allowed_cpus(),  # with every hyper-thread of these cores
        "cpu_quota_cores": processor.cpu_quota_cores() or "no limit",
        "cores_present": psutil.cpu_count(logical=False) or os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "memory_limit_gb": round(limit_bytes / 1e9, 1) if limit_bytes else "no limit",
        "accelerators": [gpu.name for gpu in gpus] + (["Apple GPU"] if is_apple_silicon() else []),
        "gpu_driver": gpus[0].driver if gpus else "none",
        "gpu_power_limits_w": [gpu.power_limit_w for gpu in gpus],
        "system": f"{platform.system()} {platform.release()}",
        "operating_system": _operating_system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "torch_build": torch_build(),
        "blas": blas,
        "blas_threads": blas_threads,
        "libraries": library_versions(LIBRARIES),
        "commit": _commit(),
    }
    return description | {"fingerprint": fingerprint(description)}


def fingerprint(description: dict[str, Any]) -> str:
    """16 hexadecimal digits, equal for two descriptions whose runs may be compared.

    Args:
        description: of `describe`; only FINGERPRINT_KEYS count.
    """
    decisive = {key: description[key] for key in FINGERPRINT_KEYS}
    return short_hash(json.dumps(decisive, sort_keys=True))


def is_apple_silicon() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def nvidia_gpus() -> list[NvidiaGpu]:
    """The NVIDIA GPUs visible to this process; one that is lost or fails says so in its name.

    Raises no error of NVML: one lost GPU must not end a run on the others.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        return [_nvidia_gpu(index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        return [
            NvidiaGpu(f"NVIDIA GPUs: {one_line(error, 100)}", "unknown", None, None, fails=True)
        ]
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _nvidia_gpu(index: int, driver: str) -> NvidiaGpu:
    import pynvml

    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        name = str(pynvml.nvmlDeviceGetName(handle))
    except pynvml.NVMLError as error:
        return NvidiaGpu(
            f"NVIDIA GPU {index}: {one_line(error, 100)}", driver, None, None, fails=True
        )
    return NvidiaGpu(name, driver, _power_limit_w(handle), _memory_bytes(handle))


def _power_limit_w(handle: Any) -> float | None:
    import pynvml

    try:
        return float(pynvml.nvmlDeviceGetEnforcedPowerLimit(handle)) / 1e3
    except pynvml.NVMLError:  # some laptops and virtual GPUs
        return None


def _memory_bytes(handle: Any) -> int | None:
    import pynvml

    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError:  # such as a DGX Spark's
        return None


def present_devices() -> list[str]:
    """The devices of this machine; whether torch can use them is checked by each cell."""
    works = any(not gpu.fails for gpu in nvidia_gpus())
    return ["cpu"] + (["cuda"] if works else []) + (["mps"] if is_apple_silicon() else [])


def places(device: str) -> int | None:
    """How many processes can train at once, one per GPU or physical core; None: only torch knows."""
    if device == "cpu":
        return processor.allowed_cores()
    if device == "cuda":
        return sum(not gpu.fails for gpu in nvidia_gpus()) or None
    return 1


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Distribution name → installed version, or `missing`."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "missing"
    return versions


def torch_build() -> str:
    """Version, git revision and GPU platform of the installed torch, without importing it.

    The distribution's version is not enough: wheels from PyPI omit `+cu130`.
    """
    try:
        file = metadata.distribution("torch").locate_file("torch/version.py")
        values = runpy.run_path(str(file))
    except (metadata.PackageNotFoundError, OSError, SyntaxError):
        return "missing"
    platforms = [f"{name} {values[name]}" for name in ("cuda", "hip", "xpu") if values.get(name)]
    git = str(values.get("git_version", "unknown"))[:12]
    return ", ".join([str(values.get("__version__", "unknown")), f"git {git}", *platforms])


def _blas() -> tuple[str | None, int | None]:
    """numpy's BLAS and its threads; None if threadpoolctl does not know it (Accelerate)."""
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    # scipy may have another one; whether it is loaded yet must not matter.
    home = Path(np.__file__).parent.parent
    folders = {home / "numpy.libs", home / "numpy"}
    pools = [pool for pool in pools if folders & {*Path(pool["filepath"]).parents}] or pools
    if not pools:
        return None, None
    words = (pools[0]["internal_api"], pools[0]["version"], pools[0].get("architecture"))
    return " ".join(word for word in words if word), int(pools[0]["num_threads"])


def thread_pools() -> dict[str, int]:
    """Number of threads of each thread pool of the imported libraries (threadpoolctl)."""
    threads: dict[str, int] = {}
    for pool in threadpoolctl.threadpool_info():
        library = Path(pool["filepath"]).name.partition(".")[0].partition("-")[0]
        pool_name = f"{pool['user_api']} {library}"
        threads[pool_name] = max(threads.get(pool_name, 0), int(pool["num_threads"]))
    return dict(sorted(threads.items()))


def _operating_system() -> str:
    """The Linux distribution, or the name and release of another system."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def _commit() -> str | None:
    """The commit of a checkout, with `+changes` if files differ from it; None without git."""
    root = Path(__file__).resolve().parents[2]
    # Of an installed package, git would find a repository around the environment.
    if not (root / ".git").exists():
        return None
    git = ("git", "-C", str(root))
    commit = processor.output_of(*git, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    changes = processor.output_of(*git, "status", "--porcelain", "-uno")
    return commit + ("+changes" if changes else "")

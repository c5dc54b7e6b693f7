"""RAPL and NVML counters that tests advance, for codecarbon's readers."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from codecarbon.core import cpu, gpu, gpu_nvidia, hardware_cache, resource_tracker
from codecarbon.external import hardware

from worthit.bench.instruments import codecarbon_counters, machine

RANGE_J = 65_712.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="codecarbon reads RAPL on Linux only")
_is_rapl_available = cpu.is_rapl_available


@contextlib.contextmanager
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without counters, apart from those that a test makes."""
    for module in (hardware, resource_tracker):
        monkeypatch.setattr(module, "detect_cpu_model", lambda: "a CPU")
    monkeypatch.setattr(cpu, "is_rapl_available", lambda: False)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)
    monkeypatch.setattr(gpu, "is_rocm_system", lambda: False)
    monkeypatch.setattr(gpu, "AMDSMI_AVAILABLE", False)
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: False)
    monkeypatch.setattr(codecarbon_counters, "_POWERCAP", Path("/no/counters"))
    hardware_cache.clear_cache()
    yield
    hardware_cache.clear_cache()


class Rapl:
    """A powercap folder as on Linux, with one package for each given counter reading in joules."""

    def __init__(self, folder: Path, *start_j: float) -> None:
        self.folder = folder
        self.total_j = list(start_j)
        (folder / "intel-rapl").mkdir(parents=True)
        for number in range(len(start_j)):
            package = folder / f"intel-rapl:{number}"
            package.mkdir()
            (folder / "intel-rapl" / package.name).symlink_to(package)
            (package / "name").write_text(f"package-{number}\n")
            (package / "max_energy_range_uj").write_text(f"{RANGE_J * 1e6:.0f}\n")
            self.spend(0.0, number)

    def spend(self, joules: float, package: int = 0) -> None:
        self.total_j[package] += joules
        counted = self.total_j[package] % RANGE_J
        (self.folder / f"intel-rapl:{package}" / "energy_uj").write_text(f"{counted * 1e6:.0f}\n")

    def forget_range(self, package: int) -> None:
        (self.folder / f"intel-rapl:{package}" / "max_energy_range_uj").unlink()


def made_rapl(monkeypatch: pytest.MonkeyPatch, folder: Path, *start_j: float) -> Rapl:
    """Counters that codecarbon and `codecarbon_counters` find instead of the machine's."""
    counters = Rapl(folder, *start_j)
    available = functools.partial(_is_rapl_available, rapl_dir=str(folder))
    monkeypatch.setattr(cpu, "is_rapl_available", available)
    reader = hardware.IntelRAPL
    monkeypatch.setattr(
        hardware, "IntelRAPL", lambda **given: reader(**given | {"rapl_dir": str(folder)})
    )
    monkeypatch.setattr(codecarbon_counters, "_POWERCAP", folder)
    return counters


class Nvml:
    """The part of pynvml that codecarbon and `gpu_cards` call; a handle is a card's index.

    Args:
        spent_j: reading of each card's energy counter; None: it has none.
    """

    NVMLError = RuntimeError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *spent_j: float | None) -> None:
        self.spent_j = list(spent_j)
        self.sliced: set[int] = set()  # cards in MIG mode

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        answers = {
            "nvmlDeviceGetCount": len(self.spent_j),
            "nvmlDeviceGetName": "a GPU",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=1, free=1, used=0),
            "nvmlDeviceGetPowerUsage": 100_000,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0),
        }
        return lambda *_: answers.get(name)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{uuid(handle)}"

    def nvmlDeviceGetPciInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(domain=0, bus=0x10 + handle, device=0)

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:  # noqa: N802
        return [int(handle in self.sliced)] * 2

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> float:  # noqa: N802
        spent_j = self.spent_j[handle]
        if spent_j is None:
            raise self.NVMLError("not supported")
        return spent_j * 1e3

    def spend(self, *joules: float) -> None:
        """Advance the counters of the first cards."""
        for index, more in enumerate(joules):
            self.spent_j[index] = (self.spent_j[index] or 0.0) + more


def uuid(index: int) -> str:
    """The UUID of a card as torch writes it."""
    return f"4e817856-1fb8-192a-7ab7-0e0e4476c18{index}"


def made_nvml(monkeypatch: pytest.MonkeyPatch, *spent_j: float | None) -> Nvml:
    """Cards that codecarbon finds, with these readings."""
    counters = Nvml(*spent_j)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: True)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", True)
    monkeypatch.setattr(gpu_nvidia, "pynvml", counters)
    return counters

"""RAPL counters that tests advance, for codecarbon's readers."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from codecarbon.core import cpu, gpu, hardware_cache, resource_tracker
from codecarbon.external import hardware

from worthit.bench.instruments import machine, meter

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
    """Counters that codecarbon and `meter` find instead of the machine's."""
    counters = Rapl(folder, *start_j)
    available = functools.partial(_is_rapl_available, rapl_dir=str(folder))
    monkeypatch.setattr(cpu, "is_rapl_available", available)
    reader = hardware.IntelRAPL
    monkeypatch.setattr(
        hardware, "IntelRAPL", lambda **given: reader(**given | {"rapl_dir": str(folder)})
    )
    monkeypatch.setattr(meter, "_POWERCAP", folder)
    return counters

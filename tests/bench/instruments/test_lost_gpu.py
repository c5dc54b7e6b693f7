"""A GPU that is lost, or that NVML cannot read, is noted; it never ends a run."""

from collections.abc import Callable
from typing import Any

import pynvml
import pytest
from codecarbon.core import gpu

from tests.energy_counters import made_nvml, on_linux
from worthit.bench.instruments import gpu_cards, gpu_neighbours, machine
from worthit.bench.instruments.disturbance import Watch
from worthit.bench.instruments.meter import Meter

LOST = pynvml.NVML_ERROR_GPU_IS_LOST


def fail(*_: object) -> Any:
    raise pynvml.NVMLError(LOST)


def second_is_lost(index: int) -> int:
    return fail() if index == 1 else index


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces functions of pynvml, here by those of a machine with two good cards."""

    def replace(**functions: Callable[..., Any]) -> None:
        for name, fake in functions.items():
            monkeypatch.setattr(pynvml, f"nvml{name}", fake)

    replace(
        Init=lambda: None, Shutdown=lambda: None, SystemGetDriverVersion=lambda: "570.1",
        DeviceGetCount=lambda: 2, DeviceGetHandleByIndex=lambda index: index,
        DeviceGetName=lambda handle: "RTX", DeviceGetEnforcedPowerLimit=lambda handle: 450_000,
        DeviceGetMemoryInfo=fail,
    )  # fmt: skip
    return replace


@pytest.mark.parametrize("step", ["DeviceGetHandleByIndex", "DeviceGetName"])
def test_a_lost_gpu_is_noted_and_the_other_is_used(nvml: Callable[..., None], step: str) -> None:
    good = {"DeviceGetHandleByIndex": second_is_lost, "DeviceGetName": lambda handle: "RTX"}
    if step == "DeviceGetName":
        good = {"DeviceGetName": lambda handle: second_is_lost(handle) or "RTX"}
    nvml(**good)
    described = machine.describe()
    assert described["accelerators"] == ["RTX", "NVIDIA GPU 1: GPU is lost"]
    assert described["gpu_power_limits_w"] == [450.0, None]
    assert machine.present_devices() == ["cpu", "cuda"]


@pytest.mark.parametrize("step", ["SystemGetDriverVersion", "DeviceGetCount"])
def test_gpus_that_nvml_cannot_list_are_noted_and_not_used(
    nvml: Callable[..., None], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: False)
    nvml(**{step: fail}, Shutdown=fail)
    assert machine.describe()["accelerators"] == ["NVIDIA GPUs: GPU is lost"]
    assert machine.present_devices() == ["cpu"]


@pytest.mark.parametrize("step", ["Init", "DeviceGetHandleByUUID", "Shutdown"])
def test_disturbance_of_a_lost_gpu_is_unknown(
    nvml: Callable[..., None], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(gpu_neighbours, "_card_uuid", lambda: "GPU-1")
    nvml(DeviceGetHandleByUUID=lambda uuid: 0, DeviceGetComputeRunningProcesses=fail)
    nvml(**{step: fail})
    seen = Watch("cuda").end().gpu_processes
    assert seen.reason == "NVML failed (NVMLError_GpuIsLost: GPU is lost)"


def test_a_card_that_torch_cannot_find_is_a_reason(
    nvml: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(gpu_cards, "cell_card", lose)
    assert "unspecified launch" in gpu_neighbours.count_others("cuda", 0).reason


@on_linux
def test_a_lost_gpu_leaves_the_counter_of_the_processor(
    rapl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    packages, cards = rapl(1_000.0), made_nvml(monkeypatch, 1.0, 2.0)
    monkeypatch.setattr(cards, "nvmlDeviceGetHandleByIndex", fail, raising=False)
    spent = Meter("cpu").over(lambda: packages.spend(50.0))
    assert spent.joules["CPU"].value == pytest.approx(50.0), spent.joules["CPU"].reason
    assert spent.idle_gpu.reason.startswith("the GPUs' counters failed (NVMLError_GpuIsLost")
    assert gpu.is_nvidia_system()  # as before
    assert "GPU is lost" in Meter("cuda").over(lambda: None).joules["GPU"].reason


@on_linux
def test_a_gpu_that_is_lost_within_a_window_is_a_reason(
    bare_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = made_nvml(monkeypatch, 1.0)
    meter = Meter("cpu")

    def lose() -> None:
        monkeypatch.setattr(cards, "nvmlDeviceGetTotalEnergyConsumption", fail, raising=False)
        monkeypatch.setattr(cards, "nvmlDeviceGetPowerUsage", fail, raising=False)

    assert meter.over(lose).idle_gpu.value is None

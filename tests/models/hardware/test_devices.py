"""Devices are checked before use, and the precision is decided once per machine."""

import pytest
import torch

from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import DeviceError, UnknownNameError
from worthit.models.hardware import devices


def test_missing_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(DeviceError, match=f"device {device} is not available"):
            devices.require(device)
    with pytest.raises(UnknownNameError, match="unknown device 'tpu'; known: cpu, cuda, mps"):
        devices.require("tpu")


@pytest.mark.parametrize(("bf16_s", "expected"), [(0.1, torch.bfloat16), (0.9, torch.float32)])
def test_bf16_is_chosen_where_it_is_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, bf16_s: float, expected: torch.dtype
) -> None:
    devices.worthwhile_dtype.cache_clear()
    times = {torch.float32: 1.0, torch.bfloat16: bf16_s}
    monkeypatch.setattr(devices, "gemm_seconds", lambda device, dtype: times[dtype])
    assert devices.worthwhile_dtype("cpu") is expected
    devices.worthwhile_dtype.cache_clear()


def test_precision_is_decided_once_per_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probed: list[torch.dtype] = []

    def decided(bf16_s: float) -> torch.dtype:
        """The decision of a new process that measures `bf16_s` for bf16, and 1 s for fp32."""
        devices.worthwhile_dtype.cache_clear()

        def seconds(device: str, dtype: torch.dtype) -> float:
            probed.append(dtype)
            return bf16_s if dtype == torch.bfloat16 else 1.0

        monkeypatch.setattr(devices, "gemm_seconds", seconds)
        return devices.dtype_for("auto", "cpu")

    assert decided(0.1) is torch.bfloat16
    assert decided(0.9) is torch.bfloat16
    assert len(probed) == 2
    (file,) = cache_folder("precision").glob("*/*")
    file.write_bytes(b"\xff")
    assert decided(0.9) is torch.float32
    assert decided(0.1) is torch.float32
    monkeypatch.setattr(devices.processor, "allowed_cores", lambda: 97)
    assert decided(0.1) is torch.bfloat16
    monkeypatch.setattr(devices.processor, "cpu_name", lambda: "another")
    assert decided(0.9) is torch.float32
    monkeypatch.setattr(torch, "__version__", "another")
    assert decided(0.1) is torch.bfloat16
    devices.worthwhile_dtype.cache_clear()


def test_the_first_of_two_processes_decides_the_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def busy(device: str) -> str:
        """Let another process decide while this one measures."""
        monkeypatch.setattr(devices, "_measure_worthwhile", lambda device: "bf16")
        devices.worthwhile_dtype.cache_clear()
        assert devices.worthwhile_dtype(device) is torch.bfloat16
        return "fp32"

    monkeypatch.setattr(devices, "_measure_worthwhile", busy)
    devices.worthwhile_dtype.cache_clear()
    assert devices.worthwhile_dtype("cpu") is torch.bfloat16
    devices.worthwhile_dtype.cache_clear()


def test_an_unknown_precision_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="unknown precision 'int3'; known: auto, fp32, bf16"):
        devices.dtype_for("int3", "cpu")

"""bench/instruments/doctor.py: verdicts on known figures, and one check of the real instruments."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from worthit.bench.instruments import doctor, machine
from worthit.bench.instruments.doctor import Check
from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.instruments.meter import EnergyWindow
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.errors import DeviceError
from worthit.models.hardware import devices
from worthit.reports.cli import main

METERED = Figure(0.0, "J", "measured", "codecarbon: RAPL")
NONE = unavailable("J", "not metered")
NAMES = [
    "known sleep", "known allocation", "CPU burn", "CPU zero work", "GPU allocation", "GPU burn",
    "GPU zero work", "overhead per call", "overhead per run", "noise of this machine",
    "other work",
]  # fmt: skip

MACHINE = {"cpu": "a CPU", "cores_allowed": 2, "accelerators": []}


def run(*measured_s: float, **changed: Any) -> record.Run:
    """A run of 100 s, with a cell for each of these seconds."""
    cells = tuple(
        record.CellRecord("lsa", "cpu", seed, measured_s=seconds)
        for seed, seconds in enumerate(measured_s)
    )
    base = factories.run(factories.data(factories.part()), *cells, wall_s=100.0, machine=MACHINE)
    return dataclasses.replace(base, **changed)


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (doctor.sleep_check(50.49), "ok"),
        (doctor.sleep_check(50.51), "off"),
        (doctor.sleep_check(49.49), "off"),
        (doctor.allocation_check("", measured(260.9, "MB", "")), "ok"),
        (doctor.allocation_check("", measured(261.2, "MB", "")), "off"),
        (doctor.allocation_check("", measured(250.8, "MB", "")), "off"),
        (doctor.allocation_check("", unavailable("MB", "no peak")), "skipped"),
        (doctor.overhead_check(0.99), "ok"),
        (doctor.overhead_check(1.0), "off"),
        (doctor.share_check(run(50.0, 45.5)), "ok"),
        (doctor.share_check(run(50.0, 44.5)), "off"),
        (doctor.share_check(None), "skipped"),
        (doctor.noise_check(measured(NOISY_PERCENT - 0.1, "%", "")), "ok"),
        (doctor.noise_check(measured(NOISY_PERCENT, "%", "")), "off"),
        (doctor.quiet_check(factories.disturbance()), "ok"),
        (doctor.quiet_check(factories.disturbance("a busy program")), "off"),
        (doctor.quiet_check(factories.disturbance(others=unavailable("%", "short"))), "skipped"),
    ],
)
def test_verdicts_at_the_edges(check: Check, verdict: str) -> None:
    assert check.verdict == verdict


@pytest.mark.parametrize(
    ("idle_w", "burn_w", "zero_w", "verdicts"),
    [
        (10.0, 2.1, 0.2, ["ok", "ok"]),
        (10.0, 1.9, 0.1, ["off", "ok"]),  # less than a fifth of idle
        (0.0, 0.9, 0.0, ["off", "ok"]),  # less than a watt
        (1.0, 5.0, 0.6, ["ok", "off"]),
        (1.0, 5.0, -0.6, ["ok", "off"]),
        (1.0, -5.0, 0.1, ["off", "off"]),
    ],
)
def test_a_burn_draws_power_and_zero_work_draws_none(
    idle_w: float, burn_w: float, zero_w: float, verdicts: list[str]
) -> None:
    checks = doctor.energy_checks("CPU", idle_w, burn_w, zero_w, METERED)
    assert [check.verdict for check in checks] == verdicts
    assert "measured, codecarbon: RAPL" in checks[0].remark


def test_energy_that_cannot_be_metered_is_skipped_with_the_reason() -> None:
    checks = doctor.energy_checks("GPU", 0.0, 0.0, 0.0, unavailable("J", "no GPU"))
    assert [(check.verdict, check.remark) for check in checks] == [("skipped", "no GPU")] * 2


def test_power_is_net_of_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.time, "sleep", lambda seconds: None)

    def window(joules: float, seconds: float) -> EnergyWindow:
        return EnergyWindow(
            {"CPU": dataclasses.replace(METERED, value=joules)}, NONE, NONE, seconds
        )

    windows = iter([window(8.0, 2.0), window(30.0, 3.0), window(10.0, 2.0)])
    kind = type("Meter", (), {"over": lambda self, action: next(windows), "broken": ""})
    meter: Any = kind()
    burn, zero = doctor._metered("CPU", meter, lambda: None)
    assert "idle is 4.00 W" in burn.remark
    assert (burn.value, zero.value) == ("6.00 W", "1.00 W")
    assert (burn.verdict, zero.verdict) == ("ok", "off")


def test_a_gpu_that_torch_cannot_use_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(device: str) -> None:
        raise DeviceError(f"device {device} is not available")

    gpu = machine.NvidiaGpu("RTX", "570", None, 24 * 10**9)
    monkeypatch.setattr(machine, "nvidia_gpus", lambda: [gpu])
    monkeypatch.setattr(devices, "require", refuse)
    checks = list(doctor._gpu_checks())
    assert [check.name for check in checks] == NAMES[4:7]
    assert {check.verdict for check in checks} == {"skipped"}
    assert {check.remark for check in checks} == {"device cuda is not available"}
    monkeypatch.setattr(machine, "nvidia_gpus", list)
    assert {check.remark for check in doctor._gpu_checks()} == {"there is no NVIDIA GPU"}


def test_an_instrument_that_cannot_start_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = EnergyWindow({}, NONE, NONE, 1.0)
    reason = "codecarbon could not start"
    kind = type(
        "Meter",
        (),
        {
            "over": lambda self, action: nothing,
            "broken": reason,
            "__init__": lambda self, device: None,
        },
    )
    monkeypatch.setattr(doctor, "Meter", kind)
    monkeypatch.setattr(doctor.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    checks = [*doctor._cpu_energy_checks(), doctor._allocation("known allocation", "cpu")]
    assert [check.verdict for check in checks] == ["off"] * 3
    assert checks[0].remark == reason
    assert checks[2].remark == "the process failed: exit code 1"


def test_the_newest_complete_run_is_taken(tmp_path: Path) -> None:
    assert doctor._newest_run(tmp_path) is None
    run_file.save(run(90.0, complete=False, run_id="interrupted"), tmp_path / "2026-3.json")
    (tmp_path / "2026-5.json").write_text("{")
    assert doctor._newest_run(tmp_path) is None
    run_file.save(run(96.0, run_id="newer"), tmp_path / "2026-2.json")
    run_file.save(run(97.0, run_id="older"), tmp_path / "2026-1.json")
    found = doctor._newest_run(tmp_path)
    assert found is not None
    assert found.run_id == "newer"
    check = doctor.share_check(found)
    assert check.value == "4.0%"
    assert "run newer" in check.remark


@pytest.mark.parametrize(
    ("verdicts", "code"), [(["ok", "skipped"], 0), (["ok", "off", "ok"], 1), (["skipped"], 0)]
)
def test_the_command_fails_when_an_instrument_is_off(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verdicts: list[Any],
    code: int,
) -> None:
    monkeypatch.setattr(
        doctor, "examine", lambda runs: (Check("a", "1", "2", verdict) for verdict in verdicts)
    )
    assert main.main(["doctor"]) == code
    assert capsys.readouterr().out.count("  1  ") == len(verdicts)


def test_the_real_instruments_have_one_row_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shorter = {"_SLEEPS": 7, "_WINDOW_S": 0.1, "_SETTLE_S": 0.0, "_NOISE_S": 0.1}
    for name, value in shorter.items():
        monkeypatch.setattr(doctor, name, value)
    assert main.main(["doctor", "--root", str(tmp_path)]) in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    verdicts = {"ok", "off", "skipped"}
    # A check's first line has its verdict; wrapped words follow below.
    table = [line for line in lines[3:] if verdicts & set(line.split())]
    assert len(table) == len(NAMES)
    for name, row in zip(NAMES, table, strict=True):
        assert row.split()[0] == name.split()[0]
    allocation = table[1]
    if sys.platform == "linux":
        assert "the process failed" not in allocation

"""models/hardware/processor.py: physical cores, and how many bits int8 weights may have."""

import sys
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from worthit.models.hardware import processor


@pytest.mark.parametrize(
    ("machine", "flags", "saturates"),
    [
        ("x86_64", "avx2 avx512_vnni", False),
        ("AMD64", "avx2", True),
        ("x86_64", None, True),
        ("arm64", None, False),
    ],
)
def test_seven_bits_only_where_products_of_eight_overflow(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    machine: str,
    flags: str | None,
    saturates: bool,
) -> None:
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(flags)
    assert processor.int8_products_saturate() is saturates


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no lists of siblings")
@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
@pytest.mark.parametrize(
    ("affinity", "quota", "cores", "cpus"),
    [
        (range(8), None, 4, 8),
        ({0, 4}, None, 1, 2),  # both hyper-threads of one core
        ({0, 1, 5}, None, 2, 3),
        (range(8), 1.5, 2, 2),
        (range(8), 6.0, 4, 6),
    ],
)
def test_hyper_threads_of_a_core_count_as_one_core(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    affinity: Iterable[int],
    quota: float | None,
    cores: int,
    cpus: int,
) -> None:
    for cpu in range(8):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / name).write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
        (topology / "core_id").write_text("0\n")  # repeats in packages and dies
    monkeypatch.setattr(processor, "_CPUS", tmp_path)
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: {*affinity})
    monkeypatch.setattr(processor, "cpu_quota_cores", lambda: quota)
    assert processor.allowed_cores() == cores
    assert processor.allowed_cpus() == cpus


def test_systems_without_lists_of_siblings_know_the_number_of_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    monkeypatch.setattr(processor, "_affinity", lambda: set(range(8)))
    monkeypatch.setattr(processor, "cpu_quota_cores", lambda: None)
    for physical, cores in ((4, 4), (None, 8)):
        monkeypatch.setattr(psutil, "cpu_count", lambda logical, found=physical: found)
        assert processor.allowed_cores() == cores

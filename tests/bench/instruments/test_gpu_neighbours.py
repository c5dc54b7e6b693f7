"""bench/instruments/gpu_neighbours.py: other processes on the card, with a made NVML."""

import os
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from worthit.bench.instruments import gpu_cards, gpu_neighbours

OWN = os.getpid()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What NVML says: `present` process ids, and `busy` ones with samples of utilisation."""
    state = SimpleNamespace(present=[], busy={}, asked=[])

    def running(handle: str) -> list[Any]:
        return [SimpleNamespace(pid=pid) for pid in state.present]

    def utilisation(handle: str, since_us: int) -> list[Any]:
        if state.busy is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [
            SimpleNamespace(pid=pid, smUtil=percent, memUtil=0)
            for pid, percent in state.busy.items()
        ]

    def by_uuid(uuid: str) -> str:
        state.asked.append(uuid)
        return "handle"

    monkeypatch.setattr(gpu_neighbours, "_card_uuid", lambda: "GPU-1")
    for name, fake in {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetComputeRunningProcesses": running,
        "nvmlDeviceGetProcessUtilization": utilisation,
    }.items():
        monkeypatch.setattr(pynvml, name, fake)
    return state


def test_processes_that_used_the_card_count(card: SimpleNamespace) -> None:
    card.present, card.busy = [OWN, 1, 2], {OWN: 90, 1: 30, 2: 0}
    assert gpu_neighbours.count_others("cuda", 0).value == 1
    assert card.asked == ["GPU-1"]


def test_without_samples_all_that_have_the_card_open_count(card: SimpleNamespace) -> None:
    card.present, card.busy = [OWN, 1, 2], None
    found = gpu_neighbours.count_others("cuda", 0)
    assert (found.value, found.instrument) == (2, "NVML, processes with the card open")


def test_in_a_container_one_process_under_another_number_is_this_one(card: SimpleNamespace) -> None:
    host = OWN + 1_000_000
    card.present, card.busy = [host], {host: 80}
    assert gpu_neighbours.count_others("cuda", 0).value == 0
    card.present, card.busy = [host, host + 1], {host: 80, host + 1: 5}
    assert gpu_neighbours.count_others("cuda", 0).value == 1
    card.present = []
    assert "not even this one" in gpu_neighbours.count_others("cuda", 0).reason


def test_a_build_of_torch_that_tells_no_uuid_is_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    told = {None: None, "abc": "GPU-abc"}
    for uuid, expected in told.items():
        cell_card = gpu_cards.CellCard(uuid, None)
        monkeypatch.setattr(gpu_cards, "cell_card", lambda found=cell_card: found)
        assert gpu_neighbours._card_uuid() == expected
    monkeypatch.setattr(gpu_neighbours, "_card_uuid", lambda: None)
    assert "does not tell which card" in gpu_neighbours.count_others("cuda", 0).reason


def test_without_a_card_or_nvml_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_neighbours.count_others("mps", 0).reason == "the cell runs on mps"

    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert gpu_neighbours.count_others("cuda", 0).reason.startswith("NVML failed (")

"""bench/instruments/gpu_cards.py: the energy of a GPU cell is that of its own card."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.energy_counters import Nvml, made_nvml, uuid
from worthit.bench.instruments import gpu_cards
from worthit.bench.instruments.gpu_cards import CellCard
from worthit.bench.instruments.meter import EnergyWindow, Meter
from worthit.bench.saved.record import Figure

pytestmark = pytest.mark.usefixtures("bare_machine")


class CudaUuid:
    """torch's `_CUuuid`: not a string, and without the `GPU-` of NVML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


@pytest.fixture
def torch_uses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes torch compute on a card with these properties."""

    def uses(**properties: Any) -> None:
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda device: SimpleNamespace(**properties)
        )

    return uses


def over(counters: Nvml, device: str, *joules: float) -> EnergyWindow:
    return Meter(device).over(lambda: counters.spend(*joules))


@pytest.mark.parametrize("visible", [None, "0", "1", "2,0", f"GPU-{uuid(2)}", "GPU-0000", ""])
@pytest.mark.parametrize("index", [0, 2])
def test_only_the_card_of_the_cell_counts_whatever_is_visible(
    monkeypatch: pytest.MonkeyPatch,
    torch_uses: Callable[..., None],
    visible: str | None,
    index: int,
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
        if visible is not None:
            monkeypatch.setenv(name, visible)
    counters = made_nvml(monkeypatch, 1_000.0, 2_000.0, 3_000.0)
    torch_uses(uuid=CudaUuid(uuid(index)))
    spent = over(counters, "cuda", 10.0, 200.0, 3_000.0)
    figure = spent.joules["GPU"]
    assert (figure.origin, figure.instrument) == ("measured", "codecarbon: NVML")
    assert figure.value == pytest.approx([10.0, 200.0, 3_000.0][index], rel=1e-4)
    assert spent.idle_gpu.reason == "the cell uses the GPU"


def test_a_build_of_torch_without_uuids_is_matched_by_its_pci_address(
    monkeypatch: pytest.MonkeyPatch, torch_uses: Callable[..., None]
) -> None:
    counters = made_nvml(monkeypatch, 1_000.0, 2_000.0)
    torch_uses(pci_domain_id=0, pci_bus_id=0x11, pci_device_id=0)
    assert over(counters, "cuda", 10.0, 200.0).joules["GPU"].value == pytest.approx(200, rel=1e-4)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "this build of torch does not tell which card it uses"),
        ({"uuid": CudaUuid("beef")}, "no card with a counter has the UUID beef of this cell's GPU"),
        (
            {"pci_domain_id": 0, "pci_bus_id": 0x41, "pci_device_id": 0},
            "no card with a counter has the PCI address 0000:41:00 of this cell's GPU",
        ),
        ({"uuid": CudaUuid(uuid(1))}, "the card is in MIG mode; its counter counts all slices"),
    ],
)
def test_a_card_that_is_not_identified_has_no_energy(
    monkeypatch: pytest.MonkeyPatch,
    torch_uses: Callable[..., None],
    properties: dict[str, Any],
    reason: str,
) -> None:
    counters = made_nvml(monkeypatch, 1_000.0, 2_000.0)
    counters.sliced = {1}
    torch_uses(**properties)
    for _ in range(2):  # codecarbon caches its plan in between
        assert over(counters, "cuda", 10.0, 200.0).joules["GPU"].reason == reason


def test_cards_are_idle_while_a_model_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    counters = made_nvml(monkeypatch, 1_000.0, 2_000.0)
    spent = over(counters, "cpu", 10.0, 200.0)
    assert spent.joules["GPU"].reason == "the cell runs on the CPU"
    assert spent.idle_gpu.value == pytest.approx(210.0, rel=1e-4)
    assert spent.idle_gpu.instrument == "codecarbon: NVML, 2 cards"


def test_all_cards_of_a_shared_training_count_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = [SimpleNamespace(uuid=CudaUuid(uuid(index))) for index in (2, 0)]
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: cards[index])
    counters = made_nvml(monkeypatch, 1_000.0, 2_000.0, 3_000.0)

    def spent() -> Figure:
        both = Meter("cuda", 2)
        return both.over(lambda: counters.spend(10.0, 200.0, 3_000.0)).joules["GPU"]

    assert spent().value == pytest.approx(3_010.0, rel=1e-4)
    assert spent().instrument == "codecarbon: NVML, 2 cards"
    cards[1] = SimpleNamespace(uuid=CudaUuid("elsewhere"))
    assert spent().reason == "no card with a counter has the UUID elsewhere of this cell's GPU"


def test_the_power_of_another_card_without_a_counter_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, torch_uses: Callable[..., None]
) -> None:
    counters = made_nvml(monkeypatch, 1_000.0, None)
    torch_uses(uuid=CudaUuid(uuid(0)))
    figure = Meter("cuda").over(lambda: counters.spend(10.0)).joules["GPU"]
    assert (figure.origin, figure.value) == ("measured", pytest.approx(10.0, rel=1e-4))


def test_uuids_are_compared_without_prefix_and_case(monkeypatch: pytest.MonkeyPatch) -> None:
    made_nvml(monkeypatch, 1_000.0)
    cards = gpu_cards.codecarbon_cards()
    assert gpu_cards.find(CellCard(f"GPU-{uuid(0).upper()}", None), cards).index == 0

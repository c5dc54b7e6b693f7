"""Which of the machine's cards a cell uses.

CUDA and NVML number cards differently: CUDA_VISIBLE_DEVICES hides and reorders cards for CUDA only, and
CUDA puts the fastest first unless CUDA_DEVICE_ORDER says otherwise. So cards are matched by UUID, or by
PCI address where a build of torch does not tell the UUID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CellCard:
    """The card that torch computes on; a property that the build of torch does not tell is None."""

    uuid: str | None
    pci: tuple[int, int, int] | None  # domain, bus, device


@dataclass(frozen=True)
class FoundCard:
    """A card of codecarbon by its index, or why there is none."""

    index: int | None
    reason: str = ""


def cell_card(number: int | None = None) -> CellCard:
    """The visible card of that number; None: what `cuda` means in this process. Imports torch."""
    import torch

    chosen = torch.cuda.current_device() if number is None else number
    properties: Any = torch.cuda.get_device_properties(chosen)
    uuid = getattr(properties, "uuid", None)
    address = tuple(
        getattr(properties, f"pci_{part}_id", None) for part in ("domain", "bus", "device")
    )
    return CellCard(
        uuid=None if uuid is None else str(uuid),
        pci=None if None in address else address,  # type: ignore[arg-type]
    )


def codecarbon_cards() -> list[Any]:
    """The devices that codecarbon can meter, whatever CUDA_VISIBLE_DEVICES says."""
    from codecarbon.core import gpu

    if not (gpu.is_nvidia_system() or gpu.is_rocm_system()) or not gpu.is_gpu_details_available():
        return []
    return list(gpu.AllGPUDevices().devices)


def find(card: CellCard, devices: Sequence[Any]) -> FoundCard:
    """The codecarbon device that is this card.

    codecarbon itself takes UUIDs too, but 3.3 strips the G of `GPU-…` and finds none; so it gets an index.
    """
    if card.uuid is not None:
        same = [device for device in devices if _plain(device._uuid) == _plain(card.uuid)]
        name = f"UUID {card.uuid}"
    elif card.pci is not None:
        same = [device for device in devices if _pci(device) == card.pci]
        name = "PCI address {:04x}:{:02x}:{:02x}".format(*card.pci)
    else:
        return FoundCard(None, "this build of torch does not tell which card it uses")
    if not same:
        return FoundCard(None, f"no card with a counter has the {name} of this cell's GPU")
    if _is_sliced(same[0]):
        return FoundCard(None, "the card is in MIG mode; its counter counts all slices")
    return FoundCard(same[0].gpu_index)


def _plain(uuid: str) -> str:
    """A UUID as torch writes it: NVML puts `GPU-` in front."""
    return uuid.removeprefix("GPU-").lower()


def _pci(device: Any) -> tuple[int, int, int] | None:
    from codecarbon.core import gpu_nvidia

    if type(device).__name__ != "NvidiaGPUDevice":
        return None
    found = gpu_nvidia.pynvml.nvmlDeviceGetPciInfo(device.handle)
    return int(found.domain), int(found.bus), int(found.device)


def _is_sliced(device: Any) -> bool:
    from codecarbon.core import gpu_nvidia

    if type(device).__name__ != "NvidiaGPUDevice":
        return False
    try:
        current, _ = gpu_nvidia.pynvml.nvmlDeviceGetMigMode(device.handle)
    except gpu_nvidia.pynvml.NVMLError:  # a card without MIG
        return False
    return bool(current)

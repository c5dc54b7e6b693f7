"""Which LLM a run's rows start from where the user names none.

On a GPU, or with a preset that says so, it is the largest one on this machine that fits, by the rule of
`worthit.models.weights.largest`; else the packaged one, the models' own default.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from worthit.bench.instruments import machine
from worthit.bench.options import BenchmarkOptions
from worthit.bench.saved.record import significant
from worthit.models.hardware import main_memory, processor
from worthit.models.registry import MODELS
from worthit.models.weights import largest
from worthit.models.weights.largest import Llm, Room


@dataclass(frozen=True)
class LlmChoice:
    """The LLM of some rows on one device."""

    rows: tuple[str, ...]
    device: str
    llm: Llm
    room: Room

    def __str__(self) -> str:
        count, gigabytes = self.llm.parameters, self.room.memory_bytes / 1e9
        size = f"{count / 1e6:,.0f} M" if count < 1e9 else f"{count / 1e9:.1f} B"
        is_smallest = self.llm == largest.SMALLEST
        why = "packaged LLM; no larger cached one" if is_smallest else "largest cached LLM that"
        cores = f" and {self.room.cores} cores" if self.room.cores else ""
        return (
            f"{', '.join(self.rows)} on {self.device}: {self.llm.name}, {size} parameters, the {why} "
            f"fits in {significant(round(gigabytes, 1))} GB{cores}"
        )

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of these rows; none if the LLM is the default."""
        return {} if self.llm == largest.SMALLEST else {"checkpoint": self.llm.checkpoint}


def choose(options: BenchmarkOptions) -> list[LlmChoice]:
    """The choices of a run: none for a device where the models' default is used."""
    rows = {row: name for row, name in options.models.items() if _chooses(options, row, name)}
    choices = []
    for device in options.devices:
        able = tuple(row for row, name in rows.items() if device in MODELS[name].devices)
        if able and (device != "cpu" or options.preset.largest_llm):
            room = _room(device)
            llm = largest.choose(largest.cached(), room)
            choices.append(LlmChoice(able, device, llm, room))
    return choices


def _room(device: str) -> Room:
    """What a device has for a training; of several NVIDIA GPUs, the smallest."""
    if device == "cuda":
        sizes = [gpu.memory_bytes for gpu in machine.nvidia_gpus() if gpu.memory_bytes is not None]
        if sizes:
            return Room(min(sizes))
    cores = processor.allowed_cores() if device == "cpu" else None
    return Room(main_memory.usable_bytes(), shared=True, cores=cores)


def _chooses(options: BenchmarkOptions, row: str, name: str) -> bool:
    """True for a registered LLM for which neither the user nor the preset names a checkpoint."""
    entry = MODELS.get(name)
    if entry is None or entry.kind != "llm" or not entry.pretrained:
        return False
    of_preset = options.preset.settings.get(entry.trained_as or name, {})
    return "checkpoint" not in of_preset and (entry.trained_as or row) not in options.checkpoint

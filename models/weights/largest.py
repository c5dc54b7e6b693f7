"""The largest LLM that is already on this machine and fits on a device. Nothing is downloaded for it.

Candidates are the packaged LLM and complete checkpoints in two caches: that of the Hugging Face hub, and
worthit's own with converted .gguf files. A checkpoint counts if it is a causal LM of Llama's or a similar
architecture, with a tokenizer and with weights in safetensors that are not quantised.

It fits if its training does: 3 bytes per parameter (2 for weights in bf16, 1 for adapters, optimizer and
activations; an estimate) and 1 GB of a GPU's memory. Main memory must have twice that, since other programs
need some. A CPU needs time, too. SmolLM2 trains on 6 comments per second and core, so an LLM of 0.65 B
parameters per core needs about 6 hours for 26,460 comments.

Of those that fit, the one with the most parameters is chosen; of equally large ones, to two digits, one
tuned for instructions, by its name; then the first by name.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from worthit.datasets.cache import cache_folder
from worthit.models.weights import checkpoints

_FAMILY = ("llama", "mistral", "qwen2", "qwen3")
_BYTES_PER_PARAMETER = 3
_RESERVED_BYTES = 10**9
_PARAMETERS_PER_CORE = 0.65e9
_INSTRUCT = re.compile(r"instruct|chat|\bit\b", re.IGNORECASE)
_CONVERTED = re.compile(r"(.+)-[0-9a-f]{16}")


@dataclass(frozen=True)
class Llm:
    """A causal LM on this machine."""

    checkpoint: str  # as `checkpoints.resolve` takes it
    name: str  # for people
    parameters: int


#: the packaged one; it may have to be downloaded, 93 MB
SMALLEST = Llm("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct", 134_515_008)


@dataclass(frozen=True)
class Room:
    """What a device has for a training."""

    memory_bytes: int
    shared: bool = False  # the memory, with other programs
    cores: int | None = None  # None: an accelerator computes

    def fits(self, llm: Llm) -> bool:
        if self.cores is not None and llm.parameters > _PARAMETERS_PER_CORE * self.cores:
            return False
        needed = _BYTES_PER_PARAMETER * llm.parameters + _RESERVED_BYTES
        return needed * (2 if self.shared else 1) <= self.memory_bytes


def choose(llms: Iterable[Llm], room: Room) -> Llm:
    """The largest LLM that fits, by the rule above; SMALLEST if none does."""
    by_name = sorted(llms, key=lambda llm: llm.name)  # `max` takes the first of equal ones
    fitting = filter(room.fits, by_name)
    return max(fitting, key=_rank, default=SMALLEST)


def cached() -> list[Llm]:
    """The LLMs on this machine, and SMALLEST."""
    return [SMALLEST, *_of_hub(), *_converted()]


def _rank(llm: Llm) -> tuple[float, bool]:
    return float(f"{llm.parameters:.2g}"), bool(_INSTRUCT.search(llm.name))


def _of_hub() -> Iterator[Llm]:
    """Of each repository the revision `main`, as the hub's cache has it; pinned, so it stays that one."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return
    for repository in repositories:
        revision = repository.refs.get("main")
        if repository.repo_type == "model" and revision is not None:
            name = repository.repo_id
            given = f"{name}@{revision.commit_hash}"
            yield from _llm(given, name.rpartition("/")[2], revision.snapshot_path)


def _converted() -> Iterator[Llm]:
    folder = cache_folder("checkpoints")
    for converted in folder.iterdir() if folder.is_dir() else ():
        name = _CONVERTED.fullmatch(converted.name)
        if name and name[1] not in checkpoints.PACKAGED:
            yield from _llm(str(converted), name[1], converted)


def _llm(given: str, name: str, folder: Path) -> Iterator[Llm]:
    """The LLM in a folder, unless it holds something else, or only a part of it."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        architectures = config.get("architectures") or []
        is_llm = config.get("model_type") in _FAMILY and any(
            each.endswith("ForCausalLM") for each in architectures
        )
        if is_llm and "quantization_config" not in config and checkpoints.is_complete(folder):
            yield Llm(given, name, _count_parameters(folder))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return  # damaged, or not a checkpoint


def _count_parameters(folder: Path) -> int:
    """From the headers of the weights, without reading the weights."""
    files = folder.glob("*.safetensors")
    tensors = (tensor for file in files for tensor in checkpoints.tensors(file).values())
    return sum(math.prod(tensor["shape"]) for tensor in tensors)

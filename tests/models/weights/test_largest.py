"""models/weights/largest.py: which LLMs on this machine count, and which one is chosen."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from worthit.models.weights import checkpoints, largest
from worthit.models.weights.largest import SMALLEST, Llm, Room

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def llm(name: str, billions: float) -> Llm:
    return Llm(f"org/{name}", name, round(billions * 1e9))


def make_checkpoint(folder: Path, config: dict[str, Any] = LLAMA) -> Path:
    """A checkpoint of 14 parameters in two files."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    parts = {"a": np.zeros((3, 4), np.float16), "b": np.zeros(2, np.float16)}
    index = {name: f"model-{name}.safetensors" for name in parts}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    for name, tensor in parts.items():
        save_file({name: tensor}, folder / index[name], metadata={"format": "pt"})
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hugging Face hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "hub").mkdir()
    return tmp_path / "hub"


def make_hub_checkpoint(hub: Path, name: str, config: dict[str, Any] = LLAMA) -> Path:
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return make_checkpoint(repository / "snapshots" / COMMIT, config)


def test_the_largest_that_fits_is_chosen() -> None:
    llms = [SMALLEST, llm("Small-Instruct", 0.5), llm("Medium", 1.5), llm("Large", 7.6)]
    chosen = [largest.choose(llms, Room(memory * 10**9)).name for memory in (1, 4, 8, 24)]
    assert chosen == ["SmolLM2-135M-Instruct", "Small-Instruct", "Medium", "Large"]


def test_shared_memory_must_have_room_for_twice_as_much() -> None:
    llms = [SMALLEST, llm("Medium", 1.5)]  # needs 5.5 GB
    assert largest.choose(llms, Room(6 * 10**9)).name == "Medium"
    assert largest.choose(llms, Room(6 * 10**9, shared=True)) == SMALLEST
    assert largest.choose(llms, Room(12 * 10**9, shared=True)).name == "Medium"


def test_a_cpu_gets_no_llm_that_it_could_not_train_in_time() -> None:
    llms = [SMALLEST, llm("Small", 0.5), llm("Medium", 1.5)]
    chosen = [largest.choose(llms, Room(64 * 10**9, True, cores)).name for cores in (1, 2, 4)]
    assert chosen == ["Small", "Small", "Medium"]


def test_instruction_tuned_ones_come_before_equally_large_ones_in_any_order() -> None:
    llms = [llm("B-1.5B-Instruct", 1.544), llm("A-1.5B", 1.546), llm("C-1.5B-Instruct", 1.544)]
    for order in (llms, llms[::-1]):
        assert largest.choose(order, Room(24 * 10**9)).name == "B-1.5B-Instruct"


def test_complete_llms_of_the_hubs_cache_count_and_stay_pinned(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_hub_checkpoint(hub, "org/Tiny-Instruct")
    make_hub_checkpoint(hub, "org/Encoder", {"model_type": "bert", "architectures": ["BertModel"]})
    make_hub_checkpoint(hub, "org/Four-Bit", LLAMA | {"quantization_config": {}})
    make_hub_checkpoint(
        hub, "org/Other", {"model_type": "lfm2", "architectures": ["LfmForCausalLM"]}
    )
    (make_hub_checkpoint(hub, "org/Partial") / "model-b.safetensors").unlink()
    (make_hub_checkpoint(hub, "org/Damaged") / "model-a.safetensors").write_bytes(b"\x05")
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    (make_hub_checkpoint(hub, "org/Pointer") / "model-a.safetensors").write_bytes(pointer)
    found = Llm(f"org/Tiny-Instruct@{COMMIT}", "Tiny-Instruct", 14)
    assert largest.cached() == [SMALLEST, found]

    def download(*args: Any, **options: Any) -> str:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    resolved = checkpoints.resolve(found.checkpoint)
    assert (resolved.folder, resolved.identity) == (folder, COMMIT)
    assert resolved.origin == "Hugging Face hub org/Tiny-Instruct@0123456789ab"


def test_a_commit_that_is_not_in_the_cache_is_downloaded(
    hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, asked = make_checkpoint(tmp_path / COMMIT), []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert checkpoints.resolve(f"org/new@{COMMIT}").identity == COMMIT
    (make_hub_checkpoint(hub, "org/partial") / "model-a.safetensors").unlink()
    checkpoints.resolve(f"org/partial@{COMMIT}")
    checkpoints.resolve("org/newest")
    assert asked == [("org/new", COMMIT), ("org/partial", COMMIT), ("org/newest", None)]


def test_converted_gguf_files_count_and_packaged_encoders_do_not(hub: Path, tmp_path: Path) -> None:
    caches = tmp_path / "cache" / "checkpoints"
    folder = make_checkpoint(caches / "qwen2.5-1.5b-q4_k_m-0123456789abcdef")
    make_checkpoint(caches / "all-MiniLM-L6-v2-0123456789abcdef")
    make_checkpoint(caches / f".qwen-0123456789abcdef.{'0' * 32}")  # of an interrupted conversion
    assert largest.cached() == [SMALLEST, Llm(str(folder), "qwen2.5-1.5b-q4_k_m", 14)]
    resolved = checkpoints.resolve(str(folder))
    assert resolved.identity == "0123456789abcdef"
    assert resolved.origin == "GGUF file, dequantised to bf16"


def test_without_caches_the_packaged_llm_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    assert largest.cached() == [SMALLEST]
    assert largest.choose([SMALLEST], Room(0)) == SMALLEST

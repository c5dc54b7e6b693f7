"""Each source of pretrained weights, and the error when there are none."""

import errno
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors

from worthit.datasets.errors import CheckpointError
from worthit.models import registry
from worthit.models.weights import checkpoints


def hub_refuses(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*args: Any, **kwargs: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


def http_error(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    response: Any = SimpleNamespace(headers={}, request=None, status_code=403)
    return kind("a long\npage", response=response)


def test_a_gated_checkpoint_says_how_to_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_refuses(monkeypatch, http_error(errors.GatedRepoError))
    with pytest.raises(
        CheckpointError, match=r"is gated: accept its licence .*hf auth login"
    ) as caught:
        checkpoints.resolve("meta-llama/Llama-3.2-1B-Instruct")
    assert "\n" not in str(caught.value)


def test_an_unknown_hub_id_lists_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_refuses(monkeypatch, http_error(errors.RepositoryNotFoundError))
    with pytest.raises(CheckpointError, match=r"has no 'no/such'.*or one of all-MiniLM-L6-v2"):
        checkpoints.resolve("no/such")


def test_a_missing_network_is_distinguished_from_a_missing_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub_refuses(monkeypatch, errors.LocalEntryNotFoundError("offline"))
    with pytest.raises(CheckpointError, match="cannot be reached; check the network"):
        checkpoints.resolve("bert-base-uncased")


def test_a_full_disk_is_distinguished_from_a_missing_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub_refuses(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(CheckpointError, match=r"\(No space left on device\); free some space or"):
        checkpoints.resolve("some/model")


@pytest.mark.parametrize(
    "given", ["/no/such/folder", "./missing", "~/missing/model", "missing.gguf"]
)
def test_missing_paths_are_refused(given: str) -> None:
    with pytest.raises(CheckpointError, match=r"there is no (folder or \.gguf )?file"):
        checkpoints.resolve(given)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        checkpoints.resolve(str(tmp_path))


def test_a_folder_changes_its_identity_with_its_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = checkpoints.resolve(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"two")
    checkpoints.resolve.cache_clear()
    second = checkpoints.resolve(str(tmp_path))
    assert first.folder == second.folder
    assert first.identity != second.identity


def test_pointers_of_git_lfs_are_not_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-1.safetensors").touch()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    (tmp_path / "model-2.safetensors").write_text(pointer)
    with pytest.raises(CheckpointError, match="pointers of Git LFS instead of weights; run `git l"):
        checkpoints.resolve(str(tmp_path))


def test_pickled_weights_are_refused_wherever_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    (tmp_path / "config.json").write_text("{}")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **kwargs: str(tmp_path))
    for given in (str(tmp_path), "some/model"):
        with pytest.raises(CheckpointError, match=r"has no weights in \*\.safetensors.*save_pretr"):
            checkpoints.resolve(given)


def test_pickled_weights_are_never_a_fallback(tmp_path: Path, tiny_llama: Path) -> None:
    import torch
    import transformers

    folder, kind = tmp_path / "both", transformers.AutoModelForCausalLM
    shutil.copytree(tiny_llama, folder)
    torch.save(kind.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        checkpoints.network(kind, folder)


def test_a_damaged_gguf_file_is_refused_and_not_cached(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"no gguf at all")
    with pytest.raises(CheckpointError, match=r"broken\.gguf cannot be used"):
        checkpoints.resolve(str(file))
    assert not list((tmp_path / "cache" / "checkpoints").iterdir())


def test_only_direct_members_of_a_packaged_folder_are_taken() -> None:
    names = ["m/model/config.json", "m/model/1_Pooling/config.json", "m/model/", "m/other.txt"]
    assert checkpoints._members(names, "m/model/") == ["m/model/config.json"]


def with_code(source: Path, folder: Path, file: str, changes: dict[str, Any], part: str) -> Path:
    """A copy of a checkpoint with its own class for that part; if it runs, it creates a file `ran`."""
    shutil.copytree(source, folder)
    auto_map = {part: "code.Theirs" if part == "AutoConfig" else ["code.Theirs", None]}
    known = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps(known | changes | {"auto_map": auto_map}), "utf-8")
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n", "utf-8")
    return folder


@pytest.mark.parametrize("name", ["bert", "embeddings", "llama", "llama-qlora"])
def test_code_of_an_architecture_is_neither_run_nor_offered(
    name: str, tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"model_type": "theirs"}
    folder = with_code(tiny_llama, tmp_path / "theirs", "config.json", theirs, "AutoConfig")
    monkeypatch.setattr(sys, "stdin", yes := io.StringIO("y\n" * 9))
    model = registry.model_class(name)().set_params(checkpoint=str(folder))
    for use in (model.prepare, lambda: model.fit(["a", "b"], np.array([0, 1]))):
        with pytest.raises(
            CheckpointError, match="needs its own Python code, which is never run"
        ) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert yes.tell() == 0
    assert not (folder / "ran").exists()


def test_code_of_a_tokenizer_is_neither_run_nor_offered(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, file = {"tokenizer_class": "Theirs"}, "tokenizer_config.json"
    folder = with_code(tiny_llama, tmp_path / "theirs", file, theirs, "AutoTokenizer")
    monkeypatch.setattr(sys, "stdin", yes := io.StringIO("y\n" * 9))
    refused = pytest.raises(CheckpointError, match="needs its own Python code, which is never run")
    with refused, checkpoints.one_line_errors("theirs"):
        checkpoints.tokenizer(folder)
    assert yes.tell() == 0
    assert not (folder / "ran").exists()

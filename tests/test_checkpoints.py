"""models/checkpoints.py: each place weights come from, and what is said when they do not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from worthit.datasets.errors import CheckpointError
from worthit.models import checkpoints


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
    with pytest.raises(CheckpointError, match=r"knows no 'no/such'.*or one of all-MiniLM-L6-v2"):
        checkpoints.resolve("no/such")


def test_no_network_is_told_from_no_such_id(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_refuses(monkeypatch, errors.LocalEntryNotFoundError("offline"))
    with pytest.raises(CheckpointError, match="cannot be reached; check the network"):
        checkpoints.resolve("bert-base-uncased")


@pytest.mark.parametrize(
    "given", ["/no/such/folder", "./missing", "~/missing/model", "missing.gguf"]
)
def test_paths_that_are_not_there(given: str) -> None:
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


def test_a_damaged_gguf_file_is_refused_and_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"no gguf at all")
    with pytest.raises(CheckpointError, match=r"broken\.gguf cannot be used"):
        checkpoints.resolve(str(file))
    assert not list((tmp_path / "cache" / "checkpoints").iterdir())


def test_only_direct_members_of_a_packaged_folder_are_taken() -> None:
    names = ["m/model/config.json", "m/model/1_Pooling/config.json", "m/model/", "m/other.txt"]
    assert checkpoints._members(names, "m/model/") == ["m/model/config.json"]

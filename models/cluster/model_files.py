"""A saved model as objects of a cluster: no node needs its folder, and paths do not travel."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash

_PIECE_BYTES = 64 << 20  # an object has to fit into memory as a whole


@dataclass(frozen=True)
class PackedModel:
    """The files of a model's folder.

    Attributes:
        key: changes whenever a file does.
        files: name within the folder, with references to its pieces.
    """

    key: str
    files: tuple[tuple[str, tuple[Any, ...]], ...]


def identity(folder: Path) -> str:
    """A hash of the content of all files in a folder."""
    return short_hash(*(sha256_of(file) for file in _files(folder)))


def pack(folder: Path) -> PackedModel:
    """Put the files of a folder into the object store of this node."""
    import ray

    files = tuple(
        (file.relative_to(folder).as_posix(), tuple(ray.put(piece) for piece in _pieces(file)))
        for file in _files(folder)
    )
    return PackedModel(identity(folder), files)


def unpack(model: PackedModel) -> Path:
    """The folder of a model in the cache of this machine, written if it is not there.

    Raises:
        CacheError: it cannot be written.
    """
    import ray

    folder = cache_folder("scored", model.key)
    if folder.is_dir() and identity(folder) == model.key:
        return folder
    with new_folder(folder, replace=folder.is_dir()) as scratch:
        for name, pieces in model.files:
            file = scratch / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as opened:
                for piece in pieces:
                    opened.write(ray.get(piece))
    return folder


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece

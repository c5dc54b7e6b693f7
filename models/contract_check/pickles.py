"""Detects pickles by their content, whatever the file's name.

Loading a pickle can execute code (https://docs.python.org/3/library/pickle.html). Detected are
pickles of all protocols, also in zip archives (torch.save, NumPy's .npz), compressed like joblib's
(zlib, gzip, bz2, lzma, xz), and NumPy arrays of objects. LZ4 is not unpacked.
"""

import bz2
import gzip
import io
import lzma
import os
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

Stream = IO[bytes]

_MOST_BYTES = 64 << 20  # to unpack of a zlib stream, which has no reader of its own


def _open_zlib(packed: Stream) -> Stream:
    return io.BytesIO(zlib.decompressobj().decompress(packed.read(), _MOST_BYTES))


#: the first bytes of a compressed file → its reader
_READERS: dict[bytes, Callable[[Stream], Any]] = {
    b"x": _open_zlib,
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x5d\x00\x00": lzma.LZMAFile,
}


def is_pickle(file: Path) -> bool:
    """True if loading this file could execute code from it.

    Raises:
        OSError: the file cannot be read.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return any(_contains_pickle(archive.open(name)) for name in archive.namelist())
    with file.open("rb") as stream:
        return _contains_pickle(stream)


def _contains_pickle(stream: Stream) -> bool:
    start = stream.read(6)
    stream.seek(0)
    if start == b"\x93NUMPY":
        return _holds_objects(stream)
    if _is_pickle_stream(stream):
        return True
    for magic, unpack in _READERS.items():
        if start.startswith(magic):
            stream.seek(0)
            try:
                return _is_pickle_stream(unpack(stream))
            except (OSError, EOFError, zlib.error, lzma.LZMAError):  # another format
                return False
    return False


def _holds_objects(array: Stream) -> bool:
    read = (
        np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(array) == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    _, _, dtype = read(array)
    return bool(dtype.hasobject)


def _is_pickle_stream(stream: Stream) -> bool:
    start = stream.read(2)
    stream.seek(0)
    # pickle and joblib write protocol 2 or later, and arrays may interrupt the rest of the file.
    if len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5:
        return True
    # Earlier protocols begin like any text, so the whole file has to be valid.
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            pickletools.dis(stream, nowhere)
    except Exception:  # many kinds, for anything else
        return False
    return not stream.read().strip()

"""Whether a file is a pickle, or holds one: by what is in it, whatever it is called.

Loading a pickle runs what is in it (https://docs.python.org/3/library/pickle.html). Found are those
of all protocols, in zip archives (torch.save's, NumPy's .npz), compressed as joblib does (zlib, gzip,
bz2, lzma, xz), and NumPy arrays of objects. LZ4 is not unpacked.
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

_MOST_BYTES = 64 << 20  # that are unpacked of a zlib stream, which has no reader of its own


def _zlib(packed: Stream) -> Stream:
    return io.BytesIO(zlib.decompressobj().decompress(packed.read(), _MOST_BYTES))


#: how a compressed file begins → what reads it
_PACKED: dict[bytes, Callable[[Stream], Any]] = {
    b"x": _zlib,
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x5d\x00\x00": lzma.LZMAFile,
}


def is_pickle(file: Path) -> bool:
    """Whether whoever loads that file as what it is runs what is in it.

    Raises:
        OSError: it cannot be read.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return any(_holds_pickle(archive.open(name)) for name in archive.namelist())
    with file.open("rb") as opened:
        return _holds_pickle(opened)


def _holds_pickle(stream: Stream) -> bool:
    start = stream.read(6)
    stream.seek(0)
    if start == b"\x93NUMPY":
        return _of_objects(stream)
    if _is_pickled(stream):
        return True
    for magic, unpacked in _PACKED.items():
        if start.startswith(magic):
            stream.seek(0)
            try:
                return _is_pickled(unpacked(stream))
            except (OSError, EOFError, zlib.error, lzma.LZMAError):  # something else begins so, too
                return False
    return False


def _of_objects(array: Stream) -> bool:
    read = (
        np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(array) == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    _, _, dtype = read(array)
    return bool(dtype.hasobject)


def _is_pickled(stream: Stream) -> bool:
    start = stream.read(2)
    stream.seek(0)
    # From protocol 2 on, which is what pickle and joblib write; arrays may interrupt what follows.
    if len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5:
        return True
    # Earlier ones begin as any text may, so all of the file has to make sense as one.
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            pickletools.dis(stream, nowhere)
    except Exception:  # of many kinds, at what is none
        return False
    return not stream.read().strip()

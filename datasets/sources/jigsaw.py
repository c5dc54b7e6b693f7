"""The Kaggle Toxic Comment Classification Challenge's train.csv, from a path the user gives.

159,571 comments with six labels; only `toxic` is read. Kaggle requires an account, so nothing is
downloaded: https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge.
"""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import comments
from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.formats import files, whole
from worthit.datasets.registry import Source

_TEXT, _LABEL = "comment_text", "toxic"
# Kaggle's zip of the whole challenge holds a zip of each file.
_MEMBERS = ("train.csv", "train.csv.zip")


def source(argument: str) -> Source:
    if not argument:
        raise OptionError(
            "jigsaw needs the path of Kaggle's train.csv (plain, .gz or .zip): --dataset jigsaw:PATH"
        )
    path = files.existing(Path(argument))
    return Source(
        "jigsaw",
        f"Jigsaw toxic comments ({path.name})",
        "Jigsaw / Conversation AI 2018, Kaggle; labels CC0, text CC BY-SA 3.0",
        fingerprint=partial(files.sha256, path),
        read=partial(_read, path),
    )


def _read(path: Path) -> pa.Table:
    table = whole.read(path, "csv", _MEMBERS).table
    missing = [name for name in (_TEXT, _LABEL) if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path} has the columns {', '.join(table.column_names)}, but not "
            f"{' and '.join(missing)}; give Kaggle's train.csv (its test.csv has no labels)"
        )
    labels = pc.utf8_trim_whitespace(table[_LABEL])
    others = sorted(set(pc.unique(labels).to_pylist()) - {"0", "1"})
    if others:
        raise DataError(f"{path} has {others[0]!r} in the column {_LABEL}; allowed are 0 and 1")
    return comments(table[_TEXT], pc.equal(labels, "1"))

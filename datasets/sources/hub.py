"""A dataset of the Hugging Face hub, or one saved to disk by the `datasets` library.

That library is an extra. It has the same name as our folder. Both work because ours is not a regular
package: `import datasets` finds theirs if it is installed, and else an empty namespace. From version 4
on it does not run code that comes with a dataset.
"""

import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from worthit.datasets.cache import sha256_of
from worthit.datasets.errors import DataError, OptionError, one_line
from worthit.datasets.formats import files, whole
from worthit.datasets.formats.reading import AS_FOUND
from worthit.datasets.registry import Source
from worthit.datasets.tables import assemble
from worthit.datasets.tables.assemble import Piece
from worthit.datasets.tables.columns import SIDES, Choices

_INSTALL = "pip install 'worthit[hub]'"


def source(argument: str, choices: Choices) -> Source:
    """A dataset of the hub, by id, with its configuration if it has several."""
    dataset_id, _, configuration = argument.partition(":")
    title = f"{dataset_id} ({configuration})" if configuration else dataset_id
    citation = "from the Hugging Face hub; see its page for authors and licence"
    load = partial(_from_hub, dataset_id, configuration or None)
    return _source("hub", title, citation, choices, load)


def saved(path: Path, choices: Choices) -> Source:
    """A folder made by `save_to_disk`."""
    return _source("saved", path.name, "the user's data", choices, partial(_from_disk, path))


def _source(
    name: str, title: str, citation: str, choices: Choices, load: Callable[[], Any]
) -> Source:
    is_for_files = choices.reading != AS_FOUND and not choices.reading.is_borrowed
    if is_for_files and choices.test_file is None:
        raise OptionError(
            f"--encoding, --delimiter, --columns and --sheet are for files, which {title} is not; omit them"
        )
    splits = functools.cache(lambda: _tables(load()))
    return Source(
        name,
        title,
        citation,
        fingerprint=lambda: _fingerprint(splits(), choices),
        read=lambda: _corpus(splits(), title, choices),
        own=True,
    )


def _library(wanted: str) -> Any:
    library = importlib.import_module("datasets")
    if not hasattr(library, "load_dataset"):
        raise DataError(
            f"there is no file or folder {wanted}; if it is a Hugging Face dataset, install the library that "
            f"reads it: {_INSTALL}"
        )
    return library


def _from_hub(dataset_id: str, configuration: str | None) -> Any:
    library = _library(dataset_id)
    try:
        return library.load_dataset(dataset_id, configuration)
    except library.exceptions.DatasetNotFoundError as error:
        raise DataError(_not_found(dataset_id, str(error))) from error
    except (ConnectionError, TimeoutError) as error:
        raise DataError(
            f"the hub cannot be reached for {dataset_id}, and it is not in its cache; go online (and unset "
            "HF_HUB_OFFLINE), or give a file"
        ) from error
    except Exception as error:  # any reader of the library may fail
        raise DataError(_unreadable(dataset_id, error)) from error


def _from_disk(path: Path) -> Any:
    library = _library(str(path))
    try:
        return library.load_from_disk(str(path))
    except Exception as error:  # any reader of the library may fail
        raise DataError(
            f"{path} looks like a saved dataset but cannot be read ({one_line(error)}); "
            "save it again, or as Parquet"
        ) from error


def _not_found(dataset_id: str, reason: str) -> str:
    if "gated" in reason:
        return (
            f"{dataset_id} is gated; accept its terms at https://huggingface.co/datasets/{dataset_id}, "
            "run `hf auth login`, and run again"
        )
    return (
        f"there is no file or folder {dataset_id}, and no public dataset with that id on the hub; "
        "check the spelling, or run `hf auth login`"
    )


def _unreadable(dataset_id: str, error: Exception) -> str:
    reason = one_line(error)
    if "onfig name is missing" in reason:
        return (
            f"{dataset_id} has several configurations; name one: hub:{dataset_id}:NAME ({reason})"
        )
    return f"{dataset_id} cannot be read from the hub ({reason}); download it as Parquet and give the file"


def _tables(loaded: Any) -> dict[str, pa.Table]:
    """Each split as plain Arrow, with the names of classes in place of their numbers."""
    splits = loaded if isinstance(loaded, dict) else {"train": loaded}
    return {str(name): _named(split.with_format(None)) for name, split in splits.items()}


def _named(split: Any) -> pa.Table:
    if split._indices is not None:  # filtered or shuffled lazily
        split = split.flatten_indices()
    table: pa.Table = split.data.table
    for name, feature in split.features.items():
        of_item = getattr(feature, "feature", feature)  # of a list: a text may have several labels
        names, kind = getattr(of_item, "names", None), table[name].type
        if names and (pa.types.is_integer(kind) or pa.types.is_nested(kind)):
            known = [_with_names(value, names) for value in table[name].to_pylist()]
            named = pa.array(
                known, pa.list_(pa.string()) if pa.types.is_nested(kind) else pa.string()
            )
            table = table.set_column(table.column_names.index(name), name, named)
    return table


def _with_names(value: Any, names: Sequence[str]) -> Any:
    """The name of a class by its number, or of each of several; None for a missing or secret one."""
    if isinstance(value, list):
        return [_with_names(number, names) for number in value]
    return names[value] if value is not None and value >= 0 else None


def _fingerprint(splits: dict[str, pa.Table], choices: Choices) -> str:
    """A hash of the content: identical rows are the same dataset, wherever they come from."""
    digest = hashlib.sha256(json.dumps([assemble.VERSION, choices.settings()]).encode())
    if choices.test_file is not None:
        digest.update(sha256_of(files.existing(choices.test_file)).encode())
    for name, table in sorted(splits.items()):
        digest.update(name.encode())
        sink = _Digest(digest)
        with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema) as writer:
            writer.write_table(table.combine_chunks())
    return digest.hexdigest()


class _Digest:
    """A file that only hashes what is written to it."""

    closed = False

    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return len(data)

    def flush(self) -> None: ...


def _corpus(splits: dict[str, pa.Table], title: str, choices: Choices) -> pa.Table:
    if choices.test_file is not None:
        rows = whole.read(files.existing(choices.test_file), reading=choices.reading)
        if "train" not in splits:
            raise DataError(
                f"{title} has no split `train` to go with --test-file; omit that option"
            )
        train = whole.from_arrow(title, splits["train"])
        if left_out := sorted(splits.keys() - {"train"}):
            note = f"splits that --test-file replaces, left out: {', '.join(left_out)}"
            train = replace(train, notes=(note,))
        return assemble.corpus_of([Piece(train, "train"), Piece(rows, "test")], choices)
    sides = {name: SIDES.get(name.lower()) for name in splits}
    known = [name for name in splits if sides[name]] or list(splits)
    if not any(sides.values()) and len(splits) > 1:
        raise DataError(
            f"{title} has the splits {', '.join(splits)}, none of them train or test; save one as "
            "Parquet and give the file"
        )
    pieces = [
        Piece(
            whole.from_arrow(f"{title}, {name}", splits[name]),
            sides[name] if len(known) > 1 else None,
        )
        for name in known
    ]
    if left_out := sorted(splits.keys() - set(known)):
        note = f"splits that are neither train nor test, left out: {', '.join(left_out)}"
        pieces[0] = replace(pieces[0], rows=replace(pieces[0].rows, notes=(note,)))
    return assemble.corpus_of(pieces, choices)

"""Comments in files of every format, and models to score them with."""

import csv
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets import registry as datasets
from worthit.datasets.formats import formats
from worthit.models import registry
from worthit.models.contract import Classifier
from worthit.models.scoring import chunks
from worthit.reports.cli import main

COMMENTS = 40
CHUNK = 8  # so that a few comments make several chunks


def made_comments() -> list[str | None]:
    """The third has no text, the fourth nothing but white space."""
    texts = datasets.source("synthetic:400").read()["text"].to_pylist()[:COMMENTS]
    return [*texts[:2], None, " \n", *texts[4:]]


@functools.cache
def _fitted(name: str, seed: int) -> Classifier[Any]:
    table = datasets.source("synthetic:400").read()
    made = registry.model_class(name)(seed=seed)
    return made.fit(table["text"].to_pylist(), table["label"].to_numpy())


def saved(name: str, folder: Path, seed: int = 0) -> Path:
    _fitted(name, seed).save(folder)
    return folder


def scorer(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command; returns its exit code and its messages."""
    monkeypatch.setattr(chunks, "_CLASSICAL_CHUNK", CHUNK)

    def run(*arguments: Any, with_model: Path = model) -> tuple[int, str]:
        code = main.main(["score", "--model", str(with_model), *map(str, arguments)])
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return code, error

    return run


def written(form: str, folder: Path, texts: list[str | None], name: str = "in") -> Path:
    """Comments with an id and a note, in a file."""
    file = folder / f"{name}.{form}"
    ids, notes = list(range(len(texts))), ['a "b", c\nd'] * len(texts)
    if form == "parquet":
        pq.write_table(pa.table({"id": ids, "text": texts, "note": notes}), file, row_group_size=16)
    elif form == "jsonl":
        records = zip(ids, texts, notes, strict=True)
        lines = [json.dumps(dict(zip(("id", "text", "note"), one, strict=True))) for one in records]
        file.write_text("\n".join(lines) + "\n", "utf-8")
    else:
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, delimiter=formats.DELIMITERS[form])
            writer.writerow(["id", "text", "note"])
            writer.writerows(zip(ids, texts, notes, strict=True))
    return file


def read(file: Path) -> list[dict[str, Any]]:
    form = formats.format_of(file.name)
    if form == "parquet":
        return list(pq.read_table(file).to_pylist())
    if form == "jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert form is not None
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter=formats.DELIMITERS[form]))

"""Every table that trains can be scored: the same texts are read, and the same repairs reported."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.tables.test_bad_tables import (
    REPAIRED,
    TEXTS,
    csv,
    jsonl,
    parquet,
    written,
    zipped,
)
from worthit.datasets import corpus, registry
from worthit.models.scoring import chunks

#: further kinds of readable files → name and content
READABLE: dict[str, tuple[str, str | bytes]] = {
    **{kind: (name, content) for kind, (name, content, _, _) in REPAIRED.items()},
    "a padded header": ("mine.csv", " comment ; verdict \n" + "a b;up\nc d;down\n" * 20),
    "columns without a name": ("mine.csv", "v1,v2,,,\n" + "up,a b,,,\ndown,c d,,,\n" * 20),
    "a missing key": ("mine.jsonl", jsonl() + '{"label": 1}\n'),
    "numbers for texts": ("mine.jsonl", '{"text": 1.0, "label": 1}\n{"text": true, "label": 0}\n'),
    "an array over many lines": (
        "mine.json", json.dumps([{"text": text, "label": i % 2} for i, text in enumerate(TEXTS)], indent=1)),
    "a long array": ("mine.json", json.dumps([{"text": "a ]}" * 30_000 + str(i), "label": i % 2} for i in range(20)])),
    "a packed Parquet file": ("mine.parquet.gz", gzip.compress(parquet(text=TEXTS, label=[1, 0] * 20))),
    "gzip in a zip": ("mine.zip", zipped(mine_csv_gz=gzip.compress(csv().encode()))),
    "JSON lines in UTF-16": ("mine.jsonl", jsonl().encode("utf-16")),
    "a text file": ("mine.txt", "text|label\n" + "a b|up\nc d|down\n" * 20),
    "outer white space": ("mine.tsv", "text\tlabel\n" + "  a b \tup\n\u00a0c d\tdown\n" * 20),
}  # fmt: skip


@pytest.mark.parametrize("kind", READABLE)
def test_a_table_that_trains_can_be_scored(
    kind: str, tmp_path: Path, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, *READABLE[kind])
    table = registry.source(str(path)).read()
    about = corpus.about(table)
    scored: list[str | None] = []
    compute = chunks.score_chunk
    monkeypatch.setattr(
        chunks,
        "score_chunk",
        lambda model, texts, *given: scored.extend(texts) or compute(model, texts, *given),
    )
    code, said = score(path, "--output", tmp_path / "scores.jsonl")
    assert code == 0
    trained = table["text"].to_pylist()
    assert len(scored) == len(trained) + about.unlabelled
    assert [text or "" for text in scored if text in {*trained, None}] == trained
    repairs = [
        note
        for note in about.notes
        if " is read as " in note or "separated" in note or "quotes" in note
    ]
    assert all(note in said for note in repairs)

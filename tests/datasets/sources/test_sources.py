"""The built-in datasets: what they read, and their errors in one line."""

import gzip
import zipfile
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from worthit.datasets import corpus, prepare, registry
from worthit.datasets.errors import DataError, OptionError, UnknownNameError, WorthitError
from worthit.datasets.sources import synthetic
from worthit.datasets.sources.wikipedia import by_majority
from worthit.datasets.splits.protocol import Protocol

HEADER = "id,comment_text,toxic,severe_toxic\n"
ROWS = 'a,"Two\nlines, one comment",0,0\nb,You fool,1,0\nc,NA,0,0\n'


def read(path: Path) -> pa.Table:
    return registry.source(f"jigsaw:{path}").read()


def written(folder: Path, content: str | bytes, name: str = "train.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(name: str, content: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["plain", "gz", "zip", "zip of zip", "bom"])
def test_jigsaw_is_read_in_every_packing(tmp_path: Path, form: str) -> None:
    content = (HEADER + ROWS).encode()
    name, packed = {
        "plain": ("train.csv", content),
        "bom": ("train.csv", b"\xef\xbb\xbf" + content),
        "gz": ("train.csv.gz", gzip.compress(content)),
        "zip": ("train.csv.zip", zipped("train.csv", content)),
        "zip of zip": ("all.zip", zipped("train.csv.zip", zipped("train.csv", content))),
    }[form]
    table = read(written(tmp_path, packed, name))
    assert table["text"].to_pylist() == ["Two\nlines, one comment", "You fool", "NA"]
    assert table["label"].to_pylist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("id,text\na,b\n", "has the columns id, text, but not comment_text and toxic"),
        ((HEADER + "a,caf\u00e9,1,0\n").encode("latin-1"), r"is not UTF-8 \(line 2\)"),
        (HEADER + "a,hello,maybe,0\n", "'maybe' in the column toxic; allowed are 0 and 1"),
        (HEADER + "a,hello\n", "not a well-formed CSV"),
    ],
)
def test_bad_csvs_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(written(tmp_path, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("label", "word"), [("1", "toxic"), ("0", "not toxic")])
def test_one_class_is_refused(tmp_path: Path, label: str, word: str) -> None:
    rows = "".join(f"{i},comment number {i},{label},0\n" for i in range(30))
    with pytest.raises(DataError, match=f"all 30 comments of .* are {word}; both classes"):
        prepare.prepare(f"jigsaw:{written(tmp_path, HEADER + rows)}", Protocol())


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        prepare.prepare(f"jigsaw:{written(tmp_path, HEADER)}", Protocol())


def test_empty_comments_in_a_csv_are_counted_not_fatal(tmp_path: Path) -> None:
    rows = "".join(
        f"{i},{'' if i < 4 else f'this is comment number {i}'},{i % 2},0\n" for i in range(44)
    )
    made = prepare.prepare(f"jigsaw:{written(tmp_path, HEADER + rows)}", Protocol(test_share=0.2))
    assert [step.comments for step in made.steps[:2]] == [44, 40]


@pytest.mark.parametrize(
    ("name", "content"), [("train.csv.gz", b"no gzip"), ("x.zip", zipped("other.csv", b""))]
)
def test_broken_archives_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(
        DataError, match=r"cannot be read or unpacked|holds other\.csv, not train\.csv"
    ):
        read(written(tmp_path, content, name))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            "nope",
            UnknownNameError,
            "unknown dataset 'nope'; known: wikipedia, jigsaw:PATH, synthetic",
        ),
        ("jigsaw", OptionError, "jigsaw needs the path"),
        ("jigsaw:/does/not/exist.csv", DataError, "there is no file /does/not/exist.csv"),
        ("synthetic:ten", OptionError, "was given 'ten'; try synthetic:4000"),
        ("synthetic:5", OptionError, "at least 100"),
        ("wikipedia:x", OptionError, "takes no argument"),
    ],
)
def test_dataset_names(given: str, error: type[WorthitError], message: str) -> None:
    with pytest.raises(error, match=message):
        registry.source(given)


def test_majority_of_raters_decides_and_raters_are_kept() -> None:
    texts = pa.table(
        {
            "rev_id": [2.0, 1.0],
            "comment": ["oneNEWLINE_TOKENtwo", "TAB_TOKEN half"],
            "sample": ["blocked", "random"],
        }
    )
    votes = pa.table({"rev_id": [2.0] * 3 + [1.0] * 2, "toxicity": [1, 1, 0, 1, 0]})
    table = by_majority(texts, votes)
    assert table["text"].to_pylist() == ["half", "one\ntwo"]
    assert table["label"].to_pylist() == [0, 1]  # a tie is not a majority
    assert table["raters"].to_pylist() == [2, 3]
    assert table["toxic_share"].to_pylist() == pytest.approx([0.5, 2 / 3])
    assert table["random"].to_pylist() == [True, False]
    assert "Wikipedia" in corpus.about(table).stream


def test_synthetic_comments_are_seeded_and_have_the_given_size() -> None:
    first, second = (registry.source("synthetic:300").read() for _ in range(2))
    assert first.equals(second)
    assert first.num_rows == 300
    assert 0.1 < sum(first["label"].to_pylist()) / 300 < 0.4


def test_synthetic_comments_are_written_as_a_table_like_those_of_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic.main(["300"]) == 0
    file = written(tmp_path, capsys.readouterr().out)
    given, own = registry.source("synthetic:300").read(), registry.source(str(file)).read()
    assert own.select(["text", "label"]).equals(given.select(["text", "label"]))
    assert corpus.about(own).classes == ("not rude", "rude")
    assert synthetic.main(["ten"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_prepared_comments_come_back_in_order_from_the_cache() -> None:
    made = prepare.prepare("synthetic:400", Protocol())
    again = prepare.prepare("synthetic:400", Protocol())
    assert made == again
    train, test = (prepare.comments(made.key, part) for part in ("train", "test"))
    assert len(train) == made.step("train").comments
    assert not set(train.texts) & set(test.texts)
    table = corpus.load(registry.source("synthetic:400"))
    labels = dict(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert [labels[text] for text in train.texts] == train.labels.tolist()


def test_the_error_of_a_damaged_cache_names_what_to_delete(tmp_path: Path) -> None:
    made = prepare.prepare("synthetic:400", Protocol())
    (tmp_path / "cache" / "splits" / made.key / "test.parquet").write_bytes(b"half")
    with pytest.raises(DataError, match=r"cannot be read; delete that folder"):
        prepare.comments(made.key, "test")

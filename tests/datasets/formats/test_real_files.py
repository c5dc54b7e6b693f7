"""Files as people have them: read as they are meant, with a note, or refused with what to do."""

import bz2
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets.errors import DataError, OptionError, WorthitError
from worthit.datasets.formats import label_lines, reading, whole
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.stream import open_table
from worthit.datasets.sources import table as table_source
from worthit.datasets.tables.columns import NOTHING, Choices
from worthit.datasets.tables.comments import CommentReader

ROWS = [
    (f"{'cold stale bread' if i % 2 else 'nice warm soup'} number {i // 2}", "down" if i % 2 else "up")
    for i in range(20)
]  # fmt: skip
TEXTS, LABELS = [text for text, _ in ROWS], [label for _, label in ROWS]
NO_HEADER = "has no header: its first line holds values, not column names; give --columns"
OR_NAMES = "(or the names in the first line, if it is a header)"


def lines(delimiter: str, *above: str, rows: list[tuple[str, str]] = ROWS) -> str:
    return "\n".join([*above, *(delimiter.join(row) for row in rows)]) + "\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def both(path: Path, how: Reading, text: str, label: str) -> list[tuple[str, str | None]]:
    """The rows as the benchmark reads them; `worthit score` must read the same."""
    found = whole.read(path, reading=how)
    rows = list(zip(found.table[text].to_pylist(), found.table[label].to_pylist(), strict=True))
    with Input(path, encoding=how.encoding) as source:
        reader = CommentReader(open_table(source, reading=how), text, [])
        scored = [text for chunk in reader.chunks(7) for text in chunk.texts]
    assert scored == [text.strip() for text, _ in rows]
    assert found.notes == reader.notes
    return rows


LATIN = lines(",", "text,label").replace("nice", "café crème")
HEADER = "the first line of {} is data, --columns names its columns"
NAMES = ("text", "label")

QUALTRICS = '"{""ImportId"":""QID1_TEXT""}","{""ImportId"":""QID2""}"'
UNNAMED = "write them as CSV with a header such as text,label, or as JSON lines of objects"

#: what → name, content, how to read it, its notes; the rows are ROWS
READ: dict[str, tuple[str, str | bytes, Reading, tuple[str, ...]]] = {
    "columns without a name": ("a.csv", "text,label,,,\n" + "".join(f"{t},{k},,,\n" for t, k in ROWS), Reading(),
                               ("3 columns of a.csv without a name or values left out",)),
    "an index of pandas": ("a.csv", ",text,label\n" + "".join(f"{i},{t},{k}\n" for i, (t, k) in enumerate(ROWS)), Reading(),
                           ("1 column of a.csv without a name left out (values in 20 of 20 rows)",)),
    "names of rows by R": ("a.tsv", '"text"\t"label"\n' + "".join(f'"{i}"\t"{t}"\t"{k}"\n' for i, (t, k) in enumerate(ROWS)), Reading(),
                           ("1 column of a.tsv without a name left out (values in 20 of 20 rows)",)),
    "a padded header": ("a.csv", lines(";", " text ; label "), Reading(), ("a.csv is separated by semicolons",)),
    "Excel's separator": ("a.csv", "sep=;\r\n" + lines(";", "text;label"), Reading(),
                          ("a.csv is separated by semicolons", "1 line is skipped above the header of a.csv")),
    "lines of comment": ("a.csv", "# of May\n# by me\n" + lines(",", "text,label"), Reading(),
                         ("2 lines are skipped above the header of a.csv",)),
    "a title": ("a.csv", "Report\n\n" + lines(",", "text,label"), Reading(), ("2 lines are skipped above the header of a.csv",)),
    "a title, as spreadsheets save it": ("a.csv", "Report,\n,\n" + lines(",", "text,label"), Reading(), ("2 lines are skipped above the header of a.csv",)),
    "colons": ("a.txt", lines(" ::: ", "text ::: label"), Reading(), ("a.txt is separated by ' ::: '",)),
    "colons without a header": ("a.txt", lines("::"), Reading(columns=NAMES), ("a.txt is separated by '::'", HEADER.format("a.txt"))),
    "an export of Qualtrics": ("a.csv", lines(",", "text,label", "What was it?,How?", QUALTRICS), Reading(),
                               ("the 2 rows below the header of a.csv, with questions and numbers of Qualtrics, are skipped",)),
    "a caret": ("a.txt", lines("^", "text^label"), Reading(), ("a.txt is separated by '^'",)),
    "a table of R": ("a.txt", '"text" "label"\n' + "".join(f'"{i}" "{t}" "{k}"\n' for i, (t, k) in enumerate(ROWS)), Reading(),
                     ("a.txt is separated by spaces", "1 column of a.txt without a name left out (values in 20 of 20 rows)")),
    "marks of byte order and end": ("a.csv", "\ufeff\ufeff" + lines(",", "text,label") + "\x1a", Reading(), ()),
    "many blank lines": ("a.csv", "\n" * 2_000 + lines(",", "text,label"), Reading(), ()),
    "a marked header": ("a.tsv", lines("\t", "#text\tlabel"), Reading(), ()),
    "the header again": ("a.csv", lines(",", "text,label", *(f"{t},{k}" for t, k in ROWS[:5]), "text,label", rows=ROWS[5:]), Reading(),
                         ("1 row of a.csv that repeat the header left out",)),
    "spaces before quotes": ("a.csv", "text, label\n" + "".join(f'"{t}", "{k}"\n' for t, k in ROWS), Reading(), ()),
    "no header": ("a.csv", lines(","), Reading(columns=NAMES), (HEADER.format("a.csv"),)),
    "no header, semicolons": ("a.txt", lines(";"), Reading(columns=NAMES),
                              ("a.txt is separated by semicolons", HEADER.format("a.txt"))),
    "a header that is also named": ("a.csv", lines(",", "Text,Label"), Reading(columns=NAMES), ()),
    "line ends of old": ("a.csv", lines(",", "text,label").replace("\n", "\r"), Reading(), ()),
    "no suffix": ("a", lines(",", "text,label"), Reading(), ("a is read as CSV, by its content",)),
    "another suffix": ("a.data", lines("\t", "text\tlabel"), Reading(), ("a.data is read as TSV, by its content",)),
    "fastText": ("a.txt", "".join(f"__label__{k} {t}\n" for t, k in ROWS), Reading(), ("a.txt is read in the format of fastText",)),
    "fastText with commas": ("a.txt", "".join(f"__label__{k} , {t}\n" for t, k in ROWS), Reading(), ("a.txt is read in the format of fastText",)),
    "fastText, labels last": ("a.txt", "".join(f"{t} __label__{k}\n" for t, k in ROWS), Reading(), ("a.txt is read in the format of fastText",)),
    "labels as first words": ("a.label", "".join(f"{k} {t}\n" for t, k in ROWS), Reading(), ("each line of a.label is read as a label, its first word, and a text",)),
    "labels after @": ("a.txt", "".join(f"{t}@{k}\n" for t, k in ROWS), Reading(), ("each line of a.txt is read as a text, @ and a label",)),
    "a CSV named as JSON lines": ("a.jsonl", lines(",", "text,label"), Reading(), ("a.jsonl is read as CSV, by its content",)),
    "a TSV named as JSON": ("a.json", lines("\t", "text\tlabel"), Reading(), ("a.json is read as TSV, by its content",)),
    "JSON named as CSV": ("a.csv", json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS], indent=2), Reading(), ("a.csv is read as JSON, by its content",)),
    "bzip2": ("a.csv.bz2", bz2.compress(lines(",", "text,label").encode()), Reading(), ()),
    "xz": ("a.csv.xz", lzma.compress(lines(",", "text,label").encode()), Reading(), ()),
    "UTF-16 without a mark": ("a.csv", lines(",", "text,label").encode("utf-16-le"), Reading(encoding="utf-16-le"), ()),
    "an array under a key": ("a.json", json.dumps({"data": [dict(zip(NAMES, row, strict=True)) for row in ROWS]}), Reading(),
                             ("the rows of a.json are those under 'data'",)),
    "an array far below, on many lines": ("a.json", json.dumps({"x": {"y": [dict(zip(NAMES, row, strict=True)) for row in ROWS]}}, indent=1), Reading(),
                                          ("the rows of a.json are those under 'x.y'",)),
    "an array deep below": ("a.json", json.dumps({"x": {"y": {"z": [dict(zip(NAMES, row, strict=True)) for row in ROWS]}}}), Reading(),
                            ("the rows of a.json are those under 'x.y.z'",)),
    "rows beside a description": ("a.json", json.dumps({"features": [{"name": "text"}], "rows": [{"row": dict(zip(NAMES, row, strict=True))} for row in ROWS]}), Reading(),
                                  ("the rows of a.json are those under 'rows'", "the columns of a.json are those under 'row'")),
    "by column": ("a.json", json.dumps({"text": dict(enumerate(TEXTS)), "label": dict(enumerate(LABELS))}), Reading(),
                  ("a.json is read by column: text, label",)),
    "by row": ("a.json", json.dumps({i: dict(zip(NAMES, row, strict=True)) for i, row in enumerate(ROWS)}), Reading(),
               ("a.json is read by row: each key holds one",)),
    "columns as lists": ("a.json", json.dumps({"text": TEXTS, "label": LABELS}), Reading(), ()),
    "texts as keys": ("a.json", json.dumps(dict(ROWS)), Reading(), ("each key of a.json is read as a text, and its value as the label",)),
    "split by pandas": ("a.json", json.dumps({"columns": NAMES, "index": [], "data": ROWS}), Reading(), ()),
    "objects on several lines": ("a.json", "\n".join(json.dumps(dict(zip(NAMES, row, strict=True)), indent=1) for row in ROWS), Reading(), ()),
    "JSON lines named as text": ("a.txt", "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS), Reading(), ("a.txt is read as JSON, by its content",)),
    "an array in JSON lines": ("a.jsonl", json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS]), Reading(), ()),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_a_real_file_is_read_as_it_is_meant(what: str, tmp_path: Path) -> None:
    name, content, how, notes = READ[what]
    found = both(written(tmp_path, name, content), how, "text", "label")
    assert found == ROWS
    assert whole.read(tmp_path / name, reading=how).notes == notes


#: what → name, content, how to read it, the error
REFUSED: dict[str, tuple[str, str | bytes, Reading, str]] = {
    "Latin-1": ("a.csv", LATIN.encode("latin-1"), Reading(), "a.csv is not UTF-8 (line 2) but looks like cp1252; give --encoding cp1252, or save it as UTF-8"),
    "Shift JIS": ("a.csv", "text,label\n今日は天気がいいので、散歩に行きました。,up\n".encode("cp932"), Reading(),
                  "a.csv is not UTF-8 (line 2) but looks like cp932; give --encoding cp932, or save it as UTF-8"),
    "another encoding than named": ("a.csv", LATIN.encode("latin-1"), Reading(encoding="ascii"),
                                    "a.csv is not ascii throughout (from about line 1 on); give another --encoding"),
    "no header": ("a.csv", lines(","), Reading(), f"a.csv {NO_HEADER} text,label {OR_NAMES}"),
    "no header, a mark in few rows": ("a.tsv", "".join(f"{i % 2}\t{'' if i % 2 else '*'}\t{t}\n" for i, t in enumerate(TEXTS)), Reading(), f"a.tsv {NO_HEADER} label,column2,text {OR_NAMES}"),
    "KOI8-R": ("a.csv", "text,label\nресторане вчера суп вечером с друзьями заказали чай отлично,up\nмы долго ждали в ресторане и потом ушли домой ужасно,down\n".encode("koi8-r"), Reading(),
               "a.csv is not UTF-8 (line 2) but looks like koi8_r; give --encoding koi8_r, or save it as UTF-8"),
    "pairs": ("a.json", json.dumps(ROWS, indent=1), Reading(), f"a.json holds rows without names of columns; {UNNAMED}"),
    "lines of pairs": ("a.jsonl", "".join(f"{json.dumps(row)}\n" for row in ROWS), Reading(), f"a.jsonl holds rows without names of columns; {UNNAMED}"),
    "an array of texts": ("a.json", json.dumps(TEXTS), Reading(), f"a.json holds texts without labels; {UNNAMED}"),
    "colons, no header": ("a.txt", lines(" ::: "), Reading(), f"a.txt {NO_HEADER} text,label {OR_NAMES}"),
    "no header, label first": ("a.tsv", "".join(f"{k}\t{t}\n" for t, k in ROWS), Reading(), f"a.tsv {NO_HEADER} label,text {OR_NAMES}"),
    "a long first text with commas": ("a.tsv", lines("\t", "Well, no, not really, not ever.\tdown"), Reading(), f"a.tsv {NO_HEADER} text,label {OR_NAMES}"),
    "a number in the first line": ("a.csv", "soup,1\n" + "".join(f"{t},{i % 2}\n" for i, t in enumerate(TEXTS)), Reading(), f"a.csv {NO_HEADER} text,label {OR_NAMES}"),
    "a first text in Chinese": ("a.csv", "今天我们在店里又吃了一次,好\n" + "今天我们在店里又吃了坏面包,坏\n" * 9, Reading(), f"a.csv {NO_HEADER} text,label {OR_NAMES}"),
    "no suffix, no header": ("a", lines(","), Reading(), f"a {NO_HEADER} text,label {OR_NAMES}"),
    "too few names": ("a.csv", lines(","), Reading(columns=("text",)), "--columns names 1 column, but the rows of a.csv have 2; give one name for each"),
    "names beside a header": ("a.csv", lines(",", "text,label"), Reading(columns=("a", "b")),
                              "a.csv has a header, which --columns would turn into data; omit --columns, or delete the first line"),
    "names for JSON": ("a.jsonl", '{"text": "a"}\n', Reading(columns=NAMES), "--columns is for CSV and its relatives, which a.jsonl is not; omit it"),
    "a title above data without a header": ("a.csv", "Report\n" + lines(","), Reading(),
                                            "the first line of a.csv has 1 column, but most others have 2; delete lines above the header, or put texts that contain commas in double quotes"),
    "YAML": ("a.yaml", "".join(f"- text: {t}\n  label: {k}\n" for t, k in ROWS), Reading(), "a.yaml is YAML; write texts and labels as CSV or JSON lines"),
    "LIBSVM": ("a.txt", "+1 3:0.5 9:1\n-1 2:0.1\n" * 20, Reading(), f"a.txt {NO_HEADER} text {OR_NAMES}"),
    "single quotes": ("a.csv", "'text','label'\n" + "".join(f"'{t}, x','{k}'\n" for t, k in ROWS), Reading(),
                      "the first line of a.csv has 2 columns, but most others have 3; delete lines above the header, or put texts that contain commas in double quotes"),
    "several columns, no header": ("a.csv", "".join(f'"{i % 2}","{i}","NONE","{t}, oh"\n' for i, t in enumerate(TEXTS)), Reading(),
                                   f"a.csv {NO_HEADER} label,column2,column3,text {OR_NAMES}"),
    "lines of no format": ("a.label", "".join(t.replace(' ', ', ', i % 3) + '\n' for i, t in enumerate(TEXTS)), Reading(),
                            "a.label is not in a known format: its suffix is not one of .csv, .tsv, .jsonl, .json, .parquet, .xlsx, .ndjson, .tab, .txt, .pq, .xlsm, .ft, "
                            "and its lines are not separated by commas, tabs, semicolons or bars; write it as a CSV with the columns text and label, and rename it to a.csv"),
    "an old Excel file": ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Reading(), "a.csv is an old Excel or Office file (.xls); open it and save the sheet as .xlsx or CSV"),
    "XML": ("a.xml", "<?xml version='1.0'?><rows/>", Reading(), "a.xml is XML, which cannot be read; write the table as CSV or JSON lines"),
    "Arrow": ("a.feather", b"ARROW1\0\0", Reading(), "a.feather is an Arrow (Feather) file; write it as Parquet"),
    "an archive": ("a.tar", bytes(257) + b"ustar" + bytes(250), Reading(), "a.tar is a tar archive; unpack it and give the file itself"),
    "lists for rows": ("a.json", '{"train": [["a", "x"], ["b", "y"]], "test": [["c", "x"], ["d", "y"]]}', Reading(),
                       "a.json holds rows without names of columns, under train, test; write them as CSV with a header such as text,label, in files such as train.csv and test.csv of one folder"),
    "several arrays": ("a.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}', Reading(),
                       "a.json holds several arrays of rows: train, test; save each as a file, such as train.json and test.json in one folder"),
    "JSON cut off": ("a.json", '{"data": [\n{"text": "a"},\n', Reading(),
                     "a.json is not JSON of rows (Input data was truncated); write JSON lines, one object per line, or an array of objects"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_unclear_is_refused_with_what_to_do(what: str, tmp_path: Path) -> None:
    name, content, how, line = REFUSED[what]
    path = written(tmp_path, name, content)
    with pytest.raises(WorthitError) as caught:
        whole.read(path, reading=how)
    assert str(caught.value) == line
    with Input(path, encoding=how.encoding) as source, pytest.raises(WorthitError) as again:
        list(open_table(source, reading=how).chunks(10))
    assert str(again.value) == line


@pytest.mark.parametrize(
    ("read", "given", "line"),
    [
        (reading.encoding, "klingon", "--encoding is 'klingon', which is not a known encoding; usual ones: cp1252, "
                                      "latin-1, cp1251, gb18030, shift_jis, utf-16"),
        (reading.encoding, "base64", "--encoding is 'base64', which is not a known encoding; usual ones: cp1252, "
                                     "latin-1, cp1251, gb18030, shift_jis, utf-16"),
        (reading.delimiter, "::", "--delimiter is '::'; it takes one character such as ';' or '|', or tab"),
        (reading.delimiter, "a", "--delimiter is 'a'; it takes one character such as ';' or '|', or tab"),
        (reading.delimiter, '"', "--delimiter is '\"'; it takes one character such as ';' or '|', or tab"),
        (reading.columns, "text,text", "--columns is 'text,text'; it takes a different name for each column, such as text,label"),
        (reading.columns, "text,", "--columns is 'text,'; it takes a different name for each column, such as text,label"),
    ],
)  # fmt: skip
def test_an_impossible_way_to_read_is_refused(read: object, given: str, line: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(given)  # type: ignore[operator]
    assert str(caught.value) == line


def test_a_delimiter_is_taken_as_given(tmp_path: Path) -> None:
    assert reading.delimiter("tab") == reading.delimiter("\\t") == "\t"
    path = written(tmp_path, "a.csv", lines("^", "text^label"))
    assert both(path, Reading(delimiter="^"), "text", "label") == ROWS


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_quoted_text_may_look_like_two_rows(delimiter: str, tmp_path: Path) -> None:
    texts = [*TEXTS, f"first{delimiter}part\nsecond{delimiter}part"]
    rows = "".join(f'{i}{delimiter}"{t}"{delimiter}{"ab"[i % 2]}\n' for i, t in enumerate(texts))
    header = delimiter.join(("id", "text", "label")) + "\n"
    for content in (rows, rows.replace('"', "", 2 * len(TEXTS))):  # all quoted, or only that one
        path = written(tmp_path, "a.tsv", header + content)
        assert whole.read(path).table["text"].to_pylist() == texts


def test_quotes_around_several_rows_are_part_of_their_texts(tmp_path: Path) -> None:
    texts = [*TEXTS, '"nice, she said', 'and that was all"']
    rows = "".join(f"{i}\t{text}\t{'ab'[i % 2]}\n" for i, text in enumerate(texts))
    path = written(tmp_path, "a.tsv", "id\ttext\tlabel\n" + rows)
    assert whole.read(path).table["text"].to_pylist() == texts


def test_a_table_of_one_column_needs_no_note(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'text\n"a, b"\n"c ""d"" e"\nplain\n')
    assert whole.read(path).table.to_pydict() == {"text": ["a, b", 'c "d" e', "plain"]}
    assert whole.read(path).notes == ()


def test_lines_below_a_single_name_are_texts_with_their_commas(tmp_path: Path) -> None:
    texts = [f"a text, or {'so, ' * (i % 3)}number {i}" for i in range(9)]
    path = written(tmp_path, "a.csv", "text\n" + "".join(f"{text}\n" for text in texts))
    assert whole.read(path).table.to_pydict() == {"text": texts}
    assert whole.read(path).notes == ("each line of a.csv below the header is read as a text",)


def test_of_several_arrays_the_one_with_texts_is_read(tmp_path: Path) -> None:
    rows = [{"text": text, "intent": label} for text, label in ROWS]
    document = {"intents": [{"name": "up"}, {"name": "down"}], "utterances": rows}
    path = written(tmp_path, "a.json", json.dumps(document))
    assert both(path, Reading(), "text", "intent") == ROWS
    assert whole.read(path).notes == ("the rows of a.json are those under 'utterances'",)


def test_texts_under_their_class_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", json.dumps({"up": TEXTS[::2], "down": TEXTS[1::2][:5]}))
    rows = [*((text, "up") for text in TEXTS[::2]), *((text, "down") for text in TEXTS[1::2][:5])]
    assert both(path, Reading(), "text", "label") == rows
    assert whole.read(path).notes == (
        "each key of a.json is read as a class of the texts under it",
    )


def test_lists_of_labels_and_missing_keys_are_read(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": ["up"]}, {"label": ["x"]}, {"text": "b", "label": ["x", "y"]}]
    path = written(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert whole.read(path).table["label"].to_pylist() == ['["up"]', '["x"]', '["x", "y"]']
    assert whole.read(path).table["text"].to_pylist() == ["a", None, "b"]
    fasttext = "__label__up a\n__label__x __label__y b\nc\n"
    table = whole.read(written(tmp_path, "a.train", fasttext)).table
    assert table["label"].to_pylist() == ["up", '["x", "y"]', None]
    nan = '{"text": "a", "label": NaN}\n{"text": "b", "label": 1.5}\n'
    assert whole.read(written(tmp_path, "b.jsonl", nan)).table["label"].to_pylist() == [None, "1.5"]


def test_a_first_cell_with_a_label_of_fasttext_is_no_line_of_fasttext(tmp_path: Path) -> None:
    rows = [f"__label__{k},{t} and so on" for t, k in ROWS]
    path = written(tmp_path, "a.csv", "\n".join(["label,text", *rows]))
    assert whole.read(path).table.column_names == ["label", "text"]
    headerless = written(tmp_path, "b.csv", "\n".join(rows))
    with pytest.raises(DataError, match=r"b.csv has no header: .* give --columns label,text "):
        whole.read(headerless)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("DESC:manner How did serfdom develop ?", ("How did serfdom develop ?", "DESC:manner")),
        ("HUM:ind Who , of these , came ?", ("Who , of these , came ?", "HUM:ind")),
    ],
)
def test_the_questions_of_trec_are_read(line: str, row: tuple[str, str], tmp_path: Path) -> None:
    others = "NUM:date When did it end ?\nLOC:other Where, if at all ?\n" * 10
    path = written(tmp_path, "train_5500.txt", f"{line}\n" * 2 + others)
    assert both(path, Reading(), "text", "label")[:2] == [row] * 2


def test_a_label_may_be_the_last_word(tmp_path: Path) -> None:
    content = "".join(f"{word} it was so . {i % 2}\n" for i, word in enumerate("abcdefghijkl"))
    path = written(tmp_path, "a.txt", content)
    assert both(path, Reading(), "text", "label")[1] == ("b it was so .", "1")
    assert whole.read(path).notes == (
        "each line of a.txt is read as a text and a label, its last word",
    )


def test_lines_of_prose_have_no_labels() -> None:
    prose = [f"{word} went home in the {i}th year .\n" for i, word in enumerate("abcdefghijkl")]
    assert label_lines.form_of(prose) is None
    assert label_lines.form_of([*prose, "__label__x a text\n"]) is None


def test_short_texts_that_differ_are_suggested_as_the_text(tmp_path: Path) -> None:
    rows = [
        f"bad{i},customer complaint {'about' if i % 2 else 'without'} delivery" for i in range(60)
    ]
    path = written(tmp_path, "a.csv", "\n".join(rows))
    with pytest.raises(DataError, match=r"has no header: .* give --columns text,label "):
        whole.read(path)


def test_columns_of_text_in_parquet_are_read_whatever_their_type(tmp_path: Path) -> None:
    kinds = [pa.large_string(), pa.string_view(), pa.binary()]
    arrays = [pa.array(TEXTS).cast(kind) for kind in kinds]
    arrays += [pa.array(TEXTS).dictionary_encode(), arrays[0].dictionary_encode()]
    for i, array in enumerate(arrays):
        path = tmp_path / f"{i}.parquet"
        pq.write_table(pa.table({"text": array, "label": pa.array(LABELS)}), path)
        assert both(path, Reading(), "text", "label") == ROWS


def test_latin1_in_a_string_column_of_parquet_is_refused_in_one_line(tmp_path: Path) -> None:
    latin = pa.array([text.replace("soup", "café").encode("latin-1") for text in TEXTS])
    texts = pa.Array.from_buffers(pa.string(), len(latin), latin.buffers())
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts, "label": LABELS}), path)
    with pytest.raises(DataError) as caught:
        whole.read(path)
    assert str(caught.value) == (
        "the column text of a.parquet holds text that is not UTF-8, which Parquet requires; write the "
        "file again with decoded texts, or as CSV and give --encoding"
    )


def test_lists_of_parquet_that_cannot_be_read_leave_the_other_columns_usable(
    tmp_path: Path,
) -> None:
    latin = pa.array([label.replace("u", "ü").encode("latin-1") for label in LABELS])
    strings = pa.Array.from_buffers(pa.string(), len(latin), latin.buffers())
    lists = pa.ListArray.from_arrays(pa.array(range(len(latin) + 1), pa.int32()), strings)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": TEXTS, "label": LABELS, "tags": lists}), path)
    assert both(path, Reading(), "text", "label") == ROWS
    assert whole.read(path).unusable.keys() == {"tags"}


@pytest.mark.parametrize(
    ("files", "sides"),
    [
        ({"train.txt": 12, "test.txt": 8}, ["test", "train"]),
        ({"train.csv": 12, "dev.csv": 8, "README.txt": 1}, ["train", "validation"]),
        ({"comments.txt": 20, "LICENSE.txt": 1}, [None]),
    ],
)
def test_text_files_of_a_folder_are_tables_if_named_so(
    files: dict[str, int], sides: list[str | None], tmp_path: Path
) -> None:
    for name, rows in files.items():
        written(
            tmp_path,
            name,
            lines("," if name.endswith("csv") else "\t", "text\tlabel", rows=ROWS[:rows]),
        )
    found = table_source._files(tmp_path, NOTHING)
    assert sorted((side for side, _ in found), key=str) == sides


def test_a_folder_of_the_same_table_in_two_formats_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "mine.csv", lines(",", "text,label"))
    written(tmp_path, "mine.jsonl", '{"text": "a", "label": "up"}\n')
    with pytest.raises(DataError) as caught:
        table_source._files(tmp_path, NOTHING)
    assert str(caught.value) == (
        f"the folder {tmp_path} holds mine.csv and mine.jsonl, which are of different formats; give one of "
        "them, or move the others"
    )


def test_names_of_columns_serve_an_out_of_domain_file_only_if_it_has_no_header(
    tmp_path: Path,
) -> None:
    borrowed = Choices(columns=("body", "mark"), delimiter=";").borrowed().reading
    without = whole.read(written(tmp_path, "a.csv", lines(",")), reading=borrowed)
    assert without.table.column_names == ["body", "mark"]
    named = whole.read(written(tmp_path, "b.csv", lines(",", "text,label")), reading=borrowed)
    assert named.table.column_names == ["text", "label"]
    assert NOTHING.borrowed().reading.columns is None

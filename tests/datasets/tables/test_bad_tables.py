"""Malformed tables: the exact error of each, or the note on its repair.

In messages {here} stands for the folder of the file.
"""

import gzip
import io
import json
import zipfile
from csv import writer as csv_writer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worthit.datasets import prepare, registry
from worthit.datasets.errors import WorthitError
from worthit.datasets.formats import files, whole
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices

WORDS = "river music history maps garden photograph source article vote edit".split()


def text(i: int) -> str:
    return f"a note on {WORDS[i % 10]} and {WORDS[i // 10 % 10]}, number {i}"


def csv(rows: int = 40, header: str = "text,label", labels: str = "01", quote: str = '"') -> str:
    lines = [f"{quote}{text(i)}{quote},{labels[i % len(labels)]}" for i in range(rows)]
    return "\n".join([header, *lines]) + "\n"


def labelled(*labels: str, times: int = 20) -> str:
    lines = [f'"{text(i)}",{labels[i % len(labels)]}' for i in range(times * len(labels))]
    return "\n".join(["text,label", *lines]) + "\n"


def jsonl(**more: Any) -> str:
    return "".join(json.dumps({"text": text(i), "label": i % 2, **more}) + "\n" for i in range(40))


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def encrypted() -> bytes:
    """A zip whose member needs a password."""
    whole = bytearray(zipped(mine_csv=csv().encode()))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + place] |= 1
    return bytes(whole)


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def unquoted(*more: str) -> str:
    """A TSV in which some texts begin with a quote, and others end with one."""
    texts = [text(i) for i in range(40)]
    for begins, ends in ((5, 9), (21, 30)):
        texts[begins] = f'"so: {texts[begins]}'
        texts[ends] += '"'
    rows = [f"{comment}\t{i % 2}" for i, comment in enumerate(texts)]
    return "\n".join(["text\tlabel", *rows, *more]) + "\n"


TEXTS = [text(i) for i in range(40)]
BOMB = b"a,b\n" * 500_000
ONE_LABEL = csv(labels="1")
GERMAN = "\n".join(
    ["text,label"]
    + [f'"Diese Seite Nummer {i} wurde gestern ohne jede Diskussion gelöscht",{i % 2}' for i in range(40)]
)  # fmt: skip

#: problem → name and content of the file, the user's choices, the error
REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "empty": ("mine.csv", "", {}, "mine.csv is empty; give a table with a header and rows"),
    "only white space": ("mine.csv", " \n\n", {}, "mine.csv is empty; give a table with a header and rows"),
    "only a header": ("mine.csv", "text,label\n", {}, "mine.csv has no rows; give a table with a header and rows"),
    "no header": ("mine.csv", csv(header=f'"{text(99)}",1'), {}, "mine.csv has no header: its first line holds values, not column names; give --columns text,label (or the names in the first line, if it is a header)"),
    "a long comment for a header": ("mine.csv", csv(header=f"{'x' * 200},yes"), {}, "mine.csv has no header: its first line holds values, not column names; give --columns text,label (or the names in the first line, if it is a header)"),
    "one column": ("mine.csv", "\n".join(["text", *TEXTS]).replace(",", ""), {}, "mine.csv has the columns text, none of which looks like a label; name it with --label-column"),
    "a row too short": ("mine.csv", csv() + "alone\n", {}, "mine.csv is not a well-formed CSV: the row that begins in line 42 has 1 column, the header 2; add the missing commas"),
    "another delimiter": ("mine.csv", "text%label\n" + "a%1\n" * 9 + "well, b%0\n", {}, "mine.csv is not a well-formed CSV: the row that begins in line 11 has 2 columns, the header 1; put texts that contain commas in double quotes, or name another delimiter with --delimiter"),
    "an unquoted comma": ("mine.csv", csv() + "well, well,1\n", {}, "mine.csv is not a well-formed CSV: the row that begins in line 42 has 3 columns, the header 2; put texts that contain commas in double quotes"),
    "an unclosed quote": ("mine.csv", csv() + '"never closed,1\n', {}, "mine.csv is not a well-formed CSV: unexpected end of data (the row that begins in line 42); double the quotes within quoted texts"),
    "a quote within quotes": ("mine.csv", csv() + '"he said "no" twice",1\n', {}, "mine.csv is not a well-formed CSV: ',' expected after '\"' (the row that begins in line 42); double the quotes within quoted texts"),
    "quotes in a TSV that take in rows, and one that quotes": ("mine.tsv", unquoted('"a\tb"\t1'), {}, "texts in double quotes enclose whole rows of mine.tsv, so quotes may be part of the texts; quote every text that has some and double them, or write JSON lines"),
    "latin-1": ("mine.csv", (csv() + "café,1\n").encode("latin-1"), {}, "mine.csv is not UTF-8 (line 42) but looks like cp1252; give --encoding cp1252, or save it as UTF-8"),
    "mixed encodings": ("mine.csv", "é".encode() + csv().encode() + "\nnaïve,1".encode("cp1252"), {}, "mine.csv is UTF-8 in most lines but not in line 43; save all of it as UTF-8 and run again"),
    "UTF-16 without a mark": ("mine.csv", csv().encode("utf-16-le"), {}, "mine.csv is not UTF-8 but looks like UTF-16 without a byte-order mark; give --encoding utf-16-le, or save it as UTF-8"),
    "UTF-16 cut off": ("mine.csv", csv().encode("utf-16")[:-1], {}, "mine.csv has a UTF-16 byte-order mark but breaks off or is damaged; save it as UTF-8 and run again"),
    "a picture": ("mine.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), {}, "mine.csv is not text in UTF-8 (line 1) or any usual encoding; give a table, or name its encoding with --encoding"),
    "a web page": ("mine.csv", "<!DOCTYPE html><html>sign in</html>", {}, "mine.csv is a web page, not a table; download the file itself, after signing in if needed"),
    "a pointer of Git LFS": ("mine.csv", "version https://git-lfs.github.com/spec/v1\noid x", {}, "mine.csv is a Git LFS pointer, not a table; run `git lfs pull` to fetch it"),
    "a spreadsheet": ("mine.xlsx", zipped(sheet_xml=b"<x/>"), {}, "mine.xlsx is not an Excel file or is damaged; save it again"),
    "a spreadsheet of old": ("mine.xls", b"\xd0\xcf\x11\xe0", {}, "mine.xls is an old Excel or Office file (.xls); open it and save the sheet as .xlsx or CSV"),
    "a pickle": ("mine.pkl", b"\x80\x04.", {}, "mine.pkl is a pickle, which could run code; write the table as Parquet (`DataFrame.to_parquet`)"),
    "an ORC file": ("mine.orc", b"ORC\x0a\x03\x00\x00\x12text", {}, "mine.orc is an ORC file; write it as Parquet"),
    "no gzip": ("mine.csv.gz", csv(), {}, "{here}/mine.csv.gz cannot be read or unpacked (Not a gzipped file (b'te')); check its permissions, or download it again"),
    "a gzip cut off": ("mine.csv.gz", gzip.compress(csv().encode())[:-20], {}, "{here}/mine.csv.gz cannot be read or unpacked (Compressed file ended before the end-of-stream marker was reached); check its permissions, or download it again"),
    "a gzip bomb": ("mine.csv.gz", gzip.compress(BOMB), {}, "mine.csv.gz unpacks to more than a table of comments would (over 4 GB, or 300 times its packed size); unpack it and give a part of it"),
    "a zip bomb": ("mine.zip", zipped(mine_csv=BOMB), {}, "mine.zip unpacks to more than a table of comments would (over 4 GB, or 300 times its packed size); unpack it and give a part of it"),
    "a zip of a zip": ("mine.zip", zipped(inner_zip=zipped(mine_csv=csv().encode())), {}, "{here}/mine.zip holds another zip, inner.zip; unpack it and give the file itself"),
    "a zip of two": ("mine.zip", zipped(a_csv=b"x", b_csv=b"y"), {}, "{here}/mine.zip holds a.csv, b.csv, but must hold one file; unpack it and give the file itself"),
    "an empty zip": ("mine.zip", b"PK\x05\x06" + bytes(18), {}, "{here}/mine.zip holds nothing, but must hold one file; unpack it and give the file itself"),
    "no zip": ("mine.zip", csv(), {}, "{here}/mine.zip is not a zip; correct its name, or download it again"),
    "an encrypted zip": ("mine.zip", encrypted(), {}, "{here}/mine.zip is encrypted; unpack it and give the file itself"),
    "no zstd": ("mine.csv.zst", csv(), {}, "{here}/mine.csv.zst cannot be read or unpacked (ZSTD decompress failed: Unknown frame descriptor); check its permissions, or download it again"),
    "no Parquet": ("mine.parquet", csv(), {}, "{here}/mine.parquet cannot be read or unpacked (Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.); check its permissions, or download it again"),
    "a Parquet cut off": ("mine.parquet", parquet(text=TEXTS, label=[0, 1] * 20)[:-9], {}, "{here}/mine.parquet cannot be read or unpacked (Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.); check its permissions, or download it again"),
    "a Parquet of lists": ("mine.parquet", parquet(text=[["a"]] * 40, label=[0, 1] * 20), {"text_column": "text"}, "the column text of mine.parquet holds list<element: string>, not text; name another with --text-column"),
    "no JSON": ("mine.jsonl", jsonl() + "{text: 1}\n", {}, "line 41 of mine.jsonl is not a JSON object (JSON is malformed: object keys must be strings (byte 1)); JSON lines hold one object per line"),
    "JSON arrays": ("mine.jsonl", '["a", 1]\n', {}, "mine.jsonl holds rows without names of columns; write them as CSV with a header such as text,label, or as JSON lines of objects"),
    "deep JSON": ("mine.jsonl", '{"text":' + "[" * 100_000 + "\n", {}, "line 1 of mine.jsonl is not a JSON object (maximum recursion depth exceeded while deserializing an object); JSON lines hold one object per line"),
    "half a surrogate": ("mine.jsonl", jsonl() + '{"text": "\\ud800", "label": 1}\n', {}, "line 41 of mine.jsonl is not a JSON object (JSON is malformed: unexpected end of escaped utf-16 surrogate pair (byte 16)); JSON lines hold one object per line"),
    "half a surrogate beside NaN": ("mine.jsonl", jsonl() + '{"text": "\\ud800", "label": NaN}\n', {}, "line 41 of mine.jsonl is not a JSON object (JSON is malformed: unexpected end of escaped utf-16 surrogate pair (byte 16)); JSON lines hold one object per line"),
    "half a surrogate in a document": ("mine.json", '{"data": [{"text": "\\ud800"}]}', {}, "mine.json is not JSON of rows (a text has half a surrogate pair); write JSON lines, one object per line, or an array of objects"),
    "columns that are a number": ("mine.json", '{"columns": 2, "data": [["a b c", "x"], ["d e f", "y"]]}', {}, "mine.json has the columns columns, data, none of which can be the text; name it with --text-column"),
    "an object for a text": ("mine.jsonl", jsonl(note={"a": 1}), {"text_column": "note"}, "the column note of mine.jsonl holds lists or objects; name another with --text-column"),
    "a JSON object": ("mine.json", '[{"text": "a"}, 3]', {}, "mine.json is not an array of JSON objects (object 2: Expected `object`, got `int`); write JSON lines"),
    "an empty array": ("mine.json", " [ ]\n", {}, "mine.json has no rows; give a table with a header and rows"),
    "text after an array": ("mine.json", '[{"text": "a"}]]', {}, "mine.json is not an array of JSON objects (object 1: text after the end of the array); write JSON lines"),
    "an array cut off": ("mine.json", '[{"text": "a"}, {"text": "b', {}, "mine.json is not an array of JSON objects (object 2: Unterminated string starting at: line 1 column 10 (char 9)); write JSON lines"),
    "a column that is not there": ("mine.csv", csv(), {"label_column": "toxic"}, "mine.csv has the columns text, label, but not toxic; name one of them with --label-column"),
    "two columns of one name": ("mine.csv", csv(header="text,text"), {}, "the column text of mine.csv appears 2 times; name another with --text-column"),
    "the text named twice": ("mine.csv", csv(), {"label_column": "text"}, "mine.csv has the columns text, label, none of which can be the text; name it with --text-column"),
    "no label to be guessed": ("mine.csv", "text,note\n" + "".join(f"a {i},b {i}\n" for i in range(40)), {}, "mine.csv has the columns text, note, none of which looks like a label; name it with --label-column"),
    "several labels to be guessed": (
        "mine.csv", "text,one,two\n" + "".join(f"a {i},{i % 2},{i % 2}\n" for i in range(40)), {}, "the columns one, two of mine.csv could all be the label; choose one: --label-column one, or another"),
    "no text to be guessed": ("mine.csv", "label\n1\n0\n", {"label_column": "label"}, "mine.csv has the columns label, none of which can be the text; name it with --text-column"),
    "ids for labels": ("mine.csv", "text,label\n" + "".join(f"a {i},{i}\n" for i in range(200)), {}, "the column label of mine.csv has 200 different values in 200 rows, so they are not classes; name another with --label-column"),
    "scores for labels": ("mine.csv", labelled("0.25", "0.75"), {}, "the column label of mine.csv holds numbers such as 0.25, not classes; add a column of classes (say, 1 from a threshold on), or name another with --label-column"),
    "no label at all": ("mine.csv", labelled("", "NaN"), {}, "no row of mine.csv has a label in the column label; name another with --label-column"),
    "one class": ("mine.csv", ONE_LABEL, {}, "all 40 labels of mine.csv are '1'; two classes or more are needed"),
    "one class beside missing ones": ("mine.csv", labelled("1", "nan"), {}, "all 20 labels of mine.csv are '1'; two classes or more are needed"),
    "one class after filtering": ("mine.csv", labelled("1") + "same,0\n" * 40, {}, "too few comments are left after filtering to train and test on: 1 '0', 20 '1'; 39 repeat another one; give at least 10 of each class"),
    "five rows": ("mine.csv", csv(5), {}, "too few comments are left after filtering to train and test on: 2 '1', 3 '0'; give at least 10 of each class"),
    "all texts empty": ("mine.csv", "text,label\n" + ",1\n,0\n" * 20, {}, "too few comments are left after filtering to train and test on: 0 '0', 0 '1'; give at least 10 of each class"),
    "all of them German, English wanted": ("mine.csv", GERMAN, {"language": "en"}, "too few comments are left after filtering to train and test on: 0 '0', 0 '1'; 40 were not English, --language any keeps them; give at least 10 of each class"),
    "a language nobody knows": ("mine.csv", csv(), {"language": "de"}, "--language is 'de'; it takes en or any"),
    "a positive label nobody has": ("mine.csv", csv(), {"positive_label": "spam"}, "--positive-label 'spam' is not a label; there are 0, 1"),
    "a split column of other words": (
        "mine.csv", "text,label,part\n" + "".join(f"a {i},{i % 2},part {i % 3}\n" for i in range(40)),
        {"split_column": "part"}, "the column part of mine.csv has 'part 0'; every row of a split column must be train, validation or test"),
    "sides given twice": (
        "mine.csv", "text,label,part\n" + "".join(f"a {i},{i % 2},train\n" for i in range(40)),
        {"split_column": "part", "test_file": "mine.csv"}, "--split-column part was given, but the files are sides of a split already; omit one"),
    "no file to test on": ("mine.csv", csv(), {"test_file": "none.csv"}, "there is no file {here}/none.csv; give the path of one that exists"),
    "groups of one": ("mine.csv", "text,label,author\n" + "".join(f"a {i},{i % 2},me\n" for i in range(40)),
                      {"group_column": "author"}, "there are 1 group(s), and 20 comments of the rarest class; two sides need two of each: choose another --group-column, or omit it"),
}  # fmt: skip


def prepared(path: Path, choices: dict[str, Any]) -> prepare.Prepared:
    choices = dict(choices)
    protocol = Protocol(language=choices.pop("language", None))
    if "test_file" in choices:
        choices["test_file"] = path.parent / choices["test_file"]
    return prepare.prepare(str(path), protocol, Choices(**choices))


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("problem", REFUSED)
def test_a_malformed_table_is_refused_in_one_line(
    tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SMALL_BYTES", 1_000_000)  # a bomb need not be large here
    name, content, choices, line = REFUSED[problem]
    with pytest.raises(WorthitError) as caught:
        prepared(written(tmp_path, name, content), choices)
    assert str(caught.value).replace(str(tmp_path), "{here}") == line
    assert "\n" not in line


REPAIRED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "semicolons": ("mine.csv", csv().replace(",", ";"), {}, "mine.csv is separated by semicolons"),
    "tabs in a CSV": ("mine.csv", csv().replace(",", "\t"), {}, "mine.csv is separated by tabs"),
    "quotes in a TSV": (
        "mine.tsv", csv(quote="").replace(", ", " ").replace(",", "\t") + '"so" they say\t1\n', {},
        "quotes in mine.tsv are read as part of the texts"),
    "quotes in a TSV that would take in rows": ("mine.tsv", unquoted(), {}, "quotes in mine.tsv are read as part of the texts"),
    "UTF-8 with a mark": ("mine.csv", csv().encode("utf-8-sig"), {}, ""),
    "UTF-16": ("mine.csv", csv().encode("utf-16"), {}, "mine.csv is read as UTF-16"),
    "UTF-32": ("mine.csv", csv().encode("utf-32"), {}, "mine.csv is read as UTF-32"),
    "Windows line ends": ("mine.csv", csv().replace("\n", "\r\n"), {}, ""),
    "NUL bytes": ("mine.csv", csv().replace("note", "no\0te", 3), {}, "3 NUL characters were removed from texts"),
    "a comment of 10 MB": ("mine.csv", csv() + f'"{"long " * 2_000_000}",1\n', {}, ""),
    "two files with a mark in one": ("mine.csv", csv().encode("utf-8-sig") * 2, {}, "1 row of mine.csv that repeat the header left out"),
    "blank lines": ("mine.csv", csv().replace("\n", "\n\n"), {}, ""),
    "empty cells at the end": ("mine.csv", csv().replace("0\n", "0,,\n"), {}, ""),
    "columns of one name that nobody needs": (
        "mine.csv", csv(header="text,label,x,x").replace(",0\n", ",0,,\n").replace(",1\n", ",1,,\n"), {}, ""),
    "a header that begins as an ORC file": ("mine.csv", csv(header="ORCID text,label"), {}, ""),
    "yes and no": ("mine.csv", labelled("Yes", "no"), {}, "positive class: Yes (by its name; --positive-label changes it)"),
    "1.0 and 0.0": ("mine.csv", labelled("1.0", "0.0"), {}, "positive class: 1 (by its name; --positive-label changes it)"),
    "True and False": ("mine.csv", labelled("True", "False"), {}, "positive class: True (by its name; --positive-label changes it)"),
    "yes and 1 and 0": ("mine.csv", labelled("yes", "0", "1", "0"), {}, "label mixes yes, 0, 1; they are read as 1 and 0"),
    "spam and Spam": ("mine.csv", labelled("spam", "ham", "Spam ", "ham"), {}, "label: Spam, spam are read as one class"),
    "missing labels": ("mine.csv", labelled("0", "1", "NaN", ""), {}, ""),
    "gzip": ("mine.csv.gz", gzip.compress(csv().encode()), {}, ""),
    "zip": ("mine.zip", zipped(mine_csv=csv().encode()), {}, ""),
    "zip by a Mac": ("mine.zip", zipped(_DS_Store=b"Bud1", mine_csv=csv().encode()), {}, ""),
    "gzip by another name": ("mine.csv", gzip.compress(csv().encode()), {}, ""),
    "zstd": ("mine.csv.zst", pa.compress(csv().encode(), codec="zstd", asbytes=True), {}, ""),
    "Parquet": ("mine.parquet", parquet(text=TEXTS, label=[True, False] * 20), {}, ""),
    "Parquet called CSV": ("mine.csv", parquet(text=TEXTS, label=[1.0, 0.0] * 20), {}, ""),
    "JSON lines": ("mine.jsonl", jsonl(tags=["a"]), {}, ""),
    "a JSON array": ("mine.json", json.dumps([json.loads(line) for line in jsonl().splitlines()]), {}, ""),
    "all of them German": ("mine.csv", GERMAN, {}, "comments of any language are kept (--language en keeps English ones)"),
}  # fmt: skip


@pytest.mark.parametrize("form", REPAIRED)
def test_a_repairable_table_is_read_and_the_repair_is_noted(tmp_path: Path, form: str) -> None:
    name, content, choices, line = REPAIRED[form]
    made = prepared(written(tmp_path, name, content), choices)
    assert made.steps[0].counts[0] >= 19
    assert made.steps[0].counts[1] >= 19
    assert not line or line in made.notes
    train = prepare.comments(made.key, "train").texts
    assert not any("\0" in comment or comment.startswith('"a') for comment in train)


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_quoted_texts_of_several_lines_stay_whole(delimiter: str, tmp_path: Path) -> None:
    texts = [f'first line, {i}\nName:\tsecond {i}\r\n\nand a "third"\tone' for i in range(20)]
    texts.append("Name:\tlooks like two rows\nthanks")
    buffer = io.StringIO(newline="")
    writer = csv_writer(buffer, delimiter=delimiter)
    writer.writerows([("text", "label"), *((comment, "1") for comment in texts)])
    rows = whole.read(written(tmp_path, "mine.tsv", buffer.getvalue()))
    assert rows.table["text"].to_pylist() == texts
    assert not any("quotes" in note for note in rows.notes)


def test_missing_labels_are_counted_in_the_first_step(tmp_path: Path) -> None:
    made = prepared(written(tmp_path, "mine.csv", labelled("0", "1", "NaN", "")), {})
    assert made.steps[0].name == "in the corpus, 40 rows without a label left out"
    assert made.steps[0].counts == (20, 20)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("none.csv", "there is no file none.csv; give the path of one that exists"),
        ("/no/such/folder/", "there is no file /no/such/folder; give the path of one that exists"),
        ("/dev/zero", "there is no file /dev/zero; give the path of one that exists"),
        ("{here}", "the folder {here} holds no table (.csv, .tsv, .jsonl, .json, .parquet, .xlsx, .ndjson, "
                   ".tab, .txt, .pq, .xlsm, .ft); give a file, or a folder with a few"),
    ],
)  # fmt: skip
def test_a_path_without_a_table_is_refused(tmp_path: Path, given: str, line: str) -> None:
    with pytest.raises(WorthitError) as caught:
        prepare.prepare(given.format(here=tmp_path), Protocol())
    assert str(caught.value) == line.format(here=tmp_path)


def test_a_built_in_dataset_takes_no_columns() -> None:
    with pytest.raises(WorthitError, match=r"^--text-column is for your own table; synthetic has"):
        registry.source("synthetic", Choices(text_column="x"))

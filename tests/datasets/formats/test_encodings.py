"""datasets/formats/encodings.py, code_pages.py: text that is not UTF-8, or not throughout."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.datasets.formats.test_real_files import LATIN, NAMES, both, lines, written
from worthit.datasets.errors import DataError
from worthit.datasets.formats import encodings, whole
from worthit.datasets.formats.reading import Reading


def test_an_encoding_is_used_only_for_what_is_not_utf8(tmp_path: Path) -> None:
    how = Reading(encoding="cp1252")
    latin = written(tmp_path, "latin.csv", LATIN.encode("cp1252"))
    unicode = written(tmp_path, "unicode.csv", LATIN)
    mixed = written(tmp_path, "mixed.csv", LATIN.encode() + "thé,up\n".encode("cp1252"))
    tables = [whole.read(path, reading=how) for path in (latin, unicode, mixed)]
    assert tables[0].table == tables[1].table
    assert tables[0].table["text"][0].as_py() == "café crème warm soup number 0"
    assert [table.notes for table in tables] == [
        (),
        ("unicode.csv is UTF-8, so it is not read as cp1252",),
        ("mixed.csv is UTF-8; 1 line (the first is line 22) read as cp1252",),
    ]
    with pytest.raises(DataError) as caught:
        whole.read(mixed)
    assert str(caught.value) == (
        "mixed.csv is UTF-8, but not in 1 line (the first is line 22); give --encoding cp1252, in which these "
        "are likely written, or save all of it as UTF-8"
    )
    mostly = written(tmp_path, "mostly.csv", "thé,up\n".encode("cp1252") * 11 + "thé,up\n".encode())
    assert whole.read(mostly, reading=replace(how, columns=NAMES)).notes[0] == (
        "mostly.csv is read as cp1252, though 1 of its lines look like UTF-8"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_few_stray_bytes_do_not_stop_a_file(name: str, tmp_path: Path) -> None:
    rows = [(f"ein schöner Satz {i}", "up" if i % 2 else "down") for i in range(200)]
    if name == "a.csv":
        content = lines(",", "text,label", rows=rows)
    else:
        content = "".join(
            json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) + "\n"
            for row in rows
        )
    damaged = content.encode().replace(b"Satz 7", b"Satz\x80\x92 7", 1)
    path = written(tmp_path, name, damaged)
    line = 9 if name == "a.csv" else 8
    found = both(path, Reading(), "text", "label")
    assert found == [*rows[:7], ("ein schöner Satz\ufffd\ufffd 7", "up"), *rows[8:]]
    assert whole.read(path).notes == (
        f"{name} is UTF-8, but not in 1 line (the first is line {line}): 2 bytes read as U+FFFD "
        "(--encoding cp1252, or another, decodes them)",
    )
    assert both(path, Reading(encoding="cp1252"), "text", "label")[7][0] == "ein schöner Satz€’ 7"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("où est-il déjà passé à côté", "cp1252"),
        ("it’s “nice” – really", "cp1252"),
        ("Zażółć gęślą jaźń, to było bardzo dobre jedzenie", "cp1250"),
        ("Сегодня мы были в магазине и купили хлеб", "cp1251"),
        ("Сегодня мы были в магазине и купили хлеб", "koi8_r"),
        ("Σήμερα ο καιρός είναι πολύ καλός", "cp1253"),
        ("今天我们在店里又吃了一次觉得好汤", "gb18030"),
        ("今日は天気がいいので、散歩に行きました。", "cp932"),
        ("오늘은 날씨가 좋아서 산책을 갔습니다", "cp949"),
        ("où est-il déjà passé à côté", "mac_roman"),
        ("we met Wałęsa in Łódź, then Świątek", "cp1250"),
        ("Dvořák wrote it in Plzeň, Novák said", "cp1250"),
        ("I don’t know, he said “no” in the café", "mac_roman"),
        ("I don’t know, he said “no” in the café", "cp1252"),
        ("it costs £5 in São Paulo and 20 € in Zürich", "cp1252"),
        ("we live in Москва and said привет", "cp1251"),
    ],
)
def test_the_likely_encoding_is_that_of_the_text(text: str, encoding: str) -> None:
    assert encodings.likely(f"{text}\n".encode(encoding) * 3) == encoding

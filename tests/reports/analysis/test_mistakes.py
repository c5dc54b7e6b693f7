"""reports/analysis/mistakes.py: where classifiers err."""

import dataclasses
from pathlib import Path

import pytest

from tests.scored_runs import cell, part, row, run
from worthit.bench.saved import record, run_file
from worthit.datasets import prepare
from worthit.datasets.splits.protocol import Protocol
from worthit.reports.analysis import mistakes
from worthit.reports.cli import main
from worthit.reports.sections import quality


def test_buckets_by_length_and_by_agreement() -> None:
    lengths = part((1, 0, 1, 0), characters=(10, 40, 20, 30))
    assert [mask.tolist().index(True) for mask in mistakes.by_length(lengths).values()] == [
        0,
        2,
        3,
        1,
    ]
    votes = part((1, 0, 1, 0, 1), toxic_share=(1.0, 0.0, 0.8, 0.3, None), raters=(9, 9, 9, 9, None))
    found = mistakes.by_agreement(votes)
    assert {heading: mask.nonzero()[0].tolist() for heading, mask in found.items()} == {
        "unanimous": [0, 1], "80 % or more": [2], "under 80 %": [3],
    }  # fmt: skip
    assert mistakes.by_agreement(part((1, 0))) == {}


def test_the_error_tables_count_right() -> None:
    test = part(
        (1, 0, 1, 0),
        toxic_share=(1.0, 0.0, 0.6, 0.2),
        raters=(10,) * 4,
        characters=(10, 20, 30, 40),
    )
    first, second = (0.1, 0.1, 0.9, 0.9), (0.2, 0.8, 0.8, 0.3)
    text = "\n".join(quality.errors(run((), cell("a", first), cell("b", second), test=test)))
    by_length, by_votes = text.split("By the share of raters")
    assert row(by_length, "a") == ["a", "0.0 %", "100.0 %", "100.0 %", "0.0 %"]
    assert row(by_votes, "a") == ["a", "50.0 %", "0.0 %", "100.0 %", "1"]
    assert row(by_votes, "b") == ["b", "0.0 %", "100.0 %", "100.0 %", "2"]
    assert "unanimous, n = 2" in by_votes
    assert "1 of 4 test comments are told wrong by every model, 1 of them though" in text


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("plain", 20, "plain"),
        ("two\nlines\r\x1b[31m", 40, "two\\nlines\\r\\x1b\\[31m"),
        ("\u202eturned\u2028", 40, "\\u202eturned\\u2028"),
        ("<b>&*_`", 40, "&lt;b&gt;&amp;\\*\\_\\`"),
        ("too long to show", 9, "too long…"),
        ("ab<c", 6, "ab…"),
        ("漢字漢字", 6, "漢字…"),
    ],
)
def test_comments_are_escaped_and_cut(text: str, width: int, expected: str) -> None:
    assert mistakes.cut(text, width) == expected


def saved(root: Path, key: str, test: record.Part, *cells: record.CellRecord) -> str:
    folder = root / "reports" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    made = run((), *cells, test=test)
    data = dataclasses.replace(made.data, key=key)
    run_file.save(dataclasses.replace(made, data=data), folder / "made.json")
    return str(root)


def test_missed_comments_are_printed_from_the_cache_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare.prepare("synthetic:1000", Protocol(test_size=20))
    comments = prepare.comments(prepared.key, "test")
    labels = tuple(int(label) for label in comments.labels)
    ids = tuple(prepare.comment_ids(comments.texts))
    shares = (*(float(label) for label in labels[:-1]), 0.6)
    test = part(labels, ids=ids, toxic_share=shares, raters=(10,) * 20)
    wrong = [float(1 - label) for label in labels]
    all_wrong, one_right = tuple(wrong), (float(labels[0]), *wrong[1:])
    right = tuple(map(float, labels))
    root = saved(
        tmp_path, prepared.key, test, cell("a", all_wrong), cell("b", one_right), cell("c", right)
    )
    assert main.main(["report", "made", "--root", root, "--errors", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if "missed by" in line]
    assert len(shown) == 18  # not the first, which half of the others tell right, nor the last
    assert all(line.endswith("to all 10 raters, missed by 2 of 3") for line in shown)
    assert not any(line.startswith((ids[0], ids[-1])) for line in lines)
    text = lines[lines.index(shown[0]) + 1]
    assert text.startswith("  " + comments.texts[1][:5])
    report = (tmp_path / "reports" / "runs" / "made" / "README.md").read_text("utf-8")
    assert comments.texts[1][:20] not in report


@pytest.mark.parametrize(
    ("key", "share", "errors", "message"),
    [
        ("absent", 1.0, "3", "are not in this machine's cache"),
        ("absent", None, "3", "no raters' votes"),
        ("absent", 1.0, "0", "--errors is 0"),
    ],
)
def test_missed_comments_that_cannot_be_shown_are_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    share: float | None,
    errors: str,
    message: str,
) -> None:
    test = part((1, 1), toxic_share=(share, share), raters=(10, 10))
    root = saved(tmp_path, key, test, cell("a", (0.1, 0.1)))
    assert main.main(["report", "made", "--root", root, "--errors", errors]) == 2
    out, error = capsys.readouterr()
    assert message in error
    assert error.count("\n") == 1
    assert not out
    assert not list(Path(root).rglob("README.md"))

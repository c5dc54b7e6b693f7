"""reports/cli/comments.py: `worthit report --errors` and `--suspects` print comments of the cache."""

import dataclasses
import json
from pathlib import Path

import pytest

from tests.factories import part
from tests.scored_runs import audited, cell, run
from worthit.bench.saved import record, run_file
from worthit.bench.saved.data import Part
from worthit.bench.saved.record import Run
from worthit.datasets import prepare
from worthit.datasets.audit.label_noise import LabelNoise
from worthit.datasets.errors import OptionError, RunError
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.cli import comments, main
from worthit.reports.sections import errors


def scored_run(key: str, test: Part, *cells: record.CellRecord) -> Run:
    made = run((), *cells, test=test)
    return dataclasses.replace(made, data=dataclasses.replace(made.data, key=key))


def test_missed_comments_come_from_the_cache() -> None:
    prepared = prepare.prepare("synthetic:1000", Protocol(test_size=20))
    tested = prepare.comments(prepared.key, "test")
    labels = tuple(int(label) for label in tested.labels)
    ids = tuple(prepare.comment_ids(tested.texts))
    shares = (*(float(label) for label in labels[:-1]), 0.6)
    test = part(labels, ids=ids, toxic_share=shares, raters=(10,) * 20)
    wrong = [float(1 - label) for label in labels]
    all_wrong, first_correct = tuple(wrong), (float(labels[0]), *wrong[1:])
    correct = tuple(map(float, labels))
    made = scored_run(
        prepared.key, test, cell("a", all_wrong), cell("b", first_correct), cell("c", correct)
    )
    lines = comments.missed(made, 30, 80)
    summaries = [line for line in lines if "missed by" in line]
    # not the first, which most models classify correctly, nor the last, on which raters disagree
    assert len(summaries) == 18
    assert all(line.endswith("to all 10 raters, missed by 2 of 3") for line in summaries)
    assert not any(line.startswith((ids[0], ids[-1])) for line in lines)
    assert lines[1].startswith("  " + tested.texts[1][:5])
    assert len(comments.missed(made, 2, 80)) == 4
    report = "\n".join(errors.section(Analysis.of(made)))
    assert tested.texts[1][:20] not in report


@pytest.mark.parametrize(
    ("share", "most", "error", "message"),
    [
        (1.0, 3, RunError, "are not in this machine's cache"),
        (None, 3, RunError, "no votes of raters"),
        (1.0, 0, OptionError, "--errors is 0"),
    ],
)
def test_missed_comments_that_are_not_available_are_refused(
    share: float | None, most: int, error: type[Exception], message: str
) -> None:
    test = part((1, 1), toxic_share=(share, share), raters=(10, 10))
    made = scored_run("absent", test, cell("a", (0.1, 0.1)))
    with pytest.raises(error, match=message):
        comments.missed(made, most, 80)


def test_a_run_without_errors_or_scores_has_no_missed_comments() -> None:
    test = part((1, 1), toxic_share=(1.0, 1.0), raters=(10, 10))
    assert (
        "correctly" in comments.missed(scored_run("absent", test, cell("a", (0.9, 0.9))), 3, 80)[0]
    )
    with pytest.raises(RunError, match="no scores of any model"):
        comments.missed(scored_run("absent", test), 3, 80)


def suspicious_run(folder: Path) -> tuple[Run, list[str]]:
    """A run whose audit suspects two labels, and the texts of its test comments."""
    rows = [{"text": f"\x1b[31m<b>remark {i}", "label": i % 2} for i in range(200)]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    key = prepare.prepare(str(folder / "mine.jsonl"), Protocol(test_size=AtMost(20))).key
    tested = prepare.comments(key, "test")
    ids, labels = prepare.comment_ids(tested.texts), tuple(map(int, tested.labels))
    test = part(labels, ids=tuple(ids), toxic_share=(0.75, *[None] * 19), raters=(4,) * 20)
    scores = tuple(float(1 - label) if i == 7 else float(label) for i, label in enumerate(labels))
    made = scored_run(key, test, cell("lsa", scores))
    noise = LabelNoise(2, 3, 0.9, (ids[7], ids[0]), unquestioned_accuracy=0.97)
    audit = audited(label_noise=noise).data.audit
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, audit=audit))
    return made, list(tested.texts)


def test_suspects_come_from_the_cache_the_likeliest_first(tmp_path: Path) -> None:
    made, texts = suspicious_run(tmp_path)
    ids, labels, names = made.data.test.ids, made.data.test.labels, ("not toxic", "toxic")
    share = ("25.0 %", "75.0 %")[labels[0]]
    assert comments.suspects(made, 5, 80) == [
        f"{ids[7]}: labelled {names[labels[7]]}, missed by 1 of 1",
        f"  \\x1b\\[31m&lt;b&gt;remark {texts[7].split()[-1]}",
        f"{ids[0]}: {names[labels[0]]} to {share} of 4 raters, missed by 0 of 1",
        f"  \\x1b\\[31m&lt;b&gt;remark {texts[0].split()[-1]}",
        "1 more look wrong; a run saves only the 2 likeliest",
    ]
    assert len(comments.suspects(made, 1, 80)) == 2
    noise = dataclasses.replace(made.data.audit.label_noise, train=None, reason="a weak judge")
    audit = dataclasses.replace(made.data.audit, label_noise=noise)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, audit=audit))
    assert comments.suspects(made, 1, 80)[0] == "many may only be hard comments: a weak judge"


@pytest.mark.parametrize(
    ("made", "most", "error", "message"),
    [
        (audited(), 0, OptionError, "--suspects is 0; it takes a number of comments"),
        (audited(), 3, RunError, "are not in this machine's cache"),
        (
            audited(label_noise=LabelNoise(None, None, None, reason="too few")),
            3,
            RunError,
            "does not know which labels look wrong: too few",
        ),
    ],
)
def test_suspects_that_are_not_available_are_refused(
    made: Run, most: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        comments.suspects(made, most, 80)


def test_a_run_without_suspects_says_so() -> None:
    made = audited(label_noise=LabelNoise(0, 0, 0.9))
    assert comments.suspects(made, 3, 80) == ["no label of a test comment looks wrong"]


def saved(root: Path, made: Run) -> list[str]:
    """The command that renders a run."""
    folder = root / "reports" / "runs"
    folder.mkdir(parents=True)
    run_file.save(made, folder / "made.json")
    return ["report", "made", "--root", str(root)]


@pytest.mark.usefixtures("without_pictures")
def test_the_command_prints_comments_and_writes_none_into_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = suspicious_run(tmp_path)
    assert main.main([*saved(tmp_path, made), "--suspects", "1"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "missed by" in line]
    assert line.startswith(made.data.test.ids[7])
    report = (tmp_path / "reports" / "runs" / "made" / "README.md").read_text("utf-8")
    assert "remark" not in report
    assert "`worthit report made --suspects 20` prints" in report


@pytest.mark.parametrize("option", ["--errors", "--suspects"])
def test_the_command_refuses_in_one_line_and_writes_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    test = part((1, 1), toxic_share=(1.0, 1.0), raters=(10, 10))
    made = scored_run("absent", test, cell("a", (0.1, 0.1)))
    data = dataclasses.replace(made.data, audit=audited().data.audit)
    made = dataclasses.replace(made, data=data)
    assert main.main([*saved(tmp_path, made), option, "3"]) == 2
    out, error = capsys.readouterr()
    assert error.count("\n") == 1
    assert not out
    assert not list(tmp_path.rglob("README.md"))

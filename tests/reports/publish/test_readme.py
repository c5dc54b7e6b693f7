"""reports/publish/readme.py and `worthit readme`: results in READMEs come from saved runs."""

import dataclasses
import errno
from pathlib import Path

import pytest

from tests.small_runs import cell, run
from tests.speed_runs import comparison, speed_run
from worthit.bench.saved import record, run_file
from worthit.bench.speed import record as speed_record
from worthit.reports.cli import main

RESULTS = "<!-- results: 2026-01-02-quick -->\n\n<!-- end of results -->"
SPEED = "<!-- speed: 2026-01-03 -->\n\n<!-- end of speed -->"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project with a run, a speed run, and a README with empty blocks."""
    monkeypatch.chdir(tmp_path)
    run_file.save(run(), tmp_path / "reports" / "runs" / "2026-01-02-quick.json")
    speed_record.save(speed_run(), speed_record.path(tmp_path, "2026-01-03"))
    (tmp_path / "README.md").write_text(f"before\n{RESULTS}\nbetween\n{SPEED}\nafter\n")
    return tmp_path


def assert_refused(
    capsys: pytest.CaptureFixture[str], message: str, arguments: tuple[str, ...] = ()
) -> None:
    assert main.main(["readme", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("worthit: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_readme_is_stale_then_filled_then_up_to_date(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = project / "README.md"
    empty = readme.read_text()
    assert main.main(["readme", "--check"]) == 1
    assert capsys.readouterr().err.startswith("worthit: README.md is stale; run `worthit readme`")
    assert readme.read_text() == empty
    assert main.main(["readme"]) == 0
    assert capsys.readouterr().out == "README.md filled\n"
    assert main.main(["readme", "--check"]) == 0
    assert capsys.readouterr().out == "the READMEs are up to date\n"
    text = readme.read_text()
    assert text.startswith("before\n<!-- results: 2026-01-02-quick -->\n")
    assert "<!-- end of results -->\nbetween\n<!-- speed: 2026-01-03 -->\n" in text
    assert text.endswith("<!-- end of speed -->\nafter\n")
    assert "**No verdict: this run has no fine-tuned LLM with test scores.**" in text


@pytest.mark.parametrize("figure", ["90.0 %", "3.8× (2.5 to 5.0)"])
def test_a_figure_changed_by_hand_is_stale(project: Path, figure: str) -> None:
    assert main.main(["readme"]) == 0
    text = (project / "README.md").read_text()
    assert figure in text
    (project / "README.md").write_text(text.replace(figure, "9"))
    assert main.main(["readme", "--check"]) == 1


def test_the_blocks_may_be_in_other_readmes_with_links_from_there(project: Path) -> None:
    (project / "README.md").write_text("nothing to fill\n")
    (project / "bench").mkdir()
    (project / "bench" / "README.md").write_text(SPEED)
    (project / "reports" / "README.md").write_text(RESULTS)
    assert main.main(["readme"]) == 0
    assert "(runs/2026-01-02-quick/README.md)" in (project / "reports" / "README.md").read_text()
    assert "| reference" in (project / "bench" / "README.md").read_text()
    assert (project / "README.md").read_text() == "nothing to fill\n"


def test_other_runs_are_published_on_request(project: Path) -> None:
    slower = dataclasses.replace(comparison(), name="bert-score")
    speed_record.save(speed_run(slower), speed_record.path(project, "2026-01-04"))
    run_file.save(run(), project / "reports" / "runs" / "2026-01-04-quick.json")
    assert main.main(["readme", "2026-01-04-quick", "--speed", "2026-01-04"]) == 0
    text = (project / "README.md").read_text()
    assert "<!-- results: 2026-01-04-quick -->" in text
    assert "(reports/runs/2026-01-04-quick/README.md)" in text
    assert "<!-- speed: 2026-01-04 -->" in text
    assert "| bert-score" in text
    assert "llm-score" not in text


def test_further_runs_have_one_line_each(project: Path) -> None:
    further = ["2026-01-04-quick", "2026-01-05-quick"]
    noise = record.measured(22.0, "%", "p95 over p5")
    names = ("lsa", "tfidf", "bert", "llama-zero-shot", "majority")
    many = run(*(cell(model=name) for name in names))
    for name, each in zip(further, (run(), dataclasses.replace(many, noise=noise)), strict=True):
        run_file.save(each, project / "reports" / "runs" / f"{name}.json")
    readme = project / "README.md"
    block = "<!-- runs: 2026-01-04-quick -->\n\n<!-- end of runs -->\n"
    readme.write_text(readme.read_text() + block)
    assert main.main(["readme"]) == 0
    assert readme.read_text().count("\n- [Preset `quick`: ") == 1
    assert main.main(["readme", "--runs", *further]) == 0
    lines = readme.read_text().partition("<!-- runs: 2026-01-04-quick 2026-01-05-quick -->\n")[2]
    first, second, end, *_ = lines.split("\n")
    answer = "No verdict: this run has no fine-tuned LLM with test scores."
    assert first.endswith(f"](reports/runs/2026-01-04-quick/README.md); lsa: {answer}")
    assert second.endswith(
        f"; 5 models: {answer} The machine was noisy: small differences in time mean nothing."
    )
    assert end == "<!-- end of runs -->"
    assert main.main(["readme", "--check"]) == 0
    readme.write_text(readme.read_text().replace(first, first.replace("No verdict", "Yes")))
    assert main.main(["readme", "--check"]) == 1


def test_further_runs_need_a_block(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused(capsys, "no block <!-- runs: RUN --> …", ("--runs", "2026-01-02-quick"))


def test_a_noisy_machine_is_mentioned(project: Path) -> None:
    assert main.main(["readme"]) == 0
    assert "noisy" not in (project / "README.md").read_text()
    noisy = dataclasses.replace(run(), noise=record.measured(22.0, "%", "p95 over p5"))
    run_file.save(noisy, project / "reports" / "runs" / "2026-01-02-quick.json")
    assert main.main(["readme"]) == 0
    assert "**Warning: this machine was noisy, 22 %" in (project / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope",), "there is no readable run"),
        (("--speed", "nope"), "there is no readable speed run"),
        (("--root", "/no/folder"), "there is no /no/folder/README.md"),
    ],
)
def test_missing_files_are_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert_refused(capsys, message, arguments)


@pytest.mark.parametrize(
    ("text", "kind"),
    [(SPEED, "results"), (RESULTS, "speed"), (RESULTS + SPEED.replace("end of", "end"), "speed")],
)
def test_a_missing_block_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, kind: str
) -> None:
    (project / "README.md").write_text(text)
    assert_refused(capsys, f"no block <!-- {kind}: RUN --> … <!-- end of {kind} --> in README.md, ")


def test_an_interrupted_run_is_not_published(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_file.save(run(complete=False), project / "reports" / "runs" / "2026-01-02-quick.json")
    assert_refused(capsys, "was interrupted")


def test_a_read_only_readme_is_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*given: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", read_only)
    assert_refused(capsys, "README.md cannot be written (Read-only file system); mend that and run")

"""reports/cli/run.py: `worthit run`, in any folder."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from tests import command_line
from worthit.bench import session
from worthit.bench.cluster import session as cluster_session
from worthit.bench.options import OPTIONS, BenchmarkOptions
from worthit.bench.saved import run_file
from worthit.datasets.tables.columns import Choices
from worthit.reports import options as report_options
from worthit.reports import saved_runs
from worthit.reports.cli import main, run
from worthit.reports.cli.pytest_plugin import QuietInterrupt


def help_of(*command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main.main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_every_option_in_groups_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = help_of("run", capsys=capsys)
    assert max(map(len, printed.splitlines())) <= 80
    benchmark = [
        flag
        for name, option in OPTIONS.items()
        if name != "dataset"
        for flag in (option.flag, *option.short)
    ]
    for flag in (*benchmark, *(option.flag for option in report_options.OPTIONS)):
        assert f"  {flag}" in printed
    for title in run._GROUPS:
        assert f"\n{title}:\n" in printed


def test_only_options_about_data_are_in_no_group() -> None:
    grouped = {name for names in run._GROUPS.values() for name in names}
    assert grouped <= OPTIONS.keys()
    assert OPTIONS.keys() - grouped <= {"dataset", *Choices.__dataclass_fields__}


def test_it_takes_the_option_that_messages_name_to_keep_all_comments() -> None:
    parsed = main._parser().parse_args(["run", "mine.csv", "--no-balance"])
    assert parsed.balance == "no"


def test_the_commands_that_users_need_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    printed = help_of(capsys=capsys)
    places = [printed.index(f"    {name} ") for name in ("run", "report", "compare", "score")]
    later = [printed.index(f"    {name} ") for name in ("runs", "doctor", "readme")]
    assert places == sorted(places)
    assert max(places) < min(later)
    assert "worthit run mine.csv\n" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mine.csv --modles tfidf", "worthit: run does not take --modles; `worthit run --help`"),
        ("mine.csv other.csv", "worthit: run does not take other.csv; "),
        ("mine.csv --model tfidf", "worthit: run does not take --model; "),  # no abbreviations
        ("mine.csv --seeds many", "worthit run: argument --seeds: invalid int value: 'many'; see"),
        ("mine.csv --seeds 0", "worthit: --seeds is 0; it takes a number from 1 up"),
        ("mine.csv --models gpt", "worthit: unknown model 'gpt'; known: "),
        ("mine.csv --recall 2", "worthit: --recall is 2; it takes a number from 0.01 up to 1"),
        ("imdb", "worthit: unknown dataset 'imdb'; known: "),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main.main(["run", *arguments.split()])
    except SystemExit as ended:
        code = ended.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith(message)
    assert error.count("\n") == 1


def test_a_dry_run_prints_the_forecast_and_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"  # the cache is beside it
    here.mkdir()
    monkeypatch.chdir(here)
    assert main.main(["run", "synthetic:600", "--models", "majority", "--dry-run"]) == 0
    printed = capfd.readouterr().err
    assert "forecast: about 3" in printed
    assert "\n  majority-cpu " in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "[1/1]" not in printed
    assert not list(here.iterdir())


def test_pytests_exit_codes_become_those_of_the_command() -> None:
    assert [run.exit_code(code) for code in range(6)] == [0, 1, 130, 1, 2, 1]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
@pytest.mark.parametrize(
    ("number", "has_results", "code", "line"),
    [
        (signal.SIGINT, True, 130, "interrupted; the finished measurements are saved. "),
        (signal.SIGTERM, True, 143, "interrupted; the finished measurements are saved. "),
        (signal.SIGINT, False, 130, "interrupted before the first result; nothing is saved"),
    ],
)
def test_an_interrupted_run_says_in_one_line_what_it_keeps(
    number: signal.Signals,
    has_results: bool,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    interruptible = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(session.Session, "open", lambda self: signal.raise_signal(number))
    monkeypatch.setattr(session.Session, "has_results", has_results)
    assert main.main(["run", "synthetic:600", "--models", "majority"]) == code
    assert capfd.readouterr().err.startswith(f"worthit: {line}")
    assert signal.getsignal(signal.SIGTERM) is before
    signal.signal(signal.SIGINT, interruptible)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--retrain"], "The same command with --resume continues"),
        (["--cluster", "auto"], "The same command measures again, without the finished trainings"),
        (
            ["--cluster", "auto", "--retrain"],
            "The same command without --retrain measures again, without the finished trainings",
        ),
    ],
)
def test_how_to_go_on_after_an_interruption(arguments: list[str], line: str) -> None:
    opened = SimpleNamespace(has_results=True)
    assert run._kept(opened, command_line.options(*arguments)).endswith(f" saved. {line}")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_sigterm_has_its_exit_code_though_ray_raises_an_interrupt_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def wait_in_ray(self: session.Session) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(session.Session, "open", wait_in_ray)
    assert main.main(["run", "synthetic:600", "--models", "majority"]) == 143
    assert capfd.readouterr().err.startswith("worthit: interrupted before the first result")


def test_ctrl_c_while_the_nodes_of_a_cluster_are_asked_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def ask(given: BenchmarkOptions) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster_session, "find_kinds", ask)
    assert main.main(["run", "synthetic:600", "--models", "majority"]) == 130
    assert capfd.readouterr().err.count("\n") == 1


def test_pytest_says_nothing_about_an_interrupt_of_its_loop() -> None:
    quiet, interrupt = QuietInterrupt(), KeyboardInterrupt()
    loop = quiet.pytest_runtestloop()
    next(loop)
    with pytest.raises(StopIteration) as ended:
        loop.throw(interrupt)
    assert ended.value.value is True
    assert quiet.raised is interrupt


def test_nothing_of_the_folder_leaks_in(tmp_path: Path) -> None:
    here = tmp_path / "here"  # the cache is beside it
    here.mkdir()
    words = ("lovely day", "awful day")
    rows = [f"{words[i % 2]} {i},{('ham', 'spam')[i % 2]}" for i in range(2_000)]
    (here / "mine.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (here / "conftest.py").write_text("raise SystemExit('conftest.py is read')\n")
    (here / "pytest.ini").write_text("[pytest]\nminversion = 99\naddopts = --nonsense\n")
    (here / "pyproject.toml").write_text('[tool.pytest.ini_options]\nminversion = "99"\n')
    (here / "reports" / "runs").mkdir(parents=True)  # of some other program
    before = {path.name for path in here.iterdir()}
    leaks = {"PYTEST_ADDOPTS": "--nonsense", "PYTEST_PLUGINS": "no_such_plugin"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "worthit.reports.cli.main", "run", "mine.csv",
         "--models", "hf:/no/such", "--seeds", "1"],
        cwd=here, env=os.environ | leaks, text=True, capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert {path.name for path in here.iterdir()} - before == {saved_runs.FOLDER}
    assert saved_runs.folder(here) == here / saved_runs.FOLDER
    (file,) = saved_runs.folder(here).glob("*.json")
    saved = run_file.load(file)
    assert saved.complete
    assert saved.options["--dataset"] == "mine.csv"
    (cell,) = saved.cells
    assert cell.failures[0].startswith("training: there is no folder or .gguf file /no/such")
    assert re.findall(r"^_+ (\S+) _+$", done.stdout, re.MULTILINE) == ["test_train[hf:such-cpu]"]
    assert "report: worthit-runs/" in done.stdout
    assert "Warning" not in done.stdout + done.stderr


def test_a_clone_keeps_its_folder_of_runs(tmp_path: Path) -> None:
    assert saved_runs.folder(tmp_path) == tmp_path / "worthit-runs"
    theirs = tmp_path / "reports" / "runs"
    theirs.mkdir(parents=True)
    assert saved_runs.folder(tmp_path) == theirs
    assert saved_runs.folder_for_new(tmp_path) == tmp_path / "worthit-runs"
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "bench_classifiers.py").touch()
    assert saved_runs.folder_for_new(tmp_path) == theirs

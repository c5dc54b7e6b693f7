"""bench/terminal.py: any text can be printed, whatever the terminal's encoding."""

import io
import os
import subprocess
import sys

import pytest

from worthit.bench import terminal
from worthit.reports.cli import main


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", "a -> b, <= 3 %, ~ 2 +/- 1, \\u4f60\\xe9"),
        ("latin-1", "a -> b, <= 3 %, ~ 2 ± 1, \\u4f60é"),
        ("cp1252", "a -> b, <= 3 %, ~ 2 ± 1, \\u4f60é"),
        ("utf-8", "a → b, ≤ 3 %, ≈ 2 ± 1, 你é"),
    ],
)
def test_signs_that_an_encoding_lacks_are_spelled_out(
    monkeypatch: pytest.MonkeyPatch, encoding: str, printed: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    terminal.print_anything()
    print("a → b, ≤ 3 %, ≈ 2 ± 1, 你é", end="", flush=True)
    assert written.getvalue().decode(encoding) == printed


def test_a_stream_that_cannot_be_changed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    terminal.print_anything()
    print("→")


def test_a_command_prints_in_ascii() -> None:
    command = [sys.executable, "-P", "-m", main.__name__, "score", "--help"]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, env=ascii_only, check=True)
    assert done.stdout.isascii()


def test_progress_lines_reach_a_terminal_of_another_encoding() -> None:
    program = (
        "from worthit.bench import terminal\nfrom worthit.bench.cells.progress import Progress\n"
        "Progress(terminal.stderr()).line('a \u2192 b \u2264 c')"
    )
    command = [sys.executable, "-P", "-X", "utf8=1", "-c", program]
    latin = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=latin, check=True)
    assert done.stderr == b"a -> b <= c\n"

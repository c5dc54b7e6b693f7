"""bench/cells/progress.py: the bar on a terminal."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from worthit.bench.cells import progress
from worthit.bench.cells.progress import Progress, shortened


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("second", [(10, 200), (10, 100)])
def test_the_bar_follows_another_count(second: tuple[int, int]) -> None:
    shown = Progress(Terminal())
    shown.stage("training")
    shown.advance(90, 100)
    shown.advance(*second)
    assert shown._bar is not None
    assert (shown._bar.n, shown._bar.total) == second


@pytest.mark.parametrize(
    ("given", "used", "line"),
    [
        (
            {"max_length": 5_000},
            {"max_length": 490},
            "max length is 490 tokens of a comment, not 5,000",
        ),
        ({"max_length": 128}, {"max_length": 128}, ""),
        ({"max_length": None}, {"max_length": None}, ""),
        ({}, {}, ""),
    ],
)
def test_a_length_beyond_the_context_is_a_line(
    given: dict[str, Any], used: dict[str, Any], line: str
) -> None:
    setup: Any = SimpleNamespace(settings=given)
    training: Any = SimpleNamespace(settings=used)
    assert shortened(setup, training).startswith(line)
    assert bool(shortened(setup, training)) == bool(line)


def test_each_of_several_results_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    lines = Progress(stream := io.StringIO())
    lines.stage("learning curve")
    for now_s[0] in (5.0, 7.0):
        lines.result("a point")
    assert [line.split()[-2:] for line in stream.getvalue().splitlines()] == [
        ["5.0", "s"],
        ["2.0", "s"],
    ]

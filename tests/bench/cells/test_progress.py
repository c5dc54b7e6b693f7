"""bench/cells/progress.py: the bar on a terminal."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from worthit.bench.cells.progress import Progress, shortened


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("second", [(10, 200), (10, 100)])
def test_the_bar_follows_another_count(second: tuple[int, int]) -> None:
    progress = Progress(Terminal())
    progress.stage("training")
    progress.advance(90, 100)
    progress.advance(*second)
    assert progress._bar is not None
    assert (progress._bar.n, progress._bar.total) == second


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

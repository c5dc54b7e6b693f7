"""bench/cells/progress.py: the bar on a terminal."""

import io

import pytest

from worthit.bench.cells.progress import Progress


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

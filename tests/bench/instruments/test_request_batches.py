"""bench/instruments/request_batches.py: calls of known duration."""

from collections.abc import Sequence
from typing import Any

import pytest

from worthit.bench.instruments import request_batches


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a score function that takes virtual time, and lists the sizes of its calls."""

    def made(seconds_of: Any) -> tuple[Any, list[int]]:
        now, sizes = 0.0, []

        def score(texts: Sequence[str]) -> None:
            nonlocal now
            now += seconds_of(texts)
            sizes.append(len(texts))

        monkeypatch.setattr(request_batches.time, "perf_counter", lambda: now)
        return score, sizes

    return made


def measured_with(score: Any, comments: int) -> list[tuple[int, float | None, int]]:
    texts = ["x" * (1 + number % 3) for number in range(comments)]
    found = request_batches.measure_batches(score, lambda: None, texts)
    return [(one.requests, one.call_ms.value, one.call_ms.samples) for one in found]


def test_the_time_of_a_call_is_a_mean_over_many(calls: Any) -> None:
    score, sizes = calls(lambda texts: 0.010 + 0.001 * len(texts))
    found = measured_with(score, 300)
    assert [size for size, _, _ in found] == [2, 4, 8, 16, 32]
    assert [value for _, value, _ in found] == pytest.approx([12, 14, 18, 26, 42])
    assert all(number * value >= 500 - 1e-6 for _, value, number in found if value)
    assert set(sizes) == {2, 4, 8, 16, 32}


def test_sizes_end_before_a_call_takes_over_a_second_or_comments_run_out(calls: Any) -> None:
    score, _ = calls(lambda texts: 0.2 * len(texts))
    assert [size for size, _, _ in measured_with(score, 300)] == [2, 4]
    score, _ = calls(lambda texts: 0.01)
    assert [size for size, _, _ in measured_with(score, 10)] == [2, 4, 8]
    assert measured_with(score, 1) == []

"""A billion comments on paper."""

import pytest

from worthit.reports.cli import cluster_estimate

MEASURED = {
    "worker-rate": 1_000,
    "start-s": 10,
    "read-rate": 20_000,
    "driver-ms": 100,
    "driver-kb": 1,
    "input-bytes": 500,
    "output-bytes": 10,
}


def estimated(capsys: pytest.CaptureFixture[str], **changed: float) -> tuple[int, str]:
    values = MEASURED | {name.replace("_", "-"): value for name, value in changed.items()}
    code = cluster_estimate.main([f"--{name}={value}" for name, value in values.items()])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_more_workers_help_until_a_limit_that_they_share(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = estimated(capsys)[1].splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in said if line[:1].isdigit()}
    assert rows["1"] == ["≈280", "≈280", "≈11"]
    assert rows["10"] == ["≈28", "≈28", "≈11"]
    assert rows["100"][:2] == ["≈14", "≈2.8"]  # 20,000 comments/s from one file
    assert rows["1,000"][:2] == ["≈14", "≈0.85"]  # 327,680 comments/s in parts
    first = next(n for n, line in enumerate(said) if line.startswith("limit"))
    assert said[first + 2].startswith("one reader of a file of text")
    assert said[first + 2].split()[-1] == "20"
    assert said[first + 3].startswith("the process that writes")
    assert "30,518 parts of 0.33 MB, 10.0 GB of output" in said


def test_a_rate_that_is_not_positive_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert estimated(capsys, worker_rate=0) == (
        2,
        "worthit: --worker-rate is 0; it takes a positive number\n",
    )
    assert "--rows is inf; it takes" in estimated(capsys, rows=float("inf"))[1]
    assert estimated(capsys, driver_ms=0)[0] == 0

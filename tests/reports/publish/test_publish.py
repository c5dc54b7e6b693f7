"""reports/publish/publish.py: what a session on several kinds of machines prints."""

from pathlib import Path

import pytest

from tests import scored_runs
from worthit.reports.publish import publish


def test_of_several_kinds_each_summary_has_the_heading_of_its_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish, "publish", lambda run, file: f"table of {file.stem}")
    monkeypatch.setattr(publish, "_compare", lambda runs: "compared")
    runs = [
        (scored_runs.run((0, 1), options={"--on": f"kind={name}"}), Path(f"{name}.json"))
        for name in "ab"
    ]
    assert publish.publish_all(runs).split("\n\n") == [
        "== kind=a: a CPU, 2 cores ==", "table of a",
        "== kind=b: a CPU, 2 cores ==", "table of b",
        "compared",
    ]  # fmt: skip
    assert publish.publish_all(runs[:1]) == "table of a"

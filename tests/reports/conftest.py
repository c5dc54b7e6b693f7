"""What the tests of reports share."""

import pytest


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have no pictures, which take most of their time."""
    from worthit.reports.pictures import pictures

    monkeypatch.setattr(pictures, "draw", lambda analysis, folder: {})

"""A pytest plugin that reverses the tests, as `--ff` and random orders may."""

from typing import Any


def pytest_collection_modifyitems(items: list[Any]) -> None:
    items.reverse()

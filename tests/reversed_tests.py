"""A pytest plugin that reverses the tests after other plugins, as `--ff` does."""

from collections.abc import Iterator
from typing import Any

import pytest


class _Reverse:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Iterator[None]:
        result = yield
        items.reverse()
        return result


@pytest.hookimpl(trylast=True)  # hooks that are registered later run around the others
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Reverse())

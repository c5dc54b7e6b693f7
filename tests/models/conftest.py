"""What the tests of models share."""

import functools
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _generate_comments_once() -> Iterator[None]:
    """Each check of the contract reads the same 1,200 synthetic comments, in a table that cannot change."""
    from worthit.datasets.sources import synthetic

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synthetic, "synthetic", functools.cache(synthetic.synthetic))
        yield

"""What the tests of models share."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def _generate_comments_once() -> Iterator[None]:
    """Each check of the contract reads the same 1,200 synthetic comments, in a table that cannot change."""
    from worthit.datasets.sources import synthetic

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synthetic, "synthetic", functools.cache(synthetic.synthetic))
        yield


@pytest.fixture(scope="session")
def telling_llama(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights large enough that comments, prompts and examples change the scores."""
    from tests.tiny_networks import make_causal_lm

    folder = tmp_path_factory.mktemp("llama")
    return make_causal_lm(tiny_llama, folder, "llama", initializer_range=0.2)


@pytest.fixture(scope="session")
def telling_bert(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights large enough that comments change the scores."""
    from tests.tiny_networks import make_encoder

    folder = tmp_path_factory.mktemp("bert")
    return make_encoder(tiny_bert, folder, "bert", initializer_range=0.2)

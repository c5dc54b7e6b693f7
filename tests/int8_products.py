"""What tests of int8 models share: comments, what is asked of each, and which need exact products."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small_runs
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts
from worthit.bench.saved.record import Setup
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import DeviceError, OptionError, RunError
from worthit.datasets.splits.protocol import Protocol
from worthit.models import registry
from worthit.models.contract import TOXIC, read_card, silent
from worthit.models.transformer import int8_linear

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
    "",
] * 6
LABELS = {TOXIC: np.array([1, 0, 0, 0] * 6), ("a", "b", "c"): np.array([1, 2, 0, 0] * 6)}


def _able() -> bool:
    try:
        int8_linear.require("this test")
    except DeviceError:
        return False
    return True


multiplies = pytest.mark.skipif(not _able(), reason="needs exact int8 products")

#: the registered models, as parameters; one that cannot run here is skipped
MODELS = [
    pytest.param(name, marks=multiplies) if name in ("bert-int8", "llama-int8") else name
    for name in registry.MODELS
]


def assert_saved_whole(
    converted: Any, plain: Any, auto_class: Any, weights: Path, folder: Path
) -> None:
    """It scores without what it was trained from, which is deleted, and without what it was saved to.

    Args:
        plain: the model it was converted from; its comments are cut at 12 tokens.
        auto_class: of transformers, which is not to take the folder for a whole model.
        weights: the pretrained ones.
    """
    first, second = folder / "first", folder / "second"
    first.mkdir()
    second.mkdir()
    long = ["the page " * 50, "the page", "you"]
    assert converted.truncated_share(long) == plain.truncated_share(long) == pytest.approx(1 / 3)
    assert converted.size() == plain.size()
    assert converted.settings == plain.settings
    converted.save(first)
    shutil.rmtree(weights)
    loaded = registry.load(first)
    loaded.save(second)
    shutil.rmtree(first)
    again = registry.load(second)
    expected = converted.predict_proba(TEXTS)
    for model in (loaded, again):
        assert model.predict_proba(TEXTS).tolist() == expected.tolist()
        assert model.size() == converted.size()
        assert model.truncated_share(long) == converted.truncated_share(long)
    assert read_card(second).base is None
    with pytest.raises(OptionError, match="holds all its weights; leave --checkpoint away"):
        registry.load(second, checkpoint=str(weights))
    with pytest.raises(OSError, match="no file named model"):  # and no wrong model instead
        auto_class.from_pretrained(second)


def assert_refused_if_damaged(converted: Any, folder: Path) -> None:
    converted.save(folder)
    file = folder / "int8.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(RunError, match=rf"{converted.name} model in .* cannot be read") as caught:
        registry.load(folder)
    assert "\n" not in str(caught.value)


def converted_in_a_cell(name: str, tuned: Path, weights: Path) -> Setup:
    """Has a cell make it of a tuned model in the cache, and asserts that it scores nearly the same."""
    source, training = cache_folder("artifacts", "tuned-abc"), small_runs.cell().training
    shutil.copytree(tuned, source)
    assert training is not None
    artifacts.write_record(training, source)
    split = prepare.prepare("synthetic:600", Protocol(train_size=60, test_size=20)).key
    work = Work(
        Cell(name, "cpu", 0, split, {"checkpoint": str(weights), "precision": "fp32"}), silent
    )
    setup = work.setup()
    converted = work.convert("tuned-abc")
    assert converted.artifact.startswith(f"{name}-")
    assert converted.disk_mb.value != training.disk_mb.value
    work.load(converted.artifact)
    folders = [source, cache_folder("artifacts", converted.artifact)]
    expected, found = (registry.load(folder).predict_proba(TEXTS) for folder in folders)
    assert found == pytest.approx(expected, abs=0.05)
    assert found.tolist() != expected.tolist()
    return setup

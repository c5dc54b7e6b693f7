"""What the tests of converted models share: comments, tuned models, and checks of each."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import small_runs
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts
from worthit.bench.saved.record import Setup
from worthit.datasets.cache import cache_folder
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import DeviceError, OptionError, RunError
from worthit.models import registry
from worthit.models.card import read_card
from worthit.models.contract import silent
from worthit.models.transformer.layers import int8_linear

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
    "",
] * 6
THREE = ("a", "b", "c")
LABELS = {TOXIC: np.array([1, 0, 0, 0] * 6), THREE: np.array([1, 2, 0, 0] * 6)}
#: settings with which tiny random weights learn these comments
_LEARNING: dict[str, dict[str, Any]] = {
    "bert": {"epochs": 40, "learning_rate": 3e-3, "max_length": 8},
    "llama": {"epochs": 20, "learning_rate": 1e-2, "adapted_share": 1.0, "max_length": 12},
}


def tune(
    name: str,
    weights: Path,
    folder: Path,
    classes: tuple[str, ...] = TOXIC,
    precision: str = "fp32",
) -> Path:
    """Save a model that separates the classes to `folder`."""
    model = registry.model_class(name)(classes=classes)
    model.set_params(checkpoint=str(weights), precision=precision, **_LEARNING[name])
    model.fit(TEXTS, LABELS[classes]).save(folder)
    return folder


def _is_supported() -> bool:
    try:
        int8_linear.require("this test")
    except DeviceError:
        return False
    return True


multiplies = pytest.mark.skipif(not _is_supported(), reason="needs exact int8 products")

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs openvino"
)

_NEEDS = {
    "bert-int8": multiplies,
    "llama-int8": multiplies,
    "bert-openvino": needs_openvino,
    "static": pytest.mark.skipif(
        importlib.util.find_spec("model2vec") is None, reason="needs model2vec"
    ),
}
#: the registered models, as parameters; one that cannot run here is skipped
MODELS = [
    pytest.param(name, marks=_NEEDS[name]) if name in _NEEDS else name for name in registry.MODELS
]


def assert_converted(plain: Any, model: Any, classes: tuple[str, ...]) -> None:
    """The scores are close to the original's, and predict the same classes."""
    expected, found = plain.predict_proba(TEXTS), model.predict_proba(TEXTS)
    assert found.shape == (len(TEXTS), len(classes))
    assert found == pytest.approx(expected, abs=0.05)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(TEXTS)))
    assert np.ptp(expected, axis=0).max() > 0.3  # equal scores would prove nothing
    assert found.argmax(axis=1).tolist() == expected.argmax(axis=1).tolist()
    if plain._dtype == torch.float32:  # a tiny model has few scores in bf16, and they may agree
        assert found.tolist() != expected.tolist()  # something was rounded


def assert_saved_whole(
    converted: Any, plain: Any, auto_class: Any, weights: Path, folder: Path
) -> None:
    """It scores after the pretrained weights and its first folder are deleted.

    Args:
        plain: the original; it cuts comments at `max_length`.
        auto_class: of transformers; it must refuse the folder, and not load half a model.
        weights: the pretrained ones, which are deleted.
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
    with pytest.raises(OptionError, match="holds all its weights; omit --checkpoint"):
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


def convert_in_a_cell(name: str, tuned: Path, weights: Path, split: str) -> Setup:
    """Convert a tuned model in the cache as a cell does, and assert that it scores nearly the same."""
    source, training = cache_folder("artifacts", "tuned-abc"), small_runs.cell().training
    shutil.copytree(tuned, source)
    assert training is not None
    artifacts.write_record(training, source)
    settings = {"checkpoint": str(weights), "precision": "fp32"}
    work = Work(Cell(name, "cpu", 0, split, settings), silent)
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

"""What the tests of the speed comparison share: prepared comments, and weights for both models."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from worthit.bench.speed import trained_weights
from worthit.bench.speed.implementations import Task
from worthit.datasets import prepare
from worthit.datasets.splits.protocol import Protocol
from worthit.models import bert, llama
from worthit.models.contract import silent


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def split(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of prepared comments, in a cache that the tests share."""
    monkeypatch.setenv("WORTHIT_CACHE", str(shared_cache))
    return prepare.prepare("synthetic:1500", Protocol()).key


@pytest.fixture(scope="session")
def scoring_task(
    tiny_bert: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Task]:
    """A scoring task for each model. Its weights are trained once, in each format."""
    tasks: dict[str, Task] = {}

    def task_of(model: str) -> Task:
        if model not in tasks:
            folder = tmp_path_factory.mktemp(model)
            checkpoint = _with_larger_weights(tiny_bert, folder) if model == "bert" else tiny_llama
            task = Task(
                model, False, "cpu", "fp32", str(checkpoint), "", 1, 24, weights_folder=str(folder)
            )
            texts = ["you stupid idiot", "a good source"] * 8
            with warnings.catch_warnings(action="ignore"):  # of torch's exporter
                trained_weights.train_and_save(task, texts, np.array([1, 0] * 8, np.int8), silent)
            settings = (bert.Bert if model == "bert" else llama.Llama)().get_params()
            tasks[model] = dataclasses.replace(task, settings=settings | {"max_length": 20})
        return tasks[model]

    return task_of


def _with_larger_weights(encoder: Path, folder: Path) -> Path:
    """The tiny encoder with weights large enough that comments get different scores."""
    import transformers

    model = transformers.BertModel.from_pretrained(encoder)
    for parameter in model.parameters():
        parameter.data *= 10 if parameter.ndim == 2 else 1
    model.save_pretrained(folder / "larger")
    transformers.AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / "larger")
    return folder / "larger"

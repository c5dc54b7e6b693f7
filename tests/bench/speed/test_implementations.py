"""bench/speed/implementations.py and its modules: each one scores as ours does, with our weights."""

import dataclasses
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import int8_products
from worthit.bench.speed import comparison, implementations, trained_weights
from worthit.bench.speed.implementations import Task
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, DeviceError
from worthit.models.transformer.layers import int8_linear

SCORING = [
    ("llama", "llm-reference"),
    ("llama", "llm-huggingface"),
    ("bert", "bert-reference"),
    ("bert", "bert-huggingface"),
    ("bert", "onnx-fp32"),
    ("bert", "openvino"),
    ("llama", "llamacpp"),
]
#: entry → the packages it needs, beyond those of the project
PACKAGES = {
    "onnx-fp32": ("onnx", "onnxruntime"),
    "onnx-int8": ("onnx", "onnxruntime"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
    "llamacpp": ("llama_cpp",),
    "llamacpp-q8": ("llama_cpp",),
}
INT8 = [("llama", "llm-int8"), ("bert", "bert-int8")]


def loaded(implementation: str, task: Task) -> implementations.Implementation:
    made: implementations.Implementation = implementations.implementation_class(implementation)(
        task
    )
    made.load()
    return made


def skip_unless_installed(implementation: str) -> None:
    for package in PACKAGES.get(implementation, ()):
        if not implementations.is_installed(package):
            pytest.skip(f"needs {package}")


@pytest.mark.parametrize(("model", "implementation"), SCORING)
def test_every_implementation_scores_as_ours_does(
    scoring_task: Callable[[str], Task], split: str, model: str, implementation: str
) -> None:
    skip_unless_installed(implementation)
    texts = prepare.comments(split, "test").texts[:40]
    task = scoring_task(model)
    ours = implementations.Ours(task)
    ours.load()
    ours.model.set_params(max_length=20)
    expected = ours.score(texts)
    assert np.ptp(expected) > 1e-3  # agreement means nothing if all scores are equal
    tolerance = 1e-4 if implementation == "llamacpp" else 1e-5  # llama.cpp keeps keys in fp16
    np.testing.assert_allclose(loaded(implementation, task).score(texts), expected, atol=tolerance)


@pytest.mark.parametrize(
    ("model", "implementation", "correlation"),
    [
        ("bert", "onnx-int8", 0.9),
        ("bert", "openvino-int8", 0.4),  # ranges of activations from 16 comments, 2 distinct ones
        ("llama", "llamacpp-q8", 0.5),  # blocks of 32 are half of a row; 0.99 with real weights
    ],
)
def test_a_quantised_implementation_scores_almost_as_ours_does(
    scoring_task: Callable[[str], Task],
    split: str,
    model: str,
    implementation: str,
    correlation: float,
) -> None:
    skip_unless_installed(implementation)
    texts = prepare.comments(split, "test").texts[:40]
    ours, other = (loaded(each, scoring_task(model)) for each in ("worthit", implementation))
    expected, scores = ours.score(texts), other.score(texts)
    np.testing.assert_allclose(scores, expected, atol=0.08)
    assert np.corrcoef(scores, expected)[0, 1] > correlation
    assert scores.tolist() != expected.tolist()


def test_batches_have_similar_lengths_and_scores_keep_their_order() -> None:
    batches = []

    def score(texts: list[str]) -> implementations.Probabilities:
        batches.append(texts)
        return np.array([float(text[0]) for text in texts])

    texts = ["1aaa", "2", "3aa", "4a", "5"]
    assert implementations.score_by_length(texts, score, 2).tolist() == [1, 2, 3, 4, 5]
    assert batches == [["2", "5"], ["4a", "3aa"], ["1aaa"]]
    assert implementations.score_by_length([], score).shape == (0,)


@int8_products.multiplies
@pytest.mark.parametrize(("model", "implementation"), INT8)
def test_the_int8_entry_scores_with_the_same_weights(
    scoring_task: Callable[[str], Task], split: str, model: str, implementation: str
) -> None:
    texts = prepare.comments(split, "test").texts[:40]
    ours, int8 = (loaded(each, scoring_task(model)) for each in ("worthit", implementation))
    expected, scores = ours.score(texts), int8.score(texts)
    np.testing.assert_allclose(scores, expected, atol=0.02)
    assert np.corrcoef(scores, expected)[0, 1] > 0.9
    assert scores.tolist() != expected.tolist()
    assert int8.score([]).shape == (0,)


@pytest.mark.parametrize(("model", "implementation"), INT8)
def test_the_int8_entry_is_refused_where_it_cannot_run(
    scoring_task: Callable[[str], Task],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: str,
    implementation: str,
) -> None:
    (plan,) = (p for p in comparison.COMPARISONS.values() if p.model == model and not p.trains)
    assert list(plan.entries)[-2:] == [implementation, "worthit"]
    made = implementations.implementation_class(implementation)
    with pytest.raises(DeviceError, match=f"{model}-int8 runs on cpu only"):
        made(dataclasses.replace(scoring_task(model), device="cuda"))
    monkeypatch.setattr(int8_linear, "_multiplies_exactly", lambda dtype: False)
    with pytest.raises(DeviceError, match=f"{model}-int8 cannot run here"):
        made(scoring_task(model))
    weights = Path(scoring_task(model).weights_folder)
    trained_weights.convert_to_int8(model, weights / "ours", tmp_path)  # raises nothing
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worthit.bench.speed.onnx", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        CellError, match=r"onnxruntime is not installed: pip install -e '.\[speed\]"
    ):
        implementations.implementation_class("onnx-int8")


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="needs onnxruntime")
def test_onnx_is_compared_only_on_cpus(scoring_task: Callable[[str], Task]) -> None:
    task = dataclasses.replace(scoring_task("bert"), device="cuda")
    with pytest.raises(DeviceError, match="CPUs only"):
        implementations.implementation_class("onnx-fp32")(task)

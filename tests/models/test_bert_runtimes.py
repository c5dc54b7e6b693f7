"""bert in other runtimes: scoring without torch, one training for all, and checked conversions."""

import copy
import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import small_runs
from tests.command_line import options
from tests.in_process_worker import InProcessWorker
from tests.int8_products import LABELS, TEXTS, needs_openvino
from worthit.bench import session
from worthit.bench.cell import Cell
from worthit.bench.cells import cell_run
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts
from worthit.bench.saved.record import Training
from worthit.datasets.cache import cache_folder
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CellError, CheckpointError, ModelError, OptionError, RunError
from worthit.models import registry
from worthit.models.bert import Bert
from worthit.models.contract import silent
from worthit.models.transformer import onnx_export, openvino_network
from worthit.models.transformer.bert_runtimes import RuntimeBert
from worthit.models.transformer.bert_settings import BertSettings
from worthit.reports.cli import main

CONVERTED = ["bert-onnx-int8", pytest.param("bert-openvino", marks=needs_openvino)]


@pytest.fixture(scope="module")
def bert(tuned: Callable[..., Path]) -> Path:
    return tuned("bert")


@pytest.fixture(scope="module", params=CONVERTED)
def kind(request: pytest.FixtureRequest) -> type[RuntimeBert]:
    made: Any = registry.model_class(request.param)
    assert issubclass(made, RuntimeBert)
    return made


@pytest.fixture(scope="module")
def converted(kind: type[RuntimeBert], bert: Path) -> RuntimeBert:
    return kind().convert(bert)


def test_comments_are_cut_as_bert_cuts_them(converted: RuntimeBert, bert: Path) -> None:
    texts = ["the page " * 50, "the page", "you"]
    model, original = converted, Bert.load(bert)
    assert [e.ids for e in model._tokenizer.encode_batch(texts)] == original._tokens(texts)
    assert model.truncated_share(texts) == original.truncated_share(texts) == pytest.approx(1 / 3)
    whole = [*texts, "\u0e14\u0e35"]  # Thai, which the vocabulary does not have
    assert model.count_tokens(whole) == original.count_tokens(whole)
    assert original.count_tokens(whole[1:2]).tokens == 2
    assert original.count_tokens(whole[3:]).unknown == 1
    assert model.size() == original.size()


def test_a_saved_model_scores_as_before_from_any_folder(
    converted: RuntimeBert, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    converted.save(first)
    registry.load(first).save(second)
    shutil.rmtree(first)
    again = registry.load(second)
    assert again.predict_proba(TEXTS) == pytest.approx(converted.predict_proba(TEXTS), abs=1e-6)
    assert again.settings == converted.settings
    assert again.size() == converted.size()


def test_scoring_imports_nothing_that_only_conversion_needs(
    converted: RuntimeBert, tmp_path: Path
) -> None:
    converted.save(tmp_path)
    code = (
        "import sys, pathlib; from worthit.models import registry\n"
        "model = registry.load(pathlib.Path(sys.argv[1]))\n"
        "assert model.predict_proba(['you', 'the page']).shape == (2, 2)\n"
        "avoided = ('torch', 'transformers', 'onnx', 'openvino_telemetry')\n"
        "print([name for name in avoided if sys.modules.get(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr


def test_a_damaged_folder_is_refused_in_one_line(converted: RuntimeBert, tmp_path: Path) -> None:
    converted.save(tmp_path)
    (tmp_path / converted.file).write_bytes(b"half a graph")
    with pytest.raises(RunError, match=rf"{converted.name} model in .* cannot be read") as caught:
        registry.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("bert-onnx-int8", "onnx", "int8"),
        ("bert-onnx-int8", "onnxruntime", "int8"),
        ("bert-openvino", "openvino", "openvino"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    package: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(Bert, "_fit", None)
    with pytest.raises(
        ModelError, match=rf"{name} needs {package}: pip install 'worthit\[{extra}\]'"
    ):
        registry.model_class(name)().fit(TEXTS, LABELS[TOXIC])
    assert main.main(["check-model", name]) == 2
    error = capsys.readouterr().err
    assert f"needs {package}: pip install" in error
    assert error.count("\n") == 1


def test_a_network_that_scores_differently_is_refused(
    kind: type[RuntimeBert], bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((onnx_export, "export"), (openvino_network, "convert")):
        monkeypatch.setattr(module, name, _with_another_head(getattr(module, name)))
    with pytest.raises(CheckpointError, match="scores differently after conversion to") as caught:
        kind().convert(bert)
    assert f"omit {kind.name}, or give an encoder" in str(caught.value)


def _with_another_head(convert: Callable[..., Any]) -> Callable[..., Any]:
    def convert_another(network: Any, *arguments: Any) -> Any:
        other = copy.deepcopy(network)
        other.classifier.bias.data += 0.1
        network.set_attn_implementation("eager")
        return convert(other, *arguments)

    return convert_another


def test_it_is_converted_from_full_precision_weights(
    kind: type[RuntimeBert], tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = []
    for module, name in ((onnx_export, "export"), (openvino_network, "convert")):
        monkeypatch.setattr(module, name, _recorded(getattr(module, name), networks))
    settings = BertSettings(checkpoint=str(tiny_bert), precision="bf16")
    trained = Bert(settings).fit(TEXTS, LABELS[TOXIC])
    (folder := tmp_path / "saved").mkdir()
    trained.save(folder)
    for model in (trained, Bert.load(folder)):
        kind()._convert(model)
        weight = networks.pop().bert.encoder.layer[0].output.dense.weight
        assert weight.dtype == torch.float32
        assert not torch.equal(weight.bfloat16().float(), weight)


def _recorded(convert: Callable[..., Any], networks: list[Any]) -> Callable[..., Any]:
    def convert_and_record(network: Any, *arguments: Any) -> Any:
        networks.append(network)
        return convert(network, *arguments)

    return convert_and_record


def test_bert_is_trained_once_for_both(
    kind: type[RuntimeBert],
    tiny_bert: Path,
    tmp_path: Path,
    small_split: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    settings = {"checkpoint": str(tiny_bert), "max_length": 24}  # precision as it is decided

    def trained(model: str) -> tuple[Training, CellRun]:
        cell = Cell(model, "cpu", 0, small_split, settings)
        with (tmp_path / "progress").open("w") as stream:
            run = CellRun(cell, tmp_path / "log", 600, Progress(stream), lambda record: None)
            try:
                return run.train(), run
            finally:
                run.close()

    first, run = trained(kind.name)
    assert first.train_s.origin == "measured"
    assert run.record.setup is not None
    assert run.record.setup.dtype == kind().dtype_note != ""
    assert set(kind.libraries) == set(run.record.setup.versions)
    bert, _ = trained("bert")
    assert bert.cached
    assert bert.trained_at == first.trained_at
    assert (bert.train_s.value, bert.train_s.origin) == (first.train_s.value, "cached")
    assert bert.artifact != first.artifact
    assert bert.disk_mb != first.disk_mb
    shared = {"artifact": "", "disk_mb": bert.disk_mb}
    cached = artifacts.mark_cached(first)
    assert dataclasses.replace(cached, **shared) == dataclasses.replace(bert, **shared)


def test_an_artifact_is_converted_once_for_each_training(
    kind: type[RuntimeBert],
    bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_bert: Path,
    small_split: str,
) -> None:
    work = Work(Cell(kind.name, "cpu", 0, small_split, {"checkpoint": str(tiny_bert)}), silent)
    work.setup()
    with pytest.raises(CellError, match="the cache no longer holds bert-abc; run again"):
        work.convert("bert-abc")
    folder = cache_folder("artifacts", "bert-abc")
    shutil.copytree(bert, folder)
    training = small_runs.cell().training
    assert training is not None
    artifacts.write_record(training, folder)
    converted = work.convert("bert-abc")
    assert converted.artifact.startswith(f"{kind.name}-")
    assert converted.disk_mb.value is not None
    assert converted.disk_mb.value > 0
    work.load(converted.artifact)
    convert = kind.convert
    monkeypatch.setattr(kind, "convert", None)
    assert work.convert("bert-abc") == converted
    monkeypatch.setattr(kind, "convert", convert)
    artifacts.write_record(dataclasses.replace(training, trained_at="later"), folder)
    assert work.convert("bert-abc").artifact != converted.artifact


@pytest.mark.usefixtures("small_split", "untimed_machine")
@pytest.mark.parametrize("name", ["bert-onnx-int8", "bert-openvino"])
def test_it_follows_berts_options(tiny_bert: Path, tmp_path: Path, name: str) -> None:
    given = [
        "--preset", "reference", "--models", f"{name},bert", "--dataset", "synthetic:600",
        "--train-size", "60", "--test-size", "20", "--max-length", "24", "--seeds", "2", "--attempts", "1", "--retrain",
        "--checkpoint", f"bert={tiny_bert}", "--runs-folder", str(tmp_path),
    ]  # fmt: skip
    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(options(*given), 2, Progress(stream))
        made.open()
        variant, bert = (made.cell_run(model, "cpu", 0).cell for model in (name, "bert"))
        other_seed = made.cell_run("bert", "cpu", 1).cell
    assert variant.settings == bert.settings
    assert variant.settings["checkpoint"] == str(tiny_bert)
    assert variant.settings["max_length"] == 24
    assert variant.settings["learning_rate"] == 2e-5  # the preset's for bert
    assert [cell.retrain for cell in (variant, bert, other_seed)] == [True, False, True]
    with pytest.raises(OptionError, match=f"{name} is bert converted; give --checkpoint bert=x"):
        options("--checkpoint", f"{name}=x")
    with pytest.raises(OptionError, match="those that have: static, embeddings, bert, llama,"):
        options("--checkpoint", "lsa=x")
    by_default = options()
    assert "bert" in by_default.models
    assert name not in by_default.models

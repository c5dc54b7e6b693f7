"""bert-onnx-int8: scores close to bert's, scoring without torch, and one training for both."""

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
from tests.int8_products import LABELS, TEXTS, assert_converted
from worthit.bench import session
from worthit.bench.cell import Cell
from worthit.bench.cells import cell_run
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts
from worthit.bench.saved.record import Training
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import (
    CellError,
    CheckpointError,
    DeviceError,
    ModelError,
    OptionError,
    RunError,
)
from worthit.models import bert_onnx_int8, registry
from worthit.models.bert import Bert
from worthit.models.bert_onnx_int8 import BertOnnxInt8
from worthit.models.contract import TOXIC, silent
from worthit.models.hardware import processor
from worthit.models.transformer import onnx_export
from worthit.models.transformer.bert_settings import BertSettings
from worthit.reports.cli import main


@pytest.fixture(scope="module")
def bert(tuned: Callable[..., Path]) -> Path:
    return tuned("bert")


def test_the_graph_before_quantisation_is_bert_with_its_steps_fused(
    bert: Path, tmp_path: Path
) -> None:
    import onnx

    expected = Bert.load(bert).predict_proba(TEXTS)
    file = bert_onnx_int8.export(Bert.load(bert), tmp_path)
    whole = BertOnnxInt8()
    whole._open(file, Bert.load(bert)._tokenizer.backend_tokenizer.to_str())
    for batch_size in (1, 3, 32):
        assert whole.predict_proba(TEXTS, batch_size) == pytest.approx(expected, abs=1e-4)
    operators = [node.op_type for node in onnx.load(file).graph.node]
    assert operators.count("Attention") == 2
    assert operators.count("SkipLayerNormalization") == 4


@pytest.mark.parametrize("classes", LABELS, ids=len)
def test_int8_scores_stay_near_and_of_the_same_class(
    tuned: Callable[..., Path], classes: tuple[str, ...]
) -> None:
    import onnx

    folder = tuned("bert", classes, "fp32")
    model = BertOnnxInt8().convert(folder)
    assert_converted(Bert.load(folder), model, classes)
    assert isinstance(model._model, bytes)
    graph = onnx.load_from_string(model._model).graph
    whole = [node.name for node in graph.node if node.op_type in ("MatMul", "Attention")]
    assert whole
    assert all("pooler" in name or "classifier" in name for name in whole)
    head = {node.op_type for node in graph.node if "classifier" in node.name}
    assert head == {"MatMul", "Add"}


def test_comments_are_cut_as_bert_cuts_them(bert: Path) -> None:
    texts = ["the page " * 50, "the page", "you"]
    model, original = BertOnnxInt8().convert(bert), Bert.load(bert)
    assert [e.ids for e in model._tokenizer.encode_batch(texts)] == original._tokens(texts)
    assert model.truncated_share(texts) == original.truncated_share(texts) == pytest.approx(1 / 3)
    assert model.settings == original.settings
    assert model.size() == original.size()


def test_scoring_imports_neither_torch_nor_onnx(bert: Path, tmp_path: Path) -> None:
    BertOnnxInt8().convert(bert).save(tmp_path)
    code = (
        "import sys, pathlib; from worthit.models import registry\n"
        "model = registry.load(pathlib.Path(sys.argv[1]))\n"
        "assert model.predict_proba(['you', 'the page']).shape == (2, 2)\n"
        "print(sorted({'torch', 'transformers', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr


def test_a_damaged_folder_is_refused_in_one_line(bert: Path, tmp_path: Path) -> None:
    BertOnnxInt8().convert(bert).save(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"half a graph")
    with pytest.raises(RunError, match=r"bert-onnx-int8 model in .* cannot be read") as caught:
        registry.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ModelError, match=rf"bert-onnx-int8 needs {package}: pip install 'worthit\[int8\]'"
    ):
        BertOnnxInt8().fit(TEXTS, LABELS[TOXIC])
    assert main.main(["check-model", "bert-onnx-int8"]) == 2
    error = capsys.readouterr().err
    assert f"needs {package}: pip install" in error
    assert error.count("\n") == 1


def test_a_graph_that_scores_differently_is_refused(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = onnx_export.export

    def another(network: Any, file: Path) -> None:
        other = copy.deepcopy(network)
        other.classifier.bias.data += 0.1
        export(other, file)

    monkeypatch.setattr(onnx_export, "export", another)
    with pytest.raises(CheckpointError, match="scores differently after conversion"):
        BertOnnxInt8().convert(bert)


def test_eight_bits_are_refused_where_their_products_overflow(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "int8_products_saturate", lambda: False)
    BertOnnxInt8().convert(bert).save(tmp_path)
    registry.load(tmp_path)
    monkeypatch.setattr(processor, "int8_products_saturate", lambda: True)
    with pytest.raises(DeviceError, match="converted for processors with VNNI") as caught:
        registry.load(tmp_path)
    assert "\n" not in str(caught.value)
    BertOnnxInt8().convert(bert).save(tmp_path)
    registry.load(tmp_path)


def test_it_is_converted_from_full_precision_weights(tiny_bert: Path, tmp_path: Path) -> None:
    settings = BertSettings(checkpoint=str(tiny_bert), precision="bf16")
    trained = Bert(settings).fit(TEXTS, LABELS[TOXIC])
    (folder := tmp_path / "saved").mkdir()
    trained.save(folder)
    for model in (trained, Bert.load(folder)):
        bert_onnx_int8.export(model, tmp_path)
        weight = model._model.bert.encoder.layer[0].output.dense.weight
        assert weight.dtype == torch.float32
        assert not torch.equal(weight.bfloat16().float(), weight)


def test_bert_is_trained_once_for_both(
    tiny_bert: Path, tmp_path: Path, small_split: str, monkeypatch: pytest.MonkeyPatch
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

    first, run = trained("bert-onnx-int8")
    assert first.train_s.origin == "measured"
    assert run.record.setup is not None
    assert run.record.setup.dtype == "int8 linear layers"
    assert "onnxruntime" in run.record.setup.versions
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
    bert: Path, monkeypatch: pytest.MonkeyPatch, tiny_bert: Path, small_split: str
) -> None:
    work = Work(
        Cell("bert-onnx-int8", "cpu", 0, small_split, {"checkpoint": str(tiny_bert)}), silent
    )
    work.setup()
    with pytest.raises(CellError, match="the cache no longer holds bert-abc; run again"):
        work.convert("bert-abc")
    folder = cache_folder("artifacts", "bert-abc")
    shutil.copytree(bert, folder)
    training = small_runs.cell().training
    assert training is not None
    artifacts.write_record(training, folder)
    converted = work.convert("bert-abc")
    assert converted.artifact.startswith("bert-onnx-int8-")
    assert converted.disk_mb.value is not None
    assert converted.disk_mb.value > 0
    work.load(converted.artifact)
    convert = BertOnnxInt8.convert
    monkeypatch.setattr(BertOnnxInt8, "convert", None)
    assert work.convert("bert-abc") == converted
    monkeypatch.setattr(BertOnnxInt8, "convert", convert)
    artifacts.write_record(dataclasses.replace(training, trained_at="later"), folder)
    assert work.convert("bert-abc").artifact != converted.artifact


@pytest.mark.usefixtures("small_split")
def test_it_follows_berts_options(tiny_bert: Path, tmp_path: Path) -> None:
    given = [
        "--preset", "reference", "--models", "bert-onnx-int8,bert", "--dataset", "synthetic:600",
        "--train-size", "60", "--test-size", "20", "--max-length", "24", "--seeds", "2", "--retrain",
        "--checkpoint", f"bert={tiny_bert}", "--runs-folder", str(tmp_path),
    ]  # fmt: skip
    with (tmp_path / "progress").open("w") as stream:
        made = session.Session(options(*given), 2, Progress(stream))
        made.open()
        variant, bert = (
            made.cell_run(model, "cpu", 0).cell for model in ("bert-onnx-int8", "bert")
        )
        other_seed = made.cell_run("bert", "cpu", 1).cell
    assert variant.settings == bert.settings
    assert variant.settings["checkpoint"] == str(tiny_bert)
    assert variant.settings["max_length"] == 24
    assert variant.settings["learning_rate"] == 2e-5  # the preset's for bert
    assert [cell.retrain for cell in (variant, bert, other_seed)] == [True, False, True]
    with pytest.raises(
        OptionError, match="bert-onnx-int8 is bert converted; give --checkpoint bert=x"
    ):
        options("--checkpoint", "bert-onnx-int8=x")
    with pytest.raises(OptionError, match="those that have: embeddings, bert, llama,"):
        options("--checkpoint", "lsa=x")
    by_default = options()
    assert "bert" in by_default.models
    assert "bert-onnx-int8" not in by_default.models

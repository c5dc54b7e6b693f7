"""Programs for fixed shapes: no host in a step, static inputs, too little memory, CUDA graphs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.tiny_networks import make_encoder
from worthit.models.bert import Bert
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.llama_qlora import LlamaQLoRA
from worthit.models.transformer import graphs, padded_scoring
from worthit.models.transformer.bert_settings import BertSettings

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page " * 20,
    "you",
] * 7
LABELS = np.array([1, 0, 0, 1] * 7)
OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"

#: operations that need a value on the host, or bring one from it
_HOST = {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "lift_fresh", "unique"}


class NoHost(TorchDispatchMode):
    """Fails where a card would wait for the host, or a recording would be refused."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        assert name not in _HOST, f"{name} needs the host"
        return function(*args, **(kwargs or {}))


class Watched(graphs.Eager):
    """Does what CUDA graphs do, on the CPU: warms up, then runs without the host.

    Attributes:
        shapes: of the recorded programs.
        addresses: of each program's inputs at each run.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.addresses: dict[int, set[tuple[int, ...]]] = {}
        self.runs = 0

    def record(self, work: graphs.Work, example: graphs.Tensors) -> graphs.Program:
        number = len(self.shapes)
        self.shapes.append(tuple(example["ids"].shape))
        inputs = {name: tensor.clone() for name, tensor in example.items()}
        for _ in range(2):
            work(inputs)

        def run() -> torch.Tensor:
            where = tuple(tensor.data_ptr() for tensor in inputs.values())
            self.addresses.setdefault(number, set()).add(where)
            self.runs += 1
            with NoHost():
                return work(inputs)

        return graphs.Program(inputs, run)


class OutOfMemory(graphs.Eager):
    """Refuses the first attempts, either to record or to run."""

    def __init__(self, failures: int, *, runs: bool) -> None:
        self.failures, self.fails_in_runs = failures, runs
        self.drops = 0

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise torch.OutOfMemoryError(OUT_OF_MEMORY)

    def record(self, work: graphs.Work, example: graphs.Tensors) -> graphs.Program:
        def fail_late(inputs: graphs.Tensors) -> torch.Tensor:
            if not self.failures:
                return work(inputs)
            for value in example_parameters:  # as a backward pass that was cut off leaves them
                value.grad = torch.full_like(value, 7.0)
            self._fail()
            raise AssertionError

        if not self.fails_in_runs:
            self._fail()
        return super().record(fail_late, example)

    def drop(self, programs: Any) -> None:
        super().drop(programs)
        self.drops += 1


example_parameters: list[torch.nn.Parameter] = []


class PaddedLlama(Llama):
    pads = True


class PaddedBert(Bert):
    pads = True


KINDS: dict[str, Any] = {"llama": PaddedLlama, "bert": PaddedBert}


@pytest.fixture(params=["llama", "bert"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(kind: str, telling_llama: Path, telling_bert: Path) -> Any:
    """Makes an unfitted model that uses a recorder."""
    folder = telling_llama if kind == "llama" else telling_bert

    def make(recorder: graphs.Recorder, **changed: Any) -> Any:
        settings = {"checkpoint": str(folder), "precision": "bf16", "learning_rate": 2e-3}
        kinds = {"llama": LlamaSettings, "bert": BertSettings}
        few = {"batch_size": 8, "epochs": 2}  # by default twelve
        model = KINDS[kind](kinds[kind](**settings | few | changed))  # type: ignore[arg-type]
        model._recorder = recorder
        return model

    return make


def losses_of(model: Any) -> list[float]:
    losses: list[torch.Tensor] = []
    model.on_loss = losses.append
    model.fit(TEXTS, LABELS)
    return [float(loss) for loss in losses]


def test_a_step_needs_no_host_and_reads_static_inputs(made: Any) -> None:
    watched = Watched()
    model = made(watched, epochs=3)
    losses_of(model)
    assert watched.runs == 12
    assert 1 <= len(watched.shapes) <= 3
    assert all(len(addresses) == 1 for addresses in watched.addresses.values())


def test_a_step_creates_nothing_on_the_host(made: Any) -> None:
    """On the meta device, tensors of the CPU cannot take part, and no value can be read."""
    model = made(graphs.Eager()).fit(TEXTS, LABELS)
    model._model.to("meta").train()
    if isinstance(model, Llama):
        model._head = model._head.to("meta")
        for module in model._model.modules():
            vars(module).pop("forward", None)  # fused norms hold the weights of before
        for parameter in model._model.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
    ids, lengths = (torch.ones(size, dtype=torch.long, device="meta") for size in ((8, 32), (8,)))
    with NoHost():
        logits = model._padded_logits(ids, lengths)
        torch.nn.functional.cross_entropy(logits, lengths).backward()
    assert logits.device.type == "meta"
    assert logits.shape == (8, 2)
    assert any(parameter.grad is not None for parameter in model._model.parameters())


@pytest.mark.parametrize("architecture", ["distilbert", "roberta"])
def test_other_encoders_need_no_host_either(
    architecture: str, tiny_bert: Path, tmp_path: Path
) -> None:
    settings = BertSettings(
        checkpoint=str(make_encoder(tiny_bert, tmp_path, architecture)), precision="fp32"
    )
    model, watched = PaddedBert(settings), Watched()
    model._recorder = watched
    model.fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert watched.runs > 2


def test_warm_ups_change_neither_weights_nor_moments(made: Any) -> None:
    expected, watched = made(graphs.Eager(), epochs=2), made(Watched(), epochs=2)
    assert losses_of(watched) == losses_of(expected)
    assert np.array_equal(watched.predict_proba(TEXTS), expected.predict_proba(TEXTS))


def test_scoring_needs_no_host_and_no_new_shape_for_single_comments(made: Any) -> None:
    model = made(graphs.Eager()).fit(TEXTS, LABELS)
    expected = model.predict_proba(TEXTS)
    watched = Watched()
    model._scorer._recorder = watched
    model._scorer._programs.clear()
    model._prepare_single()
    prepared = list(watched.shapes)
    assert {rows for rows, _ in prepared} == {1}
    for row in range(4):
        scores = model.predict_proba([TEXTS[row]])[0]
        assert scores == pytest.approx(expected[row], abs=0.02)
        assert model.input_shape(TEXTS[row]) in prepared
    assert watched.shapes == prepared
    model.predict_proba(TEXTS)
    assert watched.shapes != prepared


def test_a_packing_model_prepares_nothing(tiny_bert: Path) -> None:
    settings = BertSettings(checkpoint=str(tiny_bert), precision="fp32")
    assert Bert(settings).input_shape("you") is None


@pytest.mark.parametrize("runs", [False, True])
def test_training_goes_on_with_half_the_rows_if_memory_runs_out(
    made: Any, runs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = made(graphs.Eager(), precision="fp32")
    losses = losses_of(expected)
    recorder = OutOfMemory(2, runs=runs)
    model = made(recorder, precision="fp32")
    original = model._finetune

    def finetune(parameters: Any, *given: Any) -> float:
        example_parameters[:] = parameters
        return float(original(parameters, *given))

    model._finetune = finetune
    assert losses_of(model) == pytest.approx(losses, abs=1e-5)
    assert model.settings.micro_batch_size == 2
    assert model.settings.batch_size == 8  # comments per optimizer step stay
    assert recorder.drops >= 2
    assert "out of memory; trains on 4 comments at once" in capsys.readouterr().err
    assert model.predict_proba(TEXTS) == pytest.approx(expected.predict_proba(TEXTS), abs=1e-4)


def test_training_fails_if_one_comment_is_too_many(made: Any) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        losses_of(made(OutOfMemory(9, runs=False)))


def test_a_micro_batch_of_the_settings_is_used_from_the_start(made: Any) -> None:
    expected, parts = made(graphs.Eager()), made(graphs.Eager(), micro_batch_size=3)
    assert losses_of(parts) == pytest.approx(losses_of(expected), abs=0.05)
    assert parts.settings.micro_batch_size == 3


def test_scoring_goes_on_with_half_the_rows_if_memory_runs_out(
    made: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = made(graphs.Eager()).fit(TEXTS, LABELS)
    expected = model.predict_proba(TEXTS)
    model._scorer._recorder, model._scorer._programs = OutOfMemory(2, runs=False), {}
    assert model.predict_proba(TEXTS) == pytest.approx(expected, abs=0.02)
    said = capsys.readouterr().err
    assert said.count("worthit: out of memory; scores") == 2
    model._scorer._recorder, model._scorer._programs = OutOfMemory(99, runs=False), {}
    with pytest.raises(RuntimeError, match="out of memory"):
        model.predict_proba(TEXTS)


def test_qlora_keeps_four_bits_until_it_is_loaded_for_scoring(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bitsandbytes
    import transformers

    dequantized: list[object] = []
    original = transformers.PreTrainedModel.dequantize

    def dequantize(model: Any, *given: Any) -> Any:
        dequantized.append(model)
        return original(model, *given)

    monkeypatch.setattr(transformers.PreTrainedModel, "dequantize", dequantize)

    class PaddedQLoRA(LlamaQLoRA):
        pads = True

    seen = set()

    class Spy(graphs.Eager):
        def record(self, work: graphs.Work, example: graphs.Tensors) -> graphs.Program:
            for module in model._model.modules():
                if isinstance(module, bitsandbytes.nn.Linear4bit):
                    seen.add(module.weight.dtype)
            return super().record(work, example)

    model = PaddedQLoRA(LlamaSettings(checkpoint=str(tiny_llama), learning_rate=1e-2, epochs=2))
    model._recorder = Spy()
    model.fit(TEXTS, LABELS)
    model.save(tmp_path)
    assert seen == {torch.uint8}
    assert dequantized == []
    loaded = PaddedQLoRA.load(tmp_path)
    assert len(dequantized) == 1
    assert loaded.predict_proba(TEXTS) == pytest.approx(model.predict_proba(TEXTS), abs=0.03)


class FakeCuda:
    """torch.cuda as far as graphs use it: a capture runs the work once, a replay again."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.fails, self.captures = fails, False

    def Stream(self) -> Any:  # noqa: N802
        return SimpleNamespace(wait_stream=lambda other: self.calls.append("wait"))

    def current_stream(self) -> Any:
        return self.Stream()

    @contextlib.contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.calls.append("side")
        yield
        self.calls.append("main")

    def graph_pool_handle(self) -> tuple[int, int]:
        return (0, 1)

    def CUDAGraph(self) -> Any:  # noqa: N802
        return SimpleNamespace(replay=lambda: self.calls.append("replay"))

    @contextlib.contextmanager
    def graph(
        self, graph: Any, *, pool: Any, stream: Any, capture_error_mode: str
    ) -> Iterator[None]:
        self.calls.append("capture")
        yield
        if self.fails:
            raise self.fails

    def synchronize(self) -> None:
        self.calls.append("synchronize")

    def empty_cache(self) -> None:
        self.calls.append("empty")


def doubled(calls: list[str]) -> graphs.Work:
    def work(inputs: graphs.Tensors) -> torch.Tensor:
        calls.append("work")
        return inputs["x"] * 2

    return work


def test_a_graph_is_warmed_up_on_a_side_stream_captured_once_and_replayed() -> None:
    cuda = FakeCuda()
    recorder = graphs.CudaGraphs(cuda)
    example = {"x": torch.ones(2)}
    program = recorder.record(doubled(cuda.calls), example)
    assert cuda.calls == ["wait", "side", "work", "work", "main", "wait", "capture", "work"]
    cuda.calls.clear()
    program({"x": torch.full((2,), 5.0)})
    program({"x": torch.full((2,), 6.0)})
    assert cuda.calls == ["replay", "replay"]
    assert program.inputs["x"].tolist() == [6.0, 6.0]
    assert example["x"].tolist() == [1.0, 1.0]


def test_work_that_cannot_be_captured_runs_eagerly_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cuda = FakeCuda(RuntimeError("operation not permitted when stream is capturing"))
    recorder = graphs.CudaGraphs(cuda)
    program = recorder.record(doubled(cuda.calls), {"x": torch.ones(2)})
    assert program({"x": torch.full((2,), 5.0)}).tolist() == [10.0, 10.0]
    assert "without CUDA graphs (operation not permitted" in capsys.readouterr().err
    cuda.calls.clear()
    recorder.record(doubled(cuda.calls), {"x": torch.ones(3)})
    assert cuda.calls == []  # no second attempt


def test_too_little_memory_for_a_capture_is_not_a_reason_to_run_without() -> None:
    recorder = graphs.CudaGraphs(FakeCuda(torch.OutOfMemoryError(OUT_OF_MEMORY)))
    with pytest.raises(torch.OutOfMemoryError):
        recorder.record(doubled([]), {"x": torch.ones(2)})
    assert not recorder.reason


def test_the_fake_has_only_what_torch_has() -> None:
    names = [name for name in vars(FakeCuda) if not name.startswith("_")]
    assert [name for name in names if not hasattr(torch.cuda, name)] == []


def test_devices_without_graphs_run_the_same_work_eagerly() -> None:
    assert isinstance(graphs.recorder("mps"), graphs.Eager)
    assert padded_scoring.batches.MOST_TOKENS.keys() == {"cpu", "cuda", "mps"}

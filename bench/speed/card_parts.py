"""The process of one part of `card`: returns the part's figures."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
import transformers

from worthit.bench.cells import worker
from worthit.bench.instruments import machine
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.instruments.latency import measure_latency
from worthit.bench.saved.record import unavailable
from worthit.bench.speed import comparison, record, table
from worthit.bench.speed.card import CardOptions, CardRow
from worthit.bench.speed.workload import SIDE, useful_flops
from worthit.datasets import prepare
from worthit.datasets.errors import CellError
from worthit.datasets.splits.protocol import Protocol
from worthit.models.contract import Labels, Probabilities
from worthit.models.hardware import devices
from worthit.models.llama import Llama
from worthit.models.registry import model_class

_MODELS = ("bert", "llama")
_WARM_UP_COMMENTS = 64
#: Llama 3.2 1B's
_SIZES_1B = {
    "hidden_size": 2_048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8_192,
    "vocab_size": 128_256,
}
_SIZES_TINY = _SIZES_1B | {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "head_dim": 32, "intermediate_size": 128, "vocab_size": 49_152,
}  # fmt: skip
#: comments of each comparison; the test side has about 2,900
_COMPARED = {"llm-train": 256, "llm-score": 1_024, "bert-train": 4_096, "bert-score": 2_048}


class CardPart:
    """One part at work: `setup` returns its figures."""

    def __init__(self, part: str, options: CardOptions) -> None:
        self._part, self._options = part, options

    def setup(self) -> list[CardRow]:
        parts: dict[str, Callable[[CardOptions], list[CardRow]]] = {
            "correctness": correctness,
            "rates": rates,
            "shape-1b": shape_1b,
            "comparison": compare_implementations,
            "benchmark": benchmark,
        }
        devices.require(self._options.device)
        return parts[self._part](self._options)


def correctness(options: CardOptions) -> list[CardRow]:
    """Train on 64 comments on the CPU and on the device, in fp32, and compare losses and scores."""
    rows = []
    texts, labels = _comments(options, 64, "train")
    test, _ = _comments(options, 64, "test")
    for name in _MODELS:
        on_cpu = _model(model_class(name), name, options, device="cpu", precision="fp32")
        on_device = _model(_padded(name), name, options, precision="fp32")
        expected_losses, losses = (_losses(each, texts, labels) for each in (on_cpu, on_device))
        expected, found = (each.predict_proba(test) for each in (on_cpu, on_device))
        with tempfile.TemporaryDirectory() as folder:
            on_cpu.save(Path(folder))
            loaded = _padded(name).load(Path(folder), options.device).predict_proba(test)
        differences = {
            "a training loss": (np.abs(np.subtract(losses, expected_losses)).max(), 0.02),
            "a score with the same weights": (np.abs(loaded - expected).max(), 0.005),
            "a score after training": (np.abs(found - expected).max(), 0.05),
        }
        rows += [
            CardRow(f"{name}: largest difference of {what}", float(off), at_most=limit)
            for what, (off, limit) in differences.items()
        ]
    return rows


def rates(options: CardOptions) -> list[CardRow]:
    """Our models alone: comments per second, and the latency of single comments."""
    rows = []
    targets = {"llama": (1_000.0, 15_000.0), "bert": (None, None)}
    for name in _MODELS:
        texts, labels = _comments(options, 64 if options.tiny else 4_096, "train")
        model = _model(_padded(name), name, options)
        trained_per_s = _training_rate(model, texts, labels)
        scored_per_s = _scoring_rate(model, texts)
        model._prepare_single()
        singles = sample_by_length(texts, 30 if options.tiny else 300)
        timed = measure_latency(
            model.predict_proba,
            lambda: devices.synchronize(options.device),
            singles,
            0.5 if options.tiny else 5.0,
            0.0,
            lambda: unavailable("s", "not measured here"),
            model.input_shape,
        )
        p50, p99 = np.percentile(timed.samples_ms, [50, 99])
        train_target, score_target = (None, None) if options.tiny else targets[name]
        rows += [
            CardRow(f"{name}: training", trained_per_s, "comments/s", at_least=train_target),
            CardRow(f"{name}: scoring", scored_per_s, "comments/s", at_least=score_target),
            CardRow(f"{name}: latency p50", float(p50), "ms"),
            CardRow(
                f"{name}: latency p99/p50",
                float(p99 / p50),
                at_most=None if options.device == "cpu" else 2.0,
            ),
        ]
        first = timed.first_shape_ms.value
        if first is not None:
            rows.append(CardRow(f"{name}: slowest first call of a length", first, "ms"))
        if options.device == "cuda":
            peak_mb = torch.cuda.max_memory_allocated() / 1e6
            rows.append(CardRow(f"{name}: peak of tensors so far", peak_mb, "MB"))
    return rows


def shape_1b(options: CardOptions) -> list[CardRow]:
    """A network of Llama 3.2 1B's shape with random weights: its share of matrix products' rate."""
    sizes = _SIZES_TINY if options.tiny else _SIZES_1B
    texts, labels = _comments(options, 80 if options.tiny else 2_048, "train")
    model = _model(_random_llama(sizes), "llama", options)
    trained_per_s = _training_rate(model, texts, labels)
    scored_per_s = _scoring_rate(model, texts)
    tokens = float(np.mean([len(each) for each in model._tokens(texts)]))
    side = 512 if options.tiny else SIDE[options.device]
    gemm_s = devices.gemm_seconds(options.device, model._dtype, side)
    gemm_flops_per_s = 2 * side**3 / gemm_s
    weights = _matmul_parameters(sizes)
    train_flops, score_flops = (
        useful_flops(weights, tokens, trains=trains, all_weights=False) for trains in (True, False)
    )
    train_target, score_target = (None, None) if options.tiny else (40.0, 60.0)
    return [
        CardRow("matrix products", gemm_flops_per_s / 1e12, "TFLOP/s"),
        CardRow("training", trained_per_s, "comments/s"),
        CardRow(
            "training, share of matrix products",
            100 * trained_per_s * train_flops / gemm_flops_per_s,
            "%",
            at_least=train_target,
        ),
        CardRow("scoring", scored_per_s, "comments/s"),
        CardRow(
            "scoring, share of matrix products",
            100 * scored_per_s * score_flops / gemm_flops_per_s,
            "%",
            at_least=score_target,
        ),
    ]


def compare_implementations(options: CardOptions) -> list[CardRow]:
    """The speed comparison, saved as a speed run; one comparison if tiny."""
    rows, results = [], []
    targets = {"bert-train": 3.0, "bert-score": 5.0}
    for name in ["bert-train"] if options.tiny else _COMPARED:
        comments = 64 if options.tiny else _COMPARED[name]
        speed_options = comparison.SpeedOptions(
            dataset=options.dataset,
            device=options.device,
            precision="fp32" if options.tiny else "auto",
            slices=2 if options.tiny else 4,
            comments_train=comments,
            comments_score=comments,
            checkpoints=options.checkpoints,
        )
        result = comparison.compare(name, speed_options)
        print(table.table(result), file=sys.stderr, flush=True)
        results.append(result)
        run = record.SpeedRun(
            datetime.now(UTC).isoformat(timespec="seconds"),
            options.dataset,
            cast(record.Machine, machine.describe()),
            tuple(results),
        )
        record.save(run, Path(options.output) / "speed-run.json")  # what there is so far
        worthit = result.entries[-1]
        rows.append(CardRow(f"{name}: worthit", worthit.comments_per_s, "comments/s"))
        for entry in result.entries[:-1]:
            if not entry.reason:
                speedup = statistics.median(result.speedups(worthit, entry))
                target = targets.get(name) if entry.label == "reference" else None
                rows.append(
                    CardRow(
                        f"{name}: worthit over {entry.label}",
                        speedup,
                        "×",
                        at_least=None if options.tiny else target,
                    )
                )
    return rows


def benchmark(options: CardOptions) -> list[CardRow]:
    """A quick benchmark run of bert and llama, saved with the other runs of the project."""
    sizes = ["--train-size", "40", "--test-size", "20"] if options.tiny else []
    runs = Path(options.output, "runs") if options.tiny else Path(options.root, "reports", "runs")
    runs.mkdir(parents=True, exist_ok=True)
    before = set(runs.glob("*.json"))
    checkpoints = [
        argument
        for model, checkpoint in options.checkpoints.items()
        for argument in ("--checkpoint", f"{model}={checkpoint}")
    ]
    done = subprocess.run(
        [
            sys.executable, "-P", "-m", "pytest", "bench/", "--benchmark-only", "-q",
            "--preset", "quick", "--models", ",".join(_MODELS), "--devices", options.device, "--seeds", "1",
            "--dataset", options.dataset, "--runs-folder", str(runs), *sizes, *checkpoints,
        ],
        cwd=options.root,
        stdout=sys.stderr,
        check=False,
    )  # fmt: skip
    saved = sorted(set(runs.glob("*.json")) - before)
    if not saved:
        raise CellError(f"pytest bench/ saved no run (exit code {done.returncode})")
    return [CardRow(f"saved {saved[-1].name}, exit code", float(done.returncode), at_most=0.0)]


def _comments(options: CardOptions, count: int, part: str) -> tuple[Sequence[str], Labels]:
    found = prepare.comments(prepare.prepare(options.dataset, Protocol()).key, part)
    return found.texts[:count], found.labels[:count]


def _padded(name: str) -> type[Any]:
    """The model as it computes on accelerators, also on a CPU."""
    original = model_class(name)
    return type(original.__name__, (original,), {"pads": True})


def _model(
    kind: type[Any], name: str, options: CardOptions, *, device: str = "", precision: str = "auto"
) -> Any:
    model = kind(device=device or options.device)
    checkpoint = options.checkpoints.get(name)
    return model.set_params(
        precision=precision, epochs=1, **({"checkpoint": checkpoint} if checkpoint else {})
    )


def _losses(model: Any, texts: Sequence[str], labels: Labels) -> list[float]:
    losses: list[torch.Tensor] = []
    model.on_loss = losses.append
    model.fit(texts, labels)
    return torch.stack(losses).tolist()


def _training_rate(model: Any, texts: Sequence[str], labels: Labels) -> float:
    """Comments per second, after the first steps."""
    marks: list[tuple[int, float]] = []

    def progress(done: int, total: int) -> None:
        if done == total or (not marks and done >= min(_WARM_UP_COMMENTS, total // 2)):
            devices.synchronize(model.device)
            marks.append((done, time.perf_counter()))

    model.fit(texts, labels, progress)
    (first, start), (last, end) = marks[0], marks[-1]
    return (last - first) / (end - start)


def _scoring_rate(model: Any, texts: Sequence[str]) -> float:
    """Comments per second, in the second of two passes."""
    scores: Probabilities = model.predict_proba(texts)
    if not np.isfinite(scores).all():
        raise CellError(f"{model.name} scored comments with probabilities that are not numbers")
    devices.synchronize(model.device)
    start = time.perf_counter()
    model.predict_proba(texts)
    devices.synchronize(model.device)
    return len(texts) / (time.perf_counter() - start)


def _random_llama(sizes: dict[str, int]) -> type[Llama]:
    """A Llama of these sizes with random weights, and the tokenizer of its checkpoint."""

    class RandomLlama(Llama):
        pads = True

        def _network(self, folder: Path) -> Any:
            torch.manual_seed(0)
            with torch.device(self.device):  # where filling them takes no time
                network = transformers.AutoModelForCausalLM.from_config(
                    transformers.LlamaConfig(**sizes), dtype=self._dtype
                )
            return network.to(self.device).eval()

        def _require_known_logits(self) -> None:
            """Random weights answer nothing."""

    return RandomLlama


def _matmul_parameters(sizes: dict[str, int]) -> int:
    """Weights in the linear maps of the layers."""
    hidden, head = sizes["hidden_size"], sizes["head_dim"]
    heads, key_heads = sizes["num_attention_heads"], sizes["num_key_value_heads"]
    attention = hidden * head * 2 * (heads + key_heads)
    return sizes["num_hidden_layers"] * (attention + 3 * hidden * sizes["intermediate_size"])


if __name__ == "__main__":
    worker.serve(
        lambda cell, progress: CardPart(cell["part"], msgspec.convert(cell["options"], CardOptions))
    )

"""What tests share: an empty cache, warnings as errors, and models and runs to start from."""

import functools
import gc
import json
import os
import shutil
import string
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

# The hub's library reads it once, when it is imported, which collecting the tests may do.
os.environ["HF_HUB_OFFLINE"] = "1"


def _use_one_core_per_worker() -> None:
    """Pin each pytest-xdist worker, and the processes it starts, to a core of its own.

    Two processes with two OpenMP threads each wait for each other more than they compute. The
    variable is removed because the benchmark, which tests run as users do, refuses to run under xdist.
    """
    worker = os.environ.pop("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


_use_one_core_per_worker()

#: the files that take longest, longest first; xdist's order, by number of tests, would end with them
SLOW_FILES = (
    "bench/test_main_job.py",
    "bench/speed/test_comparison.py",
    "reports/compare/test_repeat.py",
    "bench/speed/test_implementations.py",
    "reports/page/test_browser.py",
    "test_tutorial.py",
    "reports/cli/test_score_models.py",
    "bench/cells/test_cells.py",
    "models/test_bert_runtimes.py",
    "test_real.py",
    "reports/cli/test_run.py",
    "models/test_multilabel.py",
    "models/test_transformers.py",
    "datasets/formats/test_any_table.py",
)

WORDS = (
    "is this comment toxic answer true or false : . the you a nice good helpful thanks stupid "
    "idiot liar clown page article source river old music"
).split()


@pytest.fixture(autouse=True)
def _strict(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each test has an empty cache, unless it is about the real weights and comments."""
    if "real" not in request.keywords:
        monkeypatch.setenv("WORTHIT_CACHE", str(tmp_path / "cache"))
        # On matrices this small two threads wait for each other more than they compute.
        import torch

        torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist, where it is installed, keep the order of `pytest_collection_modifyitems`."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from modules and tests, which stay to the end.

    Each full collection would visit all of them, as before every measurement of memory or latency.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    slow = {here / file: place for place, file in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: slow.get(item.path, len(slow)))
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"))
            # Of torch, transformers and bitsandbytes themselves; ours stay errors.
            item.add_marker(pytest.mark.filterwarnings("default::FutureWarning"))
            item.add_marker(pytest.mark.filterwarnings("default:Merge lora module to 4-bit"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, as `from_pretrained` reads it."""
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights and a byte-level tokenizer that knows the answers."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    answers = " ".join(["", "True", "False", *string.ascii_uppercase])
    tokenizer.train_from_iterator([answers * 9, " ".join(WORDS) * 3], trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>"
    )
    fast.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["model_type"] == "llama"
    return folder


@pytest.fixture(scope="session")
def tuned(
    tiny_bert: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """`tuned("bert", classes, precision)` is the folder of a model that separates the classes.

    Each is trained once in a session.
    """
    from tests import int8_products

    weights = {"bert": tiny_bert, "llama": tiny_llama}

    @functools.cache
    def train_once(name: str, *options: Any) -> Path:
        folder = tmp_path_factory.mktemp("tuned")
        return int8_products.tune(name, weights[name], folder, *options)

    return train_once


def _prepared(cache: Path, **sizes: Any) -> tuple[Path, str]:
    """A cache with 600 prepared comments, and their key."""
    from worthit.datasets import prepare
    from worthit.datasets.splits.protocol import Protocol

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORTHIT_CACHE", str(cache))
        return cache, prepare.prepare("synthetic:600", Protocol(**sizes)).key


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return _prepared(tmp_path_factory.mktemp("prepared"), train_size=60, test_size=20)


@pytest.fixture(scope="session")
def whole_cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return _prepared(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def split(whole_cache: tuple[Path, str], tmp_path: Path) -> str:
    """The key of 600 comments, divided by the default protocol, which are in the test's cache."""
    cache, key = whole_cache
    shutil.copytree(cache, tmp_path / "cache", dirs_exist_ok=True)
    return key


@pytest.fixture
def small_split(prepared_cache: tuple[Path, str], tmp_path: Path) -> str:
    """The key of 60 training and 20 test comments, which are in the test's cache."""
    cache, key = prepared_cache
    shutil.copytree(cache, tmp_path / "cache", dirs_exist_ok=True)
    return key


@pytest.fixture(scope="session")
def examined_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests import command_line

    cache = tmp_path_factory.mktemp("examined")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORTHIT_CACHE", str(cache))
        command_line.prepare_comments("--dataset", "synthetic:600")
    return cache


@pytest.fixture
def examined_comments(examined_cache: Path, tmp_path: Path) -> None:
    """The test's cache has 600 comments, prepared and examined for a run with default options."""
    shutil.copytree(examined_cache, tmp_path / "cache", dirs_exist_ok=True)


@pytest.fixture(scope="session")
def comments() -> list[str | None]:
    from tests import scored_comments

    return scored_comments.made_comments()


@pytest.fixture(scope="session")
def lsa_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a fitted lsa."""
    from tests import scored_comments

    return scored_comments.saved("lsa", tmp_path_factory.mktemp("lsa"))


@pytest.fixture
def score(
    lsa_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`worthit score` with that model; its exit code and what it says."""
    from tests import scored_comments

    return scored_comments.scorer(lsa_model, monkeypatch, capsys)


@pytest.fixture
def untimed_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions open without timing this machine: a loop of a second, and processes that import torch."""
    from worthit.bench import session
    from worthit.bench.forecast import forecast, gemm
    from worthit.bench.saved.record import measured

    monkeypatch.setattr(session, "measure_noise", lambda seconds: measured(1, "%", "no loop"))
    monkeypatch.setattr(forecast._Maker, "_measure", lambda self, product: gemm.Rate(1e12, 4))


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests import energy_counters

    with energy_counters.bare_machine(monkeypatch):
        yield


@pytest.fixture
def rapl(bare_machine: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Makes counters of RAPL that start at the joules given, one a package."""
    from tests import energy_counters

    return partial(energy_counters.made_rapl, monkeypatch, tmp_path / "powercap")

"""The yardstick: every way gives our scores with our weights, and what its tables say."""

import dataclasses
import errno
import importlib.util
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import int8_products
from worthit.bench.speed import bert as bert_ways
from worthit.bench.speed import comparison, gemm, implementations, table, trained_weights
from worthit.bench.speed.entry import Contestant, Sliced
from worthit.bench.speed.flops import useful_flops
from worthit.bench.speed.gemm import matmul_parameters
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.table import Entry, Result
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, DeviceError, OutputError, RunError
from worthit.datasets.splits.protocol import Protocol
from worthit.models import bert, llama
from worthit.models.contract import silent
from worthit.models.transformer import int8_linear

SCORING = [
    ("llama", "llm-reference"),
    ("llama", "llm-huggingface"),
    ("bert", "bert-reference"),
    ("bert", "bert-huggingface"),
    ("bert", "onnx-fp32"),
]
INT8 = [("llama", "llm-int8"), ("bert", "bert-int8")]


def _sharpened(encoder: Path, folder: Path) -> Path:
    """The same with larger weights: as they are, all comments look alike to it."""
    import transformers

    model = transformers.BertModel.from_pretrained(encoder)
    for parameter in model.parameters():
        parameter.data *= 10 if parameter.ndim == 2 else 1
    model.save_pretrained(folder / "sharpened")
    transformers.AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / "sharpened")
    return folder / "sharpened"


@pytest.fixture
def split() -> str:
    return prepare.prepare("synthetic:1500", Protocol()).key


@pytest.fixture(scope="session")
def fitted(
    tiny_bert: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Task]:
    """A scoring task for each model, with weights tuned once and put where each way looks."""
    tasks: dict[str, Task] = {}

    def of(model: str) -> Task:
        if model not in tasks:
            folder = tmp_path_factory.mktemp(model)
            checkpoint = _sharpened(tiny_bert, folder) if model == "bert" else tiny_llama
            task = Task(
                model, "", False, "cpu", "fp32", str(checkpoint), "", 1, 24, fitted=str(folder)
            )
            texts = ["you stupid idiot", "a good source"] * 8
            with warnings.catch_warnings(action="ignore"):  # torch's exporter has some of its own
                trained_weights.lay_out(task, texts, np.array([1, 0] * 8, np.int8), silent)
            settings = (bert.Bert if model == "bert" else llama.Llama)().get_params()
            tasks[model] = dataclasses.replace(task, settings=settings | {"max_length": 20})
        return tasks[model]

    return of


@pytest.mark.parametrize(("model", "way"), SCORING)
def test_every_way_scores_as_ours_does(
    fitted: Callable[[str], Task], split: str, model: str, way: str
) -> None:
    if way.startswith("onnx"):
        for package in ("onnx", "onnxruntime"):
            pytest.importorskip(package)
    texts = prepare.comments(split, "test").texts[:40]
    task = fitted(model)
    ours = implementations.named("worthit")(task)
    ours.load()
    ours.model.set_params(max_length=20)
    other = implementations.named(way)(dataclasses.replace(task, way=way))
    other.load()
    expected = ours.score(texts)
    assert np.ptp(expected) > 1e-3  # of scores all alike, agreement would say nothing
    np.testing.assert_allclose(other.score(texts), expected, atol=1e-5)


@int8_products.multiplies
@pytest.mark.parametrize(("model", "way"), INT8)
def test_our_int8_model_competes_with_the_same_weights(
    fitted: Callable[[str], Task], split: str, model: str, way: str
) -> None:
    texts = prepare.comments(split, "test").texts[:40]
    task = fitted(model)
    ours, other = (implementations.named(each)(task) for each in ("worthit", way))
    for each in (ours, other):
        each.load()
    expected, found = ours.score(texts), other.score(texts)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert found.tolist() != expected.tolist()
    assert other.score([]).shape == (0,)


@pytest.mark.parametrize(("model", "way"), INT8)
def test_int8_competes_where_it_can_and_never_as_ours(
    fitted: Callable[[str], Task],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: str,
    way: str,
) -> None:
    contest = {"llama": "llm-score", "bert": "bert-score"}[model]
    assert list(comparison.CONTESTS[contest].ways)[-2:] == [way, "worthit"]
    with pytest.raises(DeviceError, match=f"{model}-int8 runs on cpu only"):
        implementations.named(way)(dataclasses.replace(fitted(model), device="cuda"))
    monkeypatch.setattr(int8_linear, "_multiplies_exactly", lambda dtype: False)
    with pytest.raises(DeviceError, match=f"{model}-int8 cannot run here"):
        implementations.named(way)(fitted(model))
    trained_weights._round(model, Path(fitted(model).fitted) / "ours", tmp_path)  # tuning goes on
    assert list(tmp_path.iterdir()) == []


def test_slices_of_a_scoring_contest_leave_the_warm_up_out(
    fitted: Callable[[str], Task], split: str
) -> None:
    task = dataclasses.replace(fitted("bert"), way="worthit", split=split, slices=2)
    texts = prepare.comments(split, "test").texts
    task = dataclasses.replace(task, slice_comments=len(texts) // 3)
    at_work = Contestant(task)
    assert at_work.setup()["scoring_batch_size"] == 128
    assert [at_work.slice(1), at_work.slice(2)] == [task.slice_comments] * 2
    outcome = at_work.finish()
    ours = implementations.named("worthit")(task)
    ours.load()
    timed = texts[task.slice_comments : task.comments]
    np.testing.assert_allclose(outcome.scores, ours.score(timed), atol=1e-6)
    assert outcome.memory.peak_mb.value is None or outcome.memory.peak_mb.value > 50


def test_a_training_stands_still_between_slices() -> None:
    steps: list[int] = []

    def fit(progress: Callable[[int, int], None]) -> None:
        for done in (8, 16, 24, 32):
            steps.append(done)
            progress(done, 32)
        steps.append(-1)  # what ends a training

    training = Sliced(fit)
    assert steps == []
    assert training.advance(10) == 16
    assert steps == [8, 16]
    assert training.advance(16) == 8  # it had got so far already, but a slice is never empty
    assert training.advance(32) == 8
    assert steps == [8, 16, 24, 32, -1]
    assert training.advance(32) == 0


@pytest.mark.parametrize(
    ("contest", "steps"),
    [
        ("llm-train", [llama.Llama().get_params()["batch_size"], 1]),
        ("bert-train", [bert.Bert().get_params()["batch_size"], bert_ways._REFERENCE_BATCH]),
    ],
)
def test_slices_that_hold_the_largest_step_are_never_empty(contest: str, steps: list[int]) -> None:
    size = comparison.CONTESTS[contest].largest_step
    assert size == max(steps)
    for step in steps:

        def fit(progress: Callable[[int, int], None], step: int = step) -> None:
            for done in range(step, 4 * size + step, step):
                progress(min(done, 4 * size), 4 * size)

        training = Sliced(fit)
        assert all(training.advance(number * size) for number in (1, 2, 3, 4))


def test_a_training_that_fails_says_so_instead_of_waiting() -> None:
    def fit(progress: Callable[[int, int], None]) -> None:
        raise CellError("no luck")

    with pytest.raises(CellError, match="no luck"):
        Sliced(fit).advance(8)


def test_a_contestant_that_fails_is_out_and_says_why() -> None:
    class Fails:
        seconds = 2.0
        asked = 0

        def start(self, *given: object) -> dict[str, object]:
            return {}

        def ask(self, operation: str, *given: object, number: int = 0) -> int:
            self.asked += 1
            if number == 2:
                raise CellError("out of memory")
            return 8

    task = Task("bert", "bert-reference", False, "cpu", "fp32", "", "", 3, 8)
    worker = Fails()
    entrant = comparison._Entrant("reference", task, worker)  # type: ignore[arg-type]
    entrant.start()
    for number in (1, 2, 3):
        entrant.slice(number)
    assert entrant.finish() == Entry("reference", reason="out of memory")
    assert worker.asked == 2


def test_its_limits_name_options_that_it_has() -> None:
    known = comparison._parser().format_help()
    for option in re.findall(r"--[a-z-]+", comparison._LIMIT.remedy):
        assert option in known
    assert "--" in comparison._LIMIT.remedy


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worthit.bench.speed.onnx", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CellError, match=r"onnxruntime is not installed: pip install"):
        implementations.named("onnx-int8")


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="needs onnxruntime")
def test_onnx_is_compared_on_cpus_only(fitted: Callable[[str], Task]) -> None:
    task = dataclasses.replace(fitted("bert"), device="cuda")
    with pytest.raises(DeviceError, match="CPUs only"):
        implementations.named("onnx-fp32")(task)


def test_operations_are_counted_by_hand(tiny_bert: Path, tiny_llama: Path) -> None:
    # 2 layers: query, key, value and output of 32 x 32; up and down of 32 x 64.
    assert matmul_parameters(str(tiny_bert)) == 2 * (4 * 32 * 32 + 2 * 32 * 64)
    # 2 layers: query and output of 64 x 64; key and value of 64 x 32; gate, up, down of 64 x 128.
    assert matmul_parameters(str(tiny_llama)) == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128)
    assert useful_flops(10, 7.0, trains=False, all_weights=True) == 2 * 10 * 7
    assert useful_flops(10, 7.0, trains=True, all_weights=False) == 4 * 10 * 7
    assert useful_flops(10, 7.0, trains=True, all_weights=True) == 6 * 10 * 7


def test_the_gauge_counts_real_tokens_and_times_products(
    tiny_llama: Path, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gemm._SIDE, "cpu", 64)
    task = Task("llama", "gauge", True, "cpu", "fp32", str(tiny_llama), split, 1, 4)
    measured = gemm.Gauge(task)
    reading = measured.setup()
    model = llama.Llama().set_params(checkpoint=str(tiny_llama), precision="fp32")
    model._open_checkpoint()
    texts = prepare.comments(split, "train").texts[:8]
    question = len(model._tokenizer(model._prompt.question)["input_ids"])
    tokens = [question + len(rest) for rest in model._tokens(texts)]
    assert reading.tokens_per_comment == pytest.approx(np.mean(tokens))
    assert reading.precision == "fp32"
    monkeypatch.setattr("worthit.models.hardware.devices.gemm_seconds", lambda *given: 0.5)
    assert measured.slice(1) == 2 * 64**3 / 0.5


def _result() -> Result:
    return Result(
        "llm-score", "tiny", "bf16", "cpu", 128,
        (
            Entry("reference", (10, 10), (10.0, 5.0), 0.8, 20, 900.0),
            Entry("llama-int8", reason="there is none"),
            Entry("worthit", (10, 10), (2.0, 2.0), 0.9, 20, 1000.0),
        ),
        tokens_per_comment=50.0, flops_per_comment=2e9, gemm_flops_per_s=20e9,
    )  # fmt: skip


def test_the_table_shows_rates_shares_and_ratios_in_80_columns() -> None:
    lines = table.table(_result()).splitlines()
    assert max(map(len, lines)) <= 80
    reference, missing, ours = lines[5:8]
    # 20 comments in 15 s; 20 in 4 s. Slices: 5 of 1 a second, 5 of 2.
    assert reference.split() == "reference 1.33 66.7 13% 80.0% 900 3.8× (2.5 to 5.0)".split()
    assert ours.split() == "worthit 5 250 50% 90.0% 1,000".split()
    assert missing.split()[1:] == ["n/a"] * 6
    assert lines[8] == "llama-int8: there is none"
    assert max(map(len, table.legend([_result()]).splitlines())) <= 80


def test_rows_of_ours_beside_ours_are_set_against_all_others() -> None:
    result = _result()
    assert "llama-int8 is" not in table.table(result)
    able = Entry("llama-int8", (10, 10), (1.0, 1.0), 0.9, 20, 500.0)
    result = dataclasses.replace(result, entries=(result.entries[0], able, result.entries[2]))
    told = "llama-int8 is 7.5× reference, 2.0× worthit"
    assert table.table(result).splitlines()[-1] == told
    assert table.markdown([result]).endswith(f"highest in brackets. {told}.")


def test_the_readme_gets_the_table_between_its_markers(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("# a\n<!-- speed -->\nold\n<!-- end of speed -->\nb\n", "utf-8")
    table.fill(file, [_result()])
    text = file.read_text("utf-8")
    assert text.startswith("# a\n<!-- speed -->\n")
    assert text.endswith("\n<!-- end of speed -->\nb\n")
    assert "old" not in text
    assert "3.8× (2.5 to 5.0)" in text
    file.write_text("# none\n", "utf-8")
    with pytest.raises(RunError, match="has no block"):
        table.fill(file, [_result()])
    with pytest.raises(RunError, match="there is no"):
        table.fill(tmp_path / "absent.md", [_result()])


def test_a_readme_that_cannot_be_filled_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*given: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    file = tmp_path / "README.md"
    file.write_text("<!-- speed -->\n\n<!-- end of speed -->\n", "utf-8")
    monkeypatch.setattr(Path, "write_text", read_only)
    with pytest.raises(OutputError, match=r"README.md cannot be written \(Read-only file system\)"):
        table.fill(file, [_result()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--contests", "marathon"], "unknown contest 'marathon'; known: llm-train"),
        (["--slices", "0"], "--slices is 0; it takes a number from 1 up"),
        (["--checkpoint", "lsa=x"], "is not bert=ID_OR_PATH or llama=ID_OR_PATH"),
        (
            ["--dataset", "synthetic:100"],
            "llm-train needs 120 comments to train on and 48 to score",
        ),
        (
            ["--contests", "bert-train", "--comments-train", "4"],
            "bert-train trains on 32 comments at once, and a slice holds 1; "
            "give --comments-train 128 or more, or fewer --slices",
        ),
        (
            ["--contests", "llm-train", "--slices", "14"],
            "llm-train trains on 8 comments at once, and a slice holds 7; "
            "give --comments-train 112 or more, or fewer --slices",
        ),
    ],
)
def test_bad_options_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert comparison.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_trainings_compete_in_processes_of_their_own(
    tiny_bert: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`Trainer` in particular, which could not run beside a folder named datasets."""
    (tmp_path / "README.md").write_text("<!-- speed -->\n\n<!-- end of speed -->\n", "utf-8")
    options = ["--contests", "llm-train,bert-train", "--dataset", "synthetic:1500", "--readme"]
    options += ["--slices", "2", "--comments-train", "64", "--precision", "fp32"]
    options += ["--root", str(tmp_path), "--checkpoint", f"bert={tiny_bert}"]
    assert comparison.main([*options, "--checkpoint", f"llama={tiny_llama}"]) == 0
    tables = capsys.readouterr().out
    for label in ("reference", "Trainer", "worthit"):
        rows = [line for line in tables.splitlines() if line.startswith(f"{label}  ")]
        assert len(rows) == 2
        assert all("n/a" not in row for row in rows)
    assert (tmp_path / "README.md").read_text("utf-8").count("| Trainer") == 2

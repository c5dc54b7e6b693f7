"""conftest.py and bench/: the benchmark as users start it, its output and its saved run."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.command_line import prepare_comments
from worthit.bench import session
from worthit.bench.instruments import machine
from worthit.bench.saved import run_file, trained_models
from worthit.datasets.sources.synthetic import synthetic
from worthit.reports.cli import main

ROOT = Path(session.__file__).parents[1]
#: a device that this machine does not have
ABSENT = "cuda" if sys.platform == "darwin" else "mps"


def bench(folder: Path, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--dataset", "synthetic:600",
         "--seeds", "1", "--attempts", "1",
         "--runs-folder", str(folder), "--benchmark-storage", f"file://{folder}/benchmarks", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more,
    )  # fmt: skip


def only_run(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*-quick.json")
    run_file.load(file)  # checks what a session saved
    run: dict[str, Any] = json.loads(file.read_text())
    return run


@pytest.fixture(scope="module")
def other() -> list[str]:
    """Comments of another synthetic corpus."""
    rows: list[str] = synthetic(400, seed=9)["text"].to_pylist()
    return rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, other: list[str]) -> tuple[Path, str]:
    """The folder of a run of two models with out-of-domain comments, and its output."""
    folder = tmp_path_factory.mktemp("finished")
    labels = synthetic(400, seed=9)["label"].to_pylist()
    rows = [f'"{text}",{label}' for text, label in zip(other, labels, strict=True)]
    (folder / "other.csv").write_text("\n".join(["body,toxic", *rows]) + "\n")
    done = bench(
        folder,
        *("--models", "lsa,tfidf", "-k", "train or accuracy or latency and lsa"),
        *("--also-test", str(folder / "other.csv")),
        *("--electricity-price=0.3", "--carbon-intensity=56", "--recall=0.9"),
        f"--benchmark-json={folder / 'pytest-benchmark.json'}",
        env=os.environ | {"WORTHIT_CACHE": str(folder / "cache")},
    )
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 0, printed
    return folder, printed


def test_a_run_of_two_models_is_saved_reported_and_replayed(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    run = only_run(folder)
    assert run["complete"]
    assert [cell["model"] for cell in run["cells"]] == ["lsa", "tfidf"]
    assert run["options"]["--electricity-price"] == "0.3"
    assert run["options"]["--carbon-intensity"] == "56"
    assert run["options"]["--recall"] == "0.9"
    assert run["machine"]["fingerprint"] == machine.fingerprint(run["machine"])
    assert run["noise"]["value"] > 0
    assert all(0 < cell["measured_s"] < cell["wall_s"] for cell in run["cells"])
    scored = run["cells"][0]["quality"]
    assert len(scored["validation"]) == len(run["data"]["validation"]["ids"]) > 0
    assert "[2/2] tfidf-cpu" in printed
    assert "test_latency[lsa-cpu]" in printed
    (report,) = folder.glob("*/README.md")
    assert "not measured in this run" in report.read_text()
    saved = json.loads((folder / "pytest-benchmark.json").read_text())
    timed = {entry["name"]: entry for entry in saved["benchmarks"]}
    samples = [s / 1e3 for s in run["cells"][0]["latency"]["samples_ms"]]
    assert timed["test_latency[lsa-cpu]"]["stats"]["median"] == pytest.approx(
        float(np.median(samples))
    )
    assert timed["test_latency[lsa-cpu]"]["params"] == {
        "model": "lsa",
        "device": "cpu",
        "seed": "0",
    }


def test_out_of_domain_comments_are_scored_and_the_data_is_examined(
    finished: tuple[Path, str], other: list[str]
) -> None:
    folder, printed = finished
    before, _, _ = printed.partition("[1/2] lsa-cpu")
    assert "test comments nearly repeat a training comment" in before
    run = only_run(folder)
    assert run["options"]["--also-test"] == "other.csv"
    (part,) = (other["part"] for other in run["data"]["out_of_domain"])
    size = len(run["data"]["test"]["labels"])
    assert (len(part["labels"]), sum(part["labels"])) == (size, size // 2)
    assert f"also tested on other.csv: {size} comments (not toxic, toxic)" in before
    for cell in run["cells"]:
        (scored,) = cell["quality"]["out_of_domain"]
        assert len(scored["probabilities"]) == size
        assert scored["probabilities"] != cell["quality"]["test"]
    assert run["data"]["audit"]["train"]["comments"] > 200
    (report,) = folder.glob("*/README.md")
    assert "### other.csv" in report.read_text()
    assert "## Data audit" in report.read_text()
    assert not any(text in json.dumps(run) for text in other[:50])


@pytest.mark.usefixtures("examined_comments")
def test_a_run_that_x_ends_early_in_the_last_cell_is_incomplete(tmp_path: Path) -> None:
    done = bench(tmp_path, "--models", "hf:/no/such/folder", "-x", "-k", "train or accuracy")
    printed, _ = done.communicate(timeout=100)
    assert done.returncode == 1
    assert "stopping after 1 failures" in printed
    run = only_run(tmp_path)
    assert len(run["cells"]) == 1
    assert not run["complete"]
    (report,) = tmp_path.glob("*/README.md")
    assert "interrupted" in report.read_text()


def test_bad_input_ends_in_one_line(tmp_path: Path) -> None:
    arguments = {
        "unknown model 'gpt'; known: majority,": ["--models", "gpt"],  # refused before collection
        "there is no file /no/file.csv": ["--also-test", "/no/file.csv"],  # refused by the session
    }
    for message, given in arguments.items():
        done = bench(tmp_path, *given)
        printed, _ = done.communicate(timeout=200)
        assert done.returncode == 4
        assert message in printed
        assert "Traceback" not in printed
    assert not list(tmp_path.glob("*.json"))


def test_own_models_further_checkpoints_failures_and_skips_have_rows(
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = (
        "import numpy as np\n"
        "class Short:\n"
        "    def fit(self, texts, labels):\n"
        "        self.share = float(np.mean(labels))\n"
        "    def predict_proba(self, texts):\n"
        "        positive = np.array([0.8 if len(text) < 90 else 0.4 for text in texts])\n"
        "        return np.column_stack([1 - positive, positive])\n"
    )
    (tmp_path / "short_code.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    runs, bert = tmp_path / "reports" / "runs", f"hf:{tiny_bert.name}"
    sizes = ("--train-size", "60", "--test-size", "20")
    prepare_comments("--dataset", "synthetic:600", *sizes)
    done = bench(
        runs, "--models", f"hf:/no/such/folder,short_code:Short,majority,hf:{tiny_bert}",
        *sizes, "--max-length", "16",
        "--devices", f"cpu,{ABSENT}", "-rs", "-k", "train or accuracy",
    )  # fmt: skip
    printed, _ = done.communicate(timeout=300)
    assert done.returncode == 1, printed
    assert "there is no folder or .gguf file /no/such/folder" in printed
    assert "Traceback" not in printed
    assert "2 failed, " in printed  # two cells; the accuracy of each is skipped
    run = only_run(runs)
    assert run["complete"]
    assert run["options"]["--models"] == f"hf:folder,short_code:Short,majority,{bert}"
    cells = {(cell["model"], cell["device"]): cell for cell in run["cells"]}
    short, majority = cells["Short", "cpu"], cells["majority", "cpu"]
    measured = [short, majority, cells[bert, "cpu"]]
    failed, skipped = cells["hf:folder", "cpu"], cells[bert, ABSENT]
    assert len(cells) == len(measured) + 3
    assert failed["failures"][0].startswith("training: there is no folder")
    assert skipped["skipped"].startswith(f"device {ABSENT} is not available: ")
    assert skipped["skipped"] in printed
    kinds = [cell["setup"]["kind"] for cell in measured]
    assert kinds == ["classical", "classical", "encoder"]
    assert short["setup"]["code"] == "short_code:Short"
    assert set(short["quality"]["test"]) == {0.8, 0.4}
    assert set(majority["quality"]["test"]) == {0.5}
    assert str(tmp_path) not in json.dumps(run)
    assert "test_train[Short-cpu]" in printed
    assert re.search(rf"^\[\d/6\] {bert}-cpu  \(", printed, re.MULTILINE)
    (report,) = runs.glob("*/README.md")
    assert "short_code:Short" in report.read_text()
    assert (report.parent / f"confusion-hf-{tiny_bert.name}-cpu.png").is_file()

    (tmp_path / "in.jsonl").write_text('{"text": "WHY"}\n')
    for given in ("Short", "short_code:Short", f"{report.parent.name}:Short"):
        score = ["score", "--model", given, str(tmp_path / "in.jsonl"), "--root", str(tmp_path)]
        assert main.main([*score, "--output", str(tmp_path / "out.csv")]) == 0
        assert (tmp_path / "out.csv").read_text() == "row,score,predicted\n1,0.8,toxic\n"
        (tmp_path / "out.csv").unlink()
    named = trained_models.find(f"hf:{tiny_bert}", runs)
    assert named.folder == trained_models.find(f"hf:{tiny_bert.name}", runs).folder
    assert named.card.model == "bert"


def test_three_classes_are_classified_correctly(tmp_path: Path) -> None:
    words = ("ham from the river", "spam for sale", "a question of rules")
    rows = [f"{words[i % 3]} {i},{words[i % 3].split()[i % 3 == 2]}" for i in range(300)]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["text,label", *rows]) + "\n")
    done = bench(
        tmp_path, "--dataset", str(table), "--models", "tfidf", "--learning-curve",
        "-k", "train or accuracy or learning",
    )  # fmt: skip
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 0, printed
    run = only_run(tmp_path)
    assert run["complete"]
    assert run["data"]["classes"] == ["ham", "question", "spam"]
    truth = run["data"]["test"]["labels"]
    assert f"{len(truth)} + {len(run['data']['natural']['labels'])} test comments scored" in printed
    (cell,) = run["cells"]
    assert not cell["failures"]
    assert cell["learning_curve"]
    for scored in (cell["quality"]["test"], *(point["test"] for point in cell["learning_curve"])):
        probabilities = np.reshape(scored, (-1, 3))
        assert probabilities.argmax(axis=1).tolist() == truth
    (report,) = tmp_path.glob("*/README.md")
    assert run["data"]["notes"]
    for text in ("tfidf", *run["data"]["notes"]):
        assert text in report.read_text()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell's background jobs, and the processes they start, ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible", "examined_comments")
def test_ctrl_c_saves_and_reports_finished_cells(tmp_path: Path) -> None:
    # The second cell takes long, so that it is not finished when it is interrupted.
    which = "majority and train or tfidf and energy"
    done = bench(tmp_path, "--models", "majority,tfidf", "-k", which)
    assert done.stdout is not None
    printed = ""
    for line in done.stdout:
        printed += line
        if line.startswith("[2/2] tfidf-cpu"):
            break
    children = psutil.Process(done.pid).children(recursive=True)
    done.send_signal(signal.SIGINT)
    printed += done.communicate(timeout=60)[0]
    assert done.returncode == 2, printed
    run = only_run(tmp_path)
    assert not run["complete"]
    assert [cell["model"] for cell in run["cells"]] == ["majority"]
    assert run["cells"][0]["training"]
    assert "report:" in printed
    (report,) = tmp_path.glob("*/README.md")
    assert "interrupted" in report.read_text()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_collecting_imports_nothing_heavy() -> None:
    program = (
        "import pytest, sys\n"
        "pytest.main(['--collect-only', '-q', 'bench/', '--devices', 'cpu'])\n"
        "heavy = {'torch', 'sklearn', 'transformers', 'matplotlib'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "68/126 tests collected (58 deselected)" in done.stdout
    assert "imported: []" in done.stdout


@pytest.mark.parametrize("sorting", [(), ("-p", "tests.reversed_tests")])
def test_cells_and_their_tests_keep_their_order(sorting: tuple[str, ...]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--collect-only", "-q",
         "--models", "lsa,bert,llama,llama-qlora", "--devices", "cpu", *sorting],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    cells = list(dict.fromkeys(re.findall(r"\[(\S+)\]$", found, re.MULTILINE)))
    models = ("lsa", "bert", "llama", "llama-qlora")
    assert cells == [f"{model}-cpu{seed}" for model in models for seed in ("", "-seed1", "-seed2")]
    tests = re.findall(r"::test_(\w+)\[lsa-cpu\]$", found, re.MULTILINE)
    assert tests == ["train", "latency", "throughput", "energy", "accuracy", "memory"]

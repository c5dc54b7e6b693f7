"""conftest.py and bench/: the main job as users type it, what it leaves behind and what it says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from worthit.bench import session
from worthit.bench.instruments import machine
from worthit.bench.saved import run_file, trained_models
from worthit.datasets.sources.synthetic import Synthetic
from worthit.reports.cli import main

ROOT = Path(session.__file__).parents[1]


def bench(folder: Path, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--dataset", "synthetic:600",
         "--runs-folder", str(folder), "--benchmark-storage", f"file://{folder}/benchmarks", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more,
    )  # fmt: skip


def only_run(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*-quick.json")
    run_file.load(file)  # takes what a session saves
    run: dict[str, Any] = json.loads(file.read_text())
    return run


@pytest.fixture(scope="module")
def other() -> list[str]:
    """Comments that the main job has not made."""
    rows: list[str] = Synthetic(400, seed=9).read()["text"].to_pylist()
    return rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, other: list[str]) -> tuple[Path, str]:
    """A folder of one run of two models, tested on other comments too, and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    labels = Synthetic(400, seed=9).read()["label"].to_pylist()
    rows = [f'"{text}",{label}' for text, label in zip(other, labels, strict=True)]
    (folder / "other.csv").write_text("\n".join(["body,toxic", *rows]) + "\n")
    done = bench(
        folder,
        *("--models", "lsa,tfidf", "-k", "train or latency or accuracy"),
        *("--also-test", str(folder / "other.csv")),
        *("--electricity-price=0.3", "--carbon-intensity=56", "--recall=0.9"),
        f"--benchmark-json={folder / 'pytest-benchmark.json'}",
        env=os.environ | {"WORTHIT_CACHE": str(folder / "cache")},
    )
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 0, printed
    return folder, printed


def test_the_main_job_on_two_models(finished: tuple[Path, str]) -> None:
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


def test_comments_of_other_origin_are_tested_on_and_the_data_examined(
    finished: tuple[Path, str], other: list[str]
) -> None:
    folder, printed = finished
    before, _, _ = printed.partition("[1/2] lsa-cpu")
    assert "comments tested on nearly repeat one trained on" in before
    run = only_run(folder)
    assert run["options"]["--also-test"] == "other.csv"
    (part,) = (also["part"] for also in run["data"]["also"])
    size = len(run["data"]["test"]["labels"])
    assert (len(part["labels"]), sum(part["labels"])) == (size, size // 2)
    assert f"also tested on other.csv: {size} comments (not toxic, toxic)" in before
    for cell in run["cells"]:
        (scored,) = cell["quality"]["also"]
        assert len(scored["probabilities"]) == size
        assert scored["probabilities"] != cell["quality"]["test"]
    assert run["data"]["trust"]["train"]["comments"] > 200
    (report,) = folder.glob("*/README.md")
    assert "### other.csv" in report.read_text()
    assert "## Data audit" in report.read_text()
    assert not any(text in json.dumps(run) for text in other[:50])


@pytest.mark.skipif(sys.platform == "darwin", reason="this machine may have the absent device")
def test_a_failing_cell_and_an_absent_device_leave_the_others_alone(tmp_path: Path) -> None:
    done = bench(
        tmp_path, "--models", "llama-zero-shot,lsa", "--checkpoint", "llama-zero-shot=/no/such/folder",
        "--devices", "cpu,mps", "-rs", "-k", "train or accuracy",
    )  # fmt: skip
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 1
    assert "there is no folder or .gguf file /no/such/folder" in printed
    assert "Traceback" not in printed
    run = only_run(tmp_path)
    assert run["complete"]
    failed, skipped, fine = run["cells"]
    assert failed["failures"][0].startswith("training: there is no folder")
    assert skipped["skipped"].startswith("device mps is not available: no Apple GPU")
    assert skipped["skipped"] in printed
    assert fine["quality"] is not None


@pytest.mark.parametrize(("which", "complete"), [("train or accuracy", False), ("train", True)])
def test_what_x_cuts_short_in_the_last_cell_is_no_complete_run(
    tmp_path: Path, which: str, complete: bool
) -> None:
    done = bench(
        tmp_path, "--models", "llama-zero-shot", "--checkpoint", "llama-zero-shot=/no/such/folder",
        "-x", "-k", which,
    )  # fmt: skip
    printed, _ = done.communicate(timeout=100)
    assert done.returncode == 1
    assert "stopping after 1 failures" in printed
    run = only_run(tmp_path)
    assert len(run["cells"]) == 1
    assert run["complete"] is complete
    (report,) = tmp_path.glob("*/README.md")
    assert ("interrupted" in report.read_text()) is not complete


def test_bad_input_ends_in_one_line(tmp_path: Path) -> None:
    refused = {
        "unknown model 'gpt'; known: majority,": ["--models", "gpt"],
        "there is no file /no/file": ["--dataset", "jigsaw:/no/file"],
        "there is no file /no/file.csv": ["--also-test", "/no/file.csv"],
        "--train-size 100,000 was asked for": ["--train-size", "100000"],
    }
    # All at once, as each of them does little but import.
    started = {message: bench(tmp_path, *given) for message, given in refused.items()}
    said = {message: done.communicate(timeout=200)[0] for message, done in started.items()}
    for message, printed in said.items():
        assert started[message].returncode == 4
        assert message in printed
        assert "Traceback" not in printed
    assert not list(tmp_path.glob("*.json"))


def test_a_model_of_ones_own_and_further_checkpoints_are_rows(
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
    runs = tmp_path / "reports" / "runs"
    models = f"short_code:Short,majority,hf:{tiny_bert}"
    few = ["--train-size", "60", "--test-size", "20", "--max-length", "16"]
    done = bench(runs, "--models", models, *few, "-k", "train or accuracy")
    printed, _ = done.communicate(timeout=300)
    assert done.returncode == 0, printed
    run = only_run(runs)
    assert run["options"]["--models"] == f"short_code:Short,majority,hf:{tiny_bert.name}"
    cells = {cell["model"]: cell for cell in run["cells"]}
    assert list(cells) == ["Short", "majority", f"hf:{tiny_bert.name}"]
    kinds = [cell["setup"]["kind"] for cell in cells.values()]
    assert kinds == ["classical", "classical", "encoder"]
    assert cells["Short"]["setup"]["code"] == "short_code:Short"
    assert set(cells["Short"]["quality"]["test"]) == {0.8, 0.4}
    assert set(cells["majority"]["quality"]["test"]) == {0.5}
    assert str(tmp_path) not in json.dumps(run)
    assert "test_train[Short-cpu]" in printed
    assert f"[3/3] hf:{tiny_bert.name}-cpu" in printed
    (report,) = runs.glob("*/README.md")
    assert "short_code:Short" in report.read_text()
    assert (report.parent / f"confusion-hf-{tiny_bert.name}-cpu.png").is_file()

    (tmp_path / "in.jsonl").write_text('{"text": "WHY"}\n')
    for given in ("Short", "short_code:Short", f"{report.parent.name}:Short"):
        score = ["score", "--model", given, str(tmp_path / "in.jsonl"), "--root", str(tmp_path)]
        assert main.main([*score, "--output", str(tmp_path / "out.csv")]) == 0
        assert (tmp_path / "out.csv").read_text() == "row,score\n1,0.8\n"
        (tmp_path / "out.csv").unlink()
    named = trained_models.find(f"hf:{tiny_bert}", runs)
    assert named.folder == trained_models.find(f"hf:{tiny_bert.name}", runs).folder
    assert named.card.model == "bert"


def test_a_table_of_ones_own_says_what_was_guessed(tmp_path: Path) -> None:
    rows = [
        f"{i};a note on {'awful' if i % 3 == 0 else 'old'} rivers {i};{i % 3}" for i in range(300)
    ]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["id;tweet;label", *rows]) + "\n")
    arguments = ("--dataset", str(table), "--models", "tfidf", "-k", "train or accuracy")
    done = bench(tmp_path, *arguments, "--positive-label", "0", "--no-balance")
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 0, printed
    before, _, _ = printed.partition("[1/1] tfidf-cpu")
    run = only_run(tmp_path)
    assert run["data"]["classes"] == ["not 0", "0"]
    assert run["data"]["balanced"] is False
    assert run["data"]["language"] == "any"
    assert "text column: tweet (guessed; --text-column changes it)" in run["data"]["notes"]
    (report,) = tmp_path.glob("*/README.md")
    for note in run["data"]["notes"]:
        assert note in before
        assert note in report.read_text()
    assert run["options"]["--dataset"] == "mine.csv"
    assert run["options"]["--positive-label"] == "0"
    assert str(tmp_path) not in json.dumps(run["data"])


def test_three_classes_are_told_apart(tmp_path: Path) -> None:
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
        found = np.reshape(scored, (-1, 3))
        assert found.argmax(axis=1).tolist() == truth
    (report,) = tmp_path.glob("*/README.md")
    assert "tfidf" in report.read_text()


@pytest.fixture
def _heeds_interrupts() -> Iterator[None]:
    """Of a shell's background jobs, all that they start would ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeds_interrupts")
def test_ctrl_c_keeps_and_reports_finished_cells(tmp_path: Path) -> None:
    # The second cell takes long, so that it is not finished when it is interrupted.
    done = bench(tmp_path, "--models", "lsa,tfidf", "-k", "lsa and latency or tfidf and energy")
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
    assert run["cells"][0]["latency"]["samples_ms"]
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
    assert "48/56 tests collected (8 deselected)" in done.stdout
    assert "imported: []" in done.stdout

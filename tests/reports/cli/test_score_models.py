"""Using a trained model: processes and pipes, and every kind of model, of runs and exported."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.own_code import install
from tests.scored_comments import COMMENTS, read, saved, written
from worthit.bench.saved import trained_models
from worthit.datasets.errors import CheckpointError, OptionError, RunError
from worthit.models import registry
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.weights import checkpoints
from worthit.reports.cli import main, score_settings


def command(model: Path, *arguments: str) -> list[str]:
    start = (
        "import sys; from worthit.reports.cli import main as cli; code = cli.main(sys.argv[1:])\n"
    )
    report = "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    return [sys.executable, "-P", "-c", start + report, "score", "--model", str(model), *arguments]


def test_the_output_of_a_killed_process_is_resumed(lsa_model: Path, tmp_path: Path) -> None:
    source, whole, target = (tmp_path / name for name in ("in.jsonl", "whole.csv", "out.csv"))
    chunk = b'{"text": "you idiot"}\n{"text": "thanks for the article"}\n' * 512
    note = tmp_path / "out.csv.partial.json"
    with subprocess.Popen(
        command(lsa_model, "--output", str(target)),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        chunks = 0
        while not note.exists() or json.loads(note.read_bytes())["rows"] == 0:
            process.stdin.write(chunk)
            process.stdin.flush()
            chunks += 1
            time.sleep(0.2)
        process.kill()
    source.write_bytes(chunk * (chunks + 1))
    for output in (whole, target):
        arguments = ["score", "--model", str(lsa_model), str(source), "--output", str(output)]
        assert main.main([*arguments, "--resume"]) == 0
    assert target.read_bytes() == whole.read_bytes()
    assert target.read_text().count("\n") == 1 + 1024 * (chunks + 1)


def test_pipes_work_without_torch_or_pictures(tmp_path: Path) -> None:
    source = "\n".join(json.dumps({"text": text}) for text in ("you idiot", "thanks"))
    done = subprocess.run(
        command(saved("tfidf", tmp_path)), input=source, capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["row"] for row in found] == [1, 2]
    assert found[0]["score"] > found[1]["score"]
    modules = done.stderr.split()
    assert "sklearn" in modules
    assert not {"torch", "transformers", "matplotlib"} & set(modules)


def test_a_closed_pipe_ends_it_quietly(lsa_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "you idiot\n" * 20_000)
    with subprocess.Popen(
        command(lsa_model, str(source)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "Broken" not in said
    assert process.returncode == 1


def test_an_adapter_is_refused_with_other_weights(tiny_llama: Path, tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "saved"
    shutil.copytree(tiny_llama, base)
    folder.mkdir()
    settings = LlamaSettings(checkpoint=str(base), precision="fp32")
    tuned = Llama(settings).fit(["you idiot", "thanks"] * 4, np.array([1, 0] * 4))
    tuned.save(folder)
    moved = base.rename(tmp_path / "moved")
    checkpoints.resolve.cache_clear()
    with pytest.raises(CheckpointError, match="there is no folder"):
        registry.load(folder)
    loaded = registry.load(folder, checkpoint=str(moved))
    expected = tuned.predict_proba(["you idiot"])
    assert loaded.predict_proba(["you idiot"]) == pytest.approx(expected, abs=1e-3)
    config = json.loads((moved / "config.json").read_text("utf-8"))
    (moved / "config.json").write_text(json.dumps(config | {"rope_theta": 5.0}), "utf-8")
    checkpoints.resolve.cache_clear()
    with pytest.raises(CheckpointError, match=r"was trained on .*but .*moved here is") as no:
        registry.load(folder, checkpoint=str(moved))
    assert "\n" not in str(no.value)


def test_a_bert_needs_no_checkpoint_and_scores_chunks(
    tiny_bert: Path, tmp_path: Path, comments: list[str | None], score: Any
) -> None:
    bert = registry.model_class("bert")().set_params(checkpoint=str(tiny_bert), max_length=16)
    bert.fit(["you idiot", "thanks"] * 4, np.array([1, 0] * 4)).save(tmp_path)
    source, target = written("csv", tmp_path, comments), tmp_path / "out.jsonl"
    code, said = score(source, "--output", target, "--batch-size", "2", with_model=tmp_path)
    assert (code, "bert in" in said) == (0, True)
    assert len(read(target)) == COMMENTS
    with pytest.raises(OptionError, match="holds all its weights"):
        registry.load(tmp_path, checkpoint=str(tiny_bert))


def test_a_damaged_model_is_refused_in_one_line(score: Any, tmp_path: Path) -> None:
    saved("tfidf", tmp_path)
    source = tmp_path / "in.csv"
    source.write_text("text\na\n")
    (tmp_path / "head.safetensors").write_bytes(b"cut")
    code, said = score(source, with_model=tmp_path)
    assert (code, "cannot be read" in said, said.count("\n")) == (2, True, 1)
    (tmp_path / "worthit.json").write_text("{}")
    code, said = score(source, with_model=tmp_path)
    assert (code, "holds no saved model" in said) == (2, True)


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("lsa", "words.json", b"[]"),
        ("own", "model.skops", b"PK, cut off"),
        ("bert", "tokenizer.json", b"[]"),
        ("bert", "config.json", b"{"),
    ],
)
def test_any_damaged_file_of_a_model_is_reported_in_one_line(
    name: str,
    file: str,
    content: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_bert: Path,
) -> None:
    if name == "own":
        name = f"{install(tmp_path, monkeypatch, str(tmp_path))}:pipeline"
    settings = {"checkpoint": str(tiny_bert)} if name == "bert" else {}
    model = registry.model_class(name)().set_params(**settings)
    (folder := tmp_path / "saved").mkdir()
    model.fit(["good thing", "bad idea"] * 10, np.array([0, 1] * 10)).save(folder)
    assert (folder / file).is_file()
    (folder / file).write_bytes(content)
    with pytest.raises(RunError, match=r"cannot be read .*copy the whole folder again") as caught:
        registry.load(folder)
    assert "\n" not in str(caught.value)


def test_an_output_depends_on_the_code_of_a_users_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    code = install(tmp_path, monkeypatch, request.node.nodeid)
    (tmp_path / "model").mkdir()
    made = registry.model_class(f"{code}:KeepsItself")()
    made.fit(["a", "b"], np.array([0, 1])).save(tmp_path / "model")
    trained = trained_models.find(str(tmp_path / "model"), tmp_path)
    names = ("device", "batch_size", "input_format", "encoding", "delimiter", "columns", "sheet")
    parsed = argparse.Namespace(**dict.fromkeys(names))

    def model() -> str:
        return score_settings.begun_with(parsed, trained, None, "text", ())["the model"]

    before = model()
    assert before == model()
    with (tmp_path / f"{code}.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    assert before != model()

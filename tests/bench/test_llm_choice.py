"""bench/llm_choice.py: the LLM of each row and device, where the user names none."""

from pathlib import Path

import pytest

from tests.command_line import options
from worthit.bench import llm_choice, session
from worthit.bench.cells.progress import Progress
from worthit.bench.instruments import machine
from worthit.models.weights import largest
from worthit.models.weights.largest import SMALLEST, Llm

MEDIUM = Llm("Qwen/Qwen2.5-Coder-1.5B@c0ffee", "Qwen2.5-Coder-1.5B", 1_543_714_304)
LLM_ROWS = "llama,llama-int8,llama-zero-shot"


@pytest.fixture(autouse=True)
def _cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 24 GB and two LLMs."""
    monkeypatch.setattr(largest, "cached", lambda: [SMALLEST, MEDIUM])
    gpu = machine.NvidiaGpu("RTX", "570", None, 24 * 10**9)
    monkeypatch.setattr(machine, "nvidia_gpus", lambda: [gpu])


def chosen(*arguments: str) -> dict[tuple[str, str], str]:
    """(row, device) → name of the LLM."""
    choices = llm_choice.choose(options(*arguments))
    return {(row, choice.device): choice.llm.name for choice in choices for row in choice.rows}


def test_a_gpu_gets_the_largest_llm_and_a_cpu_the_default() -> None:
    found = chosen("--models", f"tfidf,bert,hf:some/thing,{LLM_ROWS}", "--devices", "cpu,cuda")
    large = MEDIUM.name
    assert found == {("llama", "cuda"): large, ("llama-zero-shot", "cuda"): large}
    assert chosen("--models", "tfidf,bert", "--devices", "cuda") == {}


def test_on_a_cpu_the_preset_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_choice.processor, "allowed_cores", lambda: 4)
    monkeypatch.setattr(llm_choice.main_memory, "usable_bytes", lambda: Memory.total)
    assert chosen("--models", LLM_ROWS) == {}
    found = chosen("--models", LLM_ROWS, "--preset", "standard")
    assert found == {(row, "cpu"): MEDIUM.name for row in LLM_ROWS.split(",")}
    monkeypatch.setattr(llm_choice.processor, "allowed_cores", lambda: 2)
    assert {*chosen("--models", LLM_ROWS, "--preset", "standard").values()} == {SMALLEST.name}
    (choice,) = llm_choice.choose(options("--models", LLM_ROWS, "--preset", "standard"))
    assert "the packaged LLM; no larger cached one fits in 32 GB and 2 cores" in str(choice)


class Memory:
    total = 32 * 10**9


def test_a_given_checkpoint_is_used_by_its_row_and_the_converted_one() -> None:
    given = ("--models", LLM_ROWS, "--devices", "cuda", "--checkpoint", "llama=some/llm")
    assert chosen(*given) == {("llama-zero-shot", "cuda"): MEDIUM.name}
    converted = options(*given[:2], *given[4:], "--preset", "standard")
    assert [choice.rows for choice in llm_choice.choose(converted)] == [("llama-zero-shot",)]
    of_preset = ("--models", LLM_ROWS, "--devices", "cuda", "--preset", "reference")
    assert chosen(*of_preset) == {}


@pytest.mark.usefixtures("untimed_machine", "examined_comments")
def test_the_choice_is_announced_before_training_and_reaches_the_cell(
    tmp_path: Path,
) -> None:
    given = options(
        *("--models", "lsa,llama,llama-zero-shot", "--devices", "cpu,cuda"),
        *("--dataset", "synthetic:600", "--runs-folder", str(tmp_path / "runs")),
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 5, Progress(stream))
        new.open()
        before = (tmp_path / "progress").read_text()
        cells = [new.cell_run("llama", device, 0).cell for device in ("cpu", "cuda")]
    assert (
        "llama, llama-zero-shot on cuda: Qwen2.5-Coder-1.5B, 1.5 B parameters, the largest cached "
        "LLM that fits in 24 GB" in " ".join(before.split())
    )
    assert [cell.settings.get("checkpoint") for cell in cells] == [None, MEDIUM.checkpoint]

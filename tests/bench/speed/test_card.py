"""bench/speed/card.py: all parts run end to end on a CPU, and the table comes last."""

import json
from pathlib import Path

import pytest

import worthit.bench.speed.card as card
from worthit.bench.speed import card_parts, record
from worthit.bench.speed.card import CardRow, PartResult


@pytest.mark.parametrize("part", ["correctness,rates,shape-1b", "comparison", "benchmark"])
def test_all_parts_run_on_a_cpu_with_tiny_sizes(
    part: str,
    split: str,
    tiny_bert: Path,
    tiny_llama: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = card.main(
        [
            "--device", "cpu", "--tiny", "--parts", part, "--dataset", "synthetic:1500",
            "--checkpoint", f"bert={tiny_bert}", "--checkpoint", f"llama={tiny_llama}",
            "--root", str(Path(card.__file__).parents[2]), "--output", str(tmp_path),
        ]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0, printed
    files = sorted(tmp_path.glob("*-*-*-*.json"))
    assert len(files) == len(part.split(","))
    for file in files:
        result = json.loads(file.read_text("utf-8"))
        assert result["rows"]
        assert all(row["what"] in printed for row in result["rows"])
    if part == "comparison":
        assert record.load(tmp_path / "speed-run.json").comparisons[0].name == "bert-score"


def test_a_part_that_takes_too_long_fails_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--device", "cpu", "--parts", "rates,shape-1b", "--limit", "0.01"]
    assert card.main([*arguments, "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("failed: start took longer than its limit of 0 s; give a higher --l") == 2


def test_a_device_that_is_not_there_is_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert card.main(["--parts", "rates", "--output", str(tmp_path)]) == 1
    assert "failed: device cuda is not available" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "marathon"], "unknown part 'marathon'; known: correctness"),
        (["--checkpoint", "lsa=x"], "unknown model 'lsa'; known: bert"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert card.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_table_compares_figures_with_their_targets() -> None:
    rows = (
        CardRow("slow", 900.0, "comments/s", at_least=1_000),
        CardRow("fast", 1_100.0, "comments/s", at_least=1_000),
        CardRow("uneven", 3.0, at_most=2.0),
        CardRow("free", 3.0),
    )
    assert [row.verdict for row in rows] == ["off", "ok", "off", ""]
    printed = card.table([PartResult("rates", "cuda", 1.0, rows)])
    assert "900 comments/s" in printed
    assert "≥ 1,000" in printed


def test_the_shape_is_that_of_llama_1b() -> None:
    assert card_parts._matmul_parameters(card_parts._SIZES_1B) == pytest.approx(973e6, rel=0.01)

"""bench/speed/card.py: all parts run end to end on a CPU, and the table comes last."""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import worthit.bench.speed.card as card
from tests import speed_runs
from worthit.bench import options
from worthit.bench.speed import card_parts, comparison, record
from worthit.bench.speed.card import CardOptions, CardRow, PartResult


def options_for(folder: Path, **changed: Any) -> CardOptions:
    options = CardOptions("cpu", "synthetic:1500", {}, True, str(folder), str(folder))
    return dataclasses.replace(options, **changed)


@pytest.mark.parametrize("part", [card_parts.correctness, card_parts.rates])
def test_a_card_is_checked_and_timed_with_both_models(
    part: Callable[[CardOptions], list[CardRow]],
    split: str,
    tiny_bert: Path,
    tiny_llama: Path,
    tmp_path: Path,
) -> None:
    checkpoints = {"bert": str(tiny_bert), "llama": str(tiny_llama)}
    rows = part(options_for(tmp_path, checkpoints=checkpoints))
    assert {row.what.partition(":")[0] for row in rows} == {"bert", "llama"}
    assert len(rows) >= 6
    assert not [row for row in rows if row.verdict == "off"]


def test_a_part_runs_in_its_process_and_is_saved_and_printed(
    split: str,
    tiny_llama: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = ["shape-1b"]
    code = card.main(
        [
            "--device", "cpu", "--tiny", "--parts", ",".join(parts), "--dataset", "synthetic:1500",
            "--checkpoint", f"llama={tiny_llama}",
            "--root", str(Path(card.__file__).parents[2]), "--output", str(tmp_path),
        ]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0, printed
    files = sorted(tmp_path.glob("*-*-*-*.json"))
    assert len(files) == len(parts)
    for file in files:
        result = json.loads(file.read_text("utf-8"))
        assert result["rows"]
        assert all(row["what"] in printed for row in result["rows"])


def test_the_comparison_is_saved_as_a_speed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def compare(name: str, options: comparison.SpeedOptions) -> record.ComparisonResult:
        asked.append(name)
        comparison.make_task(name, options)  # raises if there are too few comments
        return dataclasses.replace(speed_runs.comparison(), name=name)

    monkeypatch.setattr(comparison, "compare", compare)
    rows = card_parts.compare_implementations(options_for(tmp_path))
    assert asked == ["bert-train"]
    assert [(row.what, row.value) for row in rows] == [
        ("bert-train: worthit", 5.0),
        ("bert-train: worthit over reference", pytest.approx(3.75)),
    ]
    assert record.load(tmp_path / "speed-run.json").comparisons[0].name == "bert-train"


def test_the_benchmark_is_run_with_options_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **given: Any) -> Any:
        parser = argparse.ArgumentParser()
        options.add(parser.add_argument)
        rest = command[command.index("-q") + 1 :]
        parsed = parser.parse_args(rest)
        assert parsed.checkpoint == ["bert=x"]
        (Path(parsed.runs_folder) / "a-run.json").write_text("{}")
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(card_parts.subprocess, "run", run)
    (row,) = card_parts.benchmark(options_for(tmp_path, checkpoints={"bert": "x"}))
    assert row.what == "saved a-run.json, exit code"
    assert row.verdict == "off"


def test_a_part_that_takes_too_long_fails_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--device", "cpu", "--parts", "rates,shape-1b", "--limit", "0.01"]
    assert card.main([*arguments, "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("failed: start took longer than its limit of 0 s; give a higher --l") == 2


class Here:
    """Does a part in this process, since another one imports torch first."""

    def __init__(self, given: dict[str, Any], *_: Any) -> None:
        self._part = card_parts.CardPart(**given)

    def start(self, *_: Any) -> list[CardRow]:
        return self._part.setup()

    def close(self) -> None: ...


def test_a_device_that_is_not_there_is_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card.engine, "Worker", Here)
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

"""bench/forecast/cost.py and earlier.py: the forecast against what a run on this kind of machine took."""

import dataclasses
import functools
import re
from pathlib import Path

import pytest

from tests import small_runs
from worthit.bench.forecast import cost, earlier
from worthit.bench.forecast.cost import Rates, Training, Work
from worthit.bench.forecast.networks import _PACKAGED, Network
from worthit.bench.presets import PRESETS
from worthit.bench.saved import run_file
from worthit.bench.saved.record import CellRecord, Run
from worthit.bench.speed import record as speed_record

ROOT = Path(run_file.__file__).parents[2]
_FACTOR = 2.0


@functools.cache
def published() -> Run:
    """The run of the first page's table: preset quick with its default models."""
    named = re.search(r"<!-- results: (\S+) -->", (ROOT / "README.md").read_text("utf-8"))
    assert named is not None
    return run_file.load(ROOT / "reports" / "runs" / f"{named[1]}.json")


def gemm() -> float:
    """Operations per second of such a machine, as the committed speed comparison measured them."""
    files = sorted((ROOT / "reports" / "runs" / "speed").glob("*.json"))
    saved = speed_record.load(files[-1])
    assert saved.machine["cpu"] == published().machine["cpu"]
    return next(each for each in saved.comparisons if "bert" in each.name).best_gemm_flops_per_s


def work() -> Work:
    data = published().data
    return Work(
        train=1_000,
        validation=len(data.validation.labels),
        scored=2_300,
        characters=earlier.read(data.train.characters),
        classes=2,
    )


def seconds(rates: Rates, cell: CellRecord) -> float:
    training_s = cost.training_s(rates, work())
    if cell.seed:
        return training_s + cost.scoring_s(rates, work())
    return training_s + cost.measuring_s(rates, work(), PRESETS["quick"].effort)


def estimated(cell: CellRecord) -> Rates:
    if cell.model in cost.CLASSICAL:
        return cost.of_classical(cell.model, work())
    is_llm = cell.model.startswith("llama")
    sizes = _PACKAGED["SmolLM2-135M-Instruct" if is_llm else "all-MiniLM-L6-v2"]
    assert cell.training is not None
    training = Training(
        passes=cell.training.settings.get("epochs") or 0,
        all_weights=not is_llm,
        frozen=cell.model == "embeddings",
        chooses=cell.model == "llama-zero-shot",
        four_bits=cell.model == "llama-qlora",
    )
    return cost.of_transformer(
        Network(*sizes, None), training, work(), 73 if is_llm else 57, gemm(),
        cores=published().machine["cores_allowed"], bytes_per_weight=2,
    )  # fmt: skip


def test_estimates_are_within_a_factor_of_two_of_a_run() -> None:
    for cell in published().cells:
        ratio = seconds(estimated(cell), cell) / cell.wall_s
        assert 1 / _FACTOR < ratio < _FACTOR, f"{cell.name}: {ratio:.2f}"


def test_memory_is_within_a_factor_of_one_and_a_half_of_a_run() -> None:
    for cell in published().cells:
        rates = estimated(cell)
        assert cell.training is not None
        peak_mb = cell.training.memory.peak_mb.value
        assert peak_mb is not None
        ratio = max(rates.training_mb, rates.scoring_mb) / peak_mb
        assert 1 / 1.5 < ratio < 1.5, f"{cell.name}: {ratio:.2f}"


def test_rates_of_a_run_forecast_the_same_run() -> None:
    run = published()
    for cell in run.cells:
        rates = earlier.rates([("before", run)], cell.model, cell.device, work())
        assert rates is not None
        assert rates.run == "before"
        assert 0.8 < seconds(rates, cell) / cell.wall_s < 1.25, cell.name


def test_rates_of_a_run_are_scaled_to_the_comments() -> None:
    run = published()
    few = dataclasses.replace(work(), train=250, characters=work().characters / 2)
    for model, least, most in (("lsa", 7.9, 8.1), ("bert", 3.9, 4.1), ("llama", 3.9, 4.1)):
        whole = earlier.rates([("before", run)], model, "cpu", work())
        part = earlier.rates([("before", run)], model, "cpu", few)
        assert whole is not None
        assert part is not None
        # A quarter of the comments, half as long; transformers read them twice as often.
        assert least < whole.train_s / part.train_s < most
        assert part.score_s == pytest.approx(whole.score_s / 2)


def test_only_runs_of_this_machine_with_the_same_models_count(tmp_path: Path) -> None:
    run = published()
    run_file.save(run, tmp_path / "2026-01-01-000000-quick.json")
    mine, options = run.machine["fingerprint"], run.options
    assert [name for name, _ in earlier.runs(tmp_path, mine, options)] == [
        "2026-01-01-000000-quick"
    ]
    assert not earlier.runs(tmp_path, "another", options)
    assert not earlier.runs(tmp_path, mine, options | {"--checkpoint llama": "other"})
    assert not earlier.runs(tmp_path, mine, options | {"--preset": "standard"})
    assert earlier.runs(tmp_path, mine, options | {"--recall": "0.5"})


def test_a_run_without_a_fingerprint_counts_for_no_machine(tmp_path: Path) -> None:
    run = small_runs.run()
    assert "fingerprint" not in run.machine
    run_file.save(run, tmp_path / "2026-01-01-000000-quick.json")
    assert [name for name, _ in run_file.readable(tmp_path.glob("*.json"))]
    assert earlier.runs(tmp_path, "mine", run.options) == []


@pytest.mark.parametrize(
    ("checkpoint", "counts"),
    [
        (None, True),
        ("SmolLM2-135M-Instruct", True),
        ("/folder/SmolLM2-135M-Instruct", True),
        ("org/larger@0123", False),
    ],
)
def test_rates_of_other_weights_do_not_count(checkpoint: str | None, counts: bool) -> None:
    runs = [("before", published())]
    assert bool(earlier.rates(runs, "llama", "cpu", work(), checkpoint)) == counts

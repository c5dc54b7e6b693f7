"""reports/compare/regression.py: what counts as a regression."""

import dataclasses
from typing import Any

import pytest

from tests import factories
from tests.compared_runs import (
    cell,
    compare,
    data,
    energy,
    latency,
    memory,
    rows,
    run,
    scores,
    training,
    warnings,
)
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable

RATIOS = (
    "latency p50, ms", "latency p99, ms", "training, s", "throughput, comments/s",
    "peak memory, MB", "CPU time, core-ms/comment", "CPU energy, mJ/comment",
)  # fmt: skip


def test_identical_runs_are_equal_in_everything() -> None:
    found = compare(run(), run())
    assert [rows(found, heading)[0][4].strip("*≈") for heading in RATIOS] == ["1.00"] * 7
    assert [rows(found, heading)[0][4] for heading in ("test accuracy", "ROC AUC")] == ["+0.0"] * 2
    assert rows(found, "test accuracy")[0][5] == "+0.0 to +0.0"
    assert found.verdict == "no regression beyond 10 %"
    assert not found.regressed
    assert warnings(found) == []
    assert "Better:" not in found.text


def test_a_slower_model_is_a_regression_and_is_named() -> None:
    slow = cell(latency=latency(1.3, seed=2))
    found = compare(run(cell("lsa"), cell()), run(cell("lsa", latency=latency(seed=3)), slow))
    assert found.regressed
    assert found.verdict == "regression: bert-cpu latency p50 (B)"
    assert "- B, bert-cpu latency p50: ×1.3" in found.text
    assert f"**{found.verdict}**" in found.text
    assert rows(found, "Check for regressions")[1][2].startswith("×1.3")
    assert compare(run(), run(slow), limit_percent=80).verdict == "no regression beyond 80 %"
    back = compare(run(slow), run(cell()))
    assert not back.regressed
    assert "Better:\n\n- B, bert-cpu latency p50: ×0.7" in back.text


def test_a_significant_shift_below_the_limit_passes() -> None:
    found = compare(run(cell(latency=latency(samples=5000))),
                     run(cell(latency=latency(1.05, samples=5000))))  # fmt: skip
    assert rows(found, "Check for regressions")[0][2:4] == ["×1.05", "1.05 to 1.05"]
    assert found.verdict == "no regression beyond 10 %"


@pytest.mark.parametrize(("noise", "regressed"), [(22.0, False), (3.0, True)])
def test_a_uniform_slowdown_within_the_noise_is_no_regression(
    noise: float, regressed: bool
) -> None:
    percent = measured(noise, "%", "p95 over p5")
    found = compare(run(noise=percent), run(cell(latency=latency(1.18)), noise=percent))
    assert rows(found, "Check for regressions")[0][2] == "×1.18"
    assert found.regressed == regressed
    back = compare(run(cell(latency=latency(1.18)), noise=percent), run(noise=percent))
    assert ("Better:" in back.text) == regressed


def test_latency_is_not_checked_without_the_noise_of_the_machine() -> None:
    unknown = unavailable("%", "too short")
    found = compare(run(), run(cell(latency=latency(3)), noise=unknown))
    assert not found.regressed
    assert found.verdict == (
        "no regression beyond 10 %; times not checked, because the noise of B was not measured"
    )


def test_repeated_passes_over_the_same_comments_are_no_further_evidence() -> None:
    """Of 20 comments, those of the later run are slower by chance; 50 passes repeat that."""

    def passes(seed: int, times: float) -> record.CellRecord:
        once = latency(times, seed, samples=20)
        return cell(latency=dataclasses.replace(
            once, samples_ms=once.samples_ms * 50, characters=(9,) * 1_000, comments=20
        ))  # fmt: skip

    found = compare(run(passes(1, 1.0)), run(passes(2, 1.3)))
    low, high = rows(found, "Check for regressions")[0][3].split(" to ")
    assert float(low) < 1.1 < float(high)
    assert not found.regressed


def test_the_interval_has_95_percent_for_all_models_together() -> None:
    later = cell(latency=latency(1.1, seed=2))
    alone = rows(compare(run(), run(later)), "Check for regressions")[0][3]
    many = [dataclasses.replace(cell(), seed=seed) for seed in range(8)]
    others = [dataclasses.replace(later, seed=seed) for seed in range(8)]
    wider = rows(compare(run(*many), run(*others)), "Check for regressions")[0][3]
    (low, high), (lowest, highest) = (map(float, text.split(" to ")) for text in (alone, wider))
    assert lowest < low
    assert high < highest


def test_a_ratio_beyond_the_limit_passes_if_it_has_too_few_samples() -> None:
    found = compare(run(cell(latency=latency(samples=6))),
                     run(cell(latency=latency(1.3, samples=6))))  # fmt: skip
    assert rows(found, "latency p50, ms")[0][4] == "1.30"
    assert not found.regressed
    assert "- latency p99, ms: n/a, p99 needs 299 samples" in found.text


def test_three_samples_are_never_evidence() -> None:
    def three(*samples_ms: float) -> record.CellRecord:
        p50 = measured(samples_ms[1], "ms", "clock", 3)
        return cell(
            latency=dataclasses.replace(latency(), samples_ms=samples_ms, comments=3, p50_ms=p50)
        )

    found = compare(run(three(1.0, 1.01, 1.02)), run(three(2.0, 2.01, 2.02)))
    assert rows(found, "Check for regressions")[0][2:4] == ["n/a", "n/a"]
    assert not found.regressed


@pytest.mark.parametrize(
    ("changed", "what", "how"),
    [
        ({"memory": memory(580)}, "peak memory", "×1.16, one sample each"),
        ({"training": training(11.5)}, "training", "×1.15, one sample each"),
        (
            {"throughput": factories.throughput(factories.rate(80, core_ms=10))},
            "throughput",
            "×0.80, one sample each",
        ),
        ({"energy": energy(0.003, "measured")}, "CPU energy", "×1.50, one sample each"),
        ({"failures": ("energy: out of memory",)}, "failed", "energy: out of memory"),
        ({"skipped": "no CUDA"}, "skipped", "no CUDA"),
    ],
)
def test_figures_of_one_sample_and_failures_are_regressions(
    changed: dict[str, Any], what: str, how: str
) -> None:
    base = cell(energy=energy(origin="measured"))
    found = compare(run(base), run(dataclasses.replace(base, **changed)))
    assert found.verdict == f"regression: bert-cpu {what} (B)"
    assert f"Worse:\n\n- B, bert-cpu {what}: {how}\n" in found.text
    assert found.regressed
    assert not compare(run(dataclasses.replace(base, **changed)), run(base)).regressed


@pytest.mark.parametrize("noise", [measured(30.0, "%", "p95 over p5"), unavailable("%", "x")])
def test_times_of_one_sample_must_exceed_the_noise(noise: Figure) -> None:
    later = cell(training=training(12), throughput=factories.throughput(80), energy=energy(0.0025))
    noisy = run(later, noise=noise)
    found = compare(run(), noisy)
    assert not found.regressed
    assert any("noise" in line or "noisy, 30 %" in line for line in warnings(found))
    assert not compare(noisy, run()).text.count("Better:")
    assert compare(run(), run(cell(memory=memory(600)), noise=noise)).regressed
    worst = cell(training=training(14))
    assert compare(run(), run(worst, noise=noise)).regressed == (noise.value is not None)


def test_memory_must_exceed_its_variation_between_runs() -> None:
    assert not compare(run(), run(cell(memory=memory(570)))).regressed
    assert not compare(run(), run(cell(memory=memory(570))), limit_percent=5).regressed
    assert "Better:" not in compare(run(cell(memory=memory(570))), run()).text
    found = compare(run(), run(cell(memory=memory(580))), limit_percent=5)
    assert found.verdict == "regression: bert-cpu peak memory (B)"
    assert not compare(run(), run(cell(memory=memory(580))), limit_percent=20).regressed


def test_estimates_and_cached_figures_are_not_checked() -> None:
    cached = training(train_s=Figure(20, "s", "cached", "clock"))
    found = compare(run(), run(cell(energy=energy(0.02, "estimated"), training=cached)))
    assert not found.regressed
    assert rows(found, "CPU energy, mJ/comment")[0][2:] == ["2", "*≈20*", "n/a [1]"]
    assert rows(found, "training, s")[0][2:] == ["10", "20 (cached)", "2.00 (cached)"]


@pytest.mark.parametrize("other", ["measured", "estimated"])
def test_an_estimate_of_energy_has_no_ratio(other: str) -> None:
    estimated = run(cell(energy=energy(0.002, "estimated")))
    found = compare(estimated, run(cell(energy=energy(0.2, other))))
    assert rows(found, "CPU energy, mJ/comment")[0][4] == "n/a [1]"
    assert "would compare assumptions" in found.text
    assert not found.regressed


def test_accuracy_lost_on_the_same_comments_is_a_regression() -> None:
    def scored(wrong: int) -> record.CellRecord:
        return cell(quality=record.Quality((), scores(range(wrong)), (), 1.0, 0.25))

    found = compare(run(), run(scored(20)))
    assert found.verdict == "regression: bert-cpu test accuracy (B)"
    assert "bert-cpu test accuracy: -5.0 points (" in found.text
    assert rows(found, "test accuracy")[0][2:5] == ["100.0 %", "95.0 %", "-5.0"]
    assert rows(found, "Check for regressions")[0][4:6] == ["20", "0"]
    assert not compare(run(), run(scored(5))).regressed  # 5 to 0: McNemar's p is 0.06
    assert "Better:\n\n- B, bert-cpu test accuracy: +5.0" in compare(run(scored(20)), run()).text


def test_a_significant_loss_of_less_than_half_a_point_passes() -> None:
    many = factories.part((1,) * 2000)

    def lost(comments: int) -> record.Run:
        probabilities = (0.1,) * comments + (0.9,) * (2000 - comments)
        one = cell(quality=record.Quality((), probabilities, (), 1.0, 0.25))
        return run(one, data=data(test=many))

    found = compare(lost(0), lost(9))
    assert float(rows(found, "Check for regressions")[0][6]) < 0.05
    assert not found.regressed
    assert compare(lost(0), lost(11)).regressed

"""bench/speed/table.py: what a terminal shows of a speed run."""

import dataclasses

from tests.speed_runs import INT8, REFERENCE, WORTHIT, comparison, speed_run
from worthit.bench.speed import table
from worthit.reports.sections import speed


def test_the_table_shows_rates_shares_and_ratios_in_80_columns() -> None:
    lines = table.table(comparison()).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "llm-score: tiny, cpu, bf16, 50 tokens (limit 128), 20 GFLOP/s"
    reference, missing, worthit = lines[5:8]
    # 20 comments in 15 s and in 4 s. In the slices: 5 per s against 1, and 5 against 2.
    assert reference.split() == "reference 1.33 13% 80.0% (20) 900 3.8× (2.5 to 5.0)".split()
    assert worthit.split() == "worthit 5 50% 90.0% (20) 1,000".split()
    assert missing.split()[1:] == ["n/a"] * 5
    assert lines[8] == "llama-int8: it cannot run here"


def test_disturbed_slices_are_marked_with_the_reason() -> None:
    seen = ("other processes used 48 % of the CPU time, limit 3 %", "")
    slowed = dataclasses.replace(REFERENCE, disturbances=seen)
    lines = table.table(comparison(slowed, WORTHIT)).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[5].split()[:3] == ["reference", "1.33", "d"]
    assert "1.33 d" in speed.render(speed_run(comparison(slowed, WORTHIT)))
    note = (
        "d: llm-score, reference: other work disturbed 1 of 2 slices, so its speed is not "
        "comparable (other processes used 48 % of the CPU time, limit 3 %)"
    )
    assert note in " ".join(lines)
    assert note in speed.render(speed_run(comparison(slowed, WORTHIT)))
    assert table.disturbances([comparison()]) == []


def test_the_legend_fits_80_columns_and_names_the_machine() -> None:
    lines = table.legend(speed_run()).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "a CPU, 2 cores, a GPU, torch 2.13"


def test_other_worthit_models_are_compared_with_all_entries() -> None:
    assert table.variants(comparison()) == []  # llama-int8 has no result
    result = comparison(REFERENCE, INT8, WORTHIT)
    line = "llama-int8 speed-up: 7.5× over reference, 2.0× over worthit"
    assert table.variants(result) == [line]
    assert table.table(result).splitlines()[-1] == line

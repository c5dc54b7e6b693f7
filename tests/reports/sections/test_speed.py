"""reports/sections/speed.py: a speed run as Markdown."""

from tests.speed_runs import INT8, REFERENCE, WORTHIT, comparison, speed_run
from worthit.reports.sections import speed


def test_the_table_and_its_notes_come_from_the_record() -> None:
    conditions, body, notes = speed.render(speed_run()).split("\n\n")
    assert conditions == (
        "a CPU, 2 cores, a GPU, torch 2.13, 2026-01-02; tiny in bf16 on cpu; "
        "matrix products in the comparisons: 20 GFLOP/s."
    )
    reference, missing, worthit = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[2:]
    )
    assert reference == [
        "llm-score", "reference", "1.33", "66.7", "13%", "80.0% (20)", "900",
        "3.8× (2.5 to 5.0)",
    ]  # fmt: skip
    assert missing == ["llm-score", "llama-int8", *["n/a"] * 6]
    assert worthit == ["llm-score", "worthit", "5", "250", "50%", "90.0% (20)", "1,000", ""]
    assert notes.startswith("Other implementations score batches of 64 sorted by length")
    assert "reference follows the method of the reference experiment, in code of this" in notes
    assert notes.endswith("llama-int8: it cannot run here.")


def test_other_worthit_models_are_compared_with_all_entries() -> None:
    text = speed.render(speed_run(comparison(REFERENCE, INT8, WORTHIT)))
    assert text.endswith(" llama-int8 speed-up: 7.5× over reference, 2.0× over worthit.")

"""The models section: settings, and what choosing them took."""

import dataclasses

from tests.rendering import render
from tests.verdict_runs import cell, run
from worthit.bench.saved.record import measured


def test_a_chosen_prompt_is_shown_with_the_time_of_choosing() -> None:
    untuned = cell("llama-zero-shot", 0.6)
    assert untuned.training is not None
    training = dataclasses.replace(
        untuned.training,
        settings={"prompt": "statement:all"}, tried=16, choosing_s=measured(37.25, "s", "clock"),
    )  # fmt: skip
    text = render(run(cell("bert", 0.88), dataclasses.replace(untuned, training=training)))
    section = text.split("\n## Models")[1]
    (row,) = [line for line in section.splitlines() if "llama-zero-shot" in line and "37.2" in line]
    assert "| 16 |" in " ".join(row.split())
    assert "prompt statement:all" in section
    assert "chooses no settings" not in section


def test_a_training_that_processes_share_says_how_many() -> None:
    one, two = cell("bert", 0.88), cell("llama", 0.9)
    assert one.training is not None
    assert two.training is not None
    shared = dataclasses.replace(two, training=dataclasses.replace(two.training, processes=2))
    text = render(run(one, shared))
    note = "2 processes shared the training"
    table, models = text.split("\n## Models")
    assert note in table  # with the time
    assert note in models  # with the peak memory
    assert note not in render(run(one, two))


def test_a_setting_of_several_lines_stays_in_its_row() -> None:
    own = cell("bert", 0.88)
    assert own.training is not None
    training = dataclasses.replace(own.training, settings={"question": "Is this\nrude|mean?"})
    text = render(run(dataclasses.replace(own, training=training)))
    assert "| question Is this rude\\|mean? |" in " ".join(text.split())

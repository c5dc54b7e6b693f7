"""bench/forecast/cost.py against a run that its constants were not fitted to: `run_of_5000.json`."""

import json
from pathlib import Path
from typing import Any

import pytest

from worthit.bench.forecast import cost
from worthit.bench.forecast.cost import Rates, Training, Work
from worthit.bench.forecast.networks import _PACKAGED, Network
from worthit.bench.presets import PRESETS

_FACTOR = 2.0
RUN: dict[str, Any] = json.loads(Path(__file__).with_name("run_of_5000.json").read_text("utf-8"))
WORK = Work(**RUN["work"])


def rates(cell: dict[str, Any]) -> Rates:
    model = cell["model"]
    if model in cost.CLASSICAL:
        return cost.of_classical(model, WORK)
    is_llm = model == "llama"
    given = RUN["estimated"]
    return cost.of_transformer(
        Network(*_PACKAGED["SmolLM2-135M-Instruct" if is_llm else "all-MiniLM-L6-v2"], None),
        Training(cell["epochs"] or 0, all_weights=not is_llm, frozen=model == "embeddings"),
        WORK,
        given["tokens"]["llm" if is_llm else "encoder"],
        given["gemm_flops_per_s"],
        cores=1,
        bytes_per_weight=2,
    )


@pytest.mark.parametrize(
    "timed", RUN["cells"], ids=lambda timed: f"{timed['model']}-{timed['seed']}"
)
def test_each_cell_and_each_training_is_within_a_factor_of_two(timed: dict[str, Any]) -> None:
    found = rates(timed)
    training_s = cost.training_s(found, WORK)
    measuring_s = (
        cost.scoring_s(found, WORK)
        if timed["seed"]
        else cost.measuring_s(found, WORK, PRESETS["quick"].effort)
    )
    for estimated_s, measured_s in (
        (training_s + measuring_s, timed["wall_s"]),
        (found.train_s, timed["train_s"]),
    ):
        assert 1 / _FACTOR < measured_s / estimated_s < _FACTOR, (estimated_s, measured_s)

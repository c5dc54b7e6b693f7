"""Two processes that share a training make the steps that one process makes with the whole batch."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests import two_processes
from worthit.models.transformer.data_parallel import Split
from worthit.models.transformer.place import Place

# Sums have another order. In fp32 that changed losses by 1e-7 of their value, and parameters by 2e-7; in
# bf16, where gradients are rounded to 8 bits before they are added, losses by 2e-4 and parameters by 5e-4.
_FP32, _BF16 = 3e-6, 5e-3


@pytest.fixture(scope="module")
def shared(
    tiny_bert: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A folder with the results of both processes, and the checkpoints."""
    folder = tmp_path_factory.mktemp("shared")
    checkpoints = {"bert": str(tiny_bert), "llama": str(tiny_llama)}
    with two_processes.second_process(json.dumps(checkpoints), str(folder)) as second:
        two_processes.train_all(checkpoints, folder, 0)
        assert second.wait(60) == 0
    return folder, checkpoints


@pytest.mark.parametrize("name", two_processes.TRAININGS)
def test_two_processes_have_the_losses_and_parameters_of_one(
    name: str, shared: tuple[Path, dict[str, str]]
) -> None:
    folder, checkpoints = shared
    number = list(two_processes.TRAININGS).index(name)
    first, second = (dict(np.load(folder / f"{number}-{rank}.npz")) for rank in (0, 1))
    losses, alone = two_processes.train(name, checkpoints, None)
    within = _BF16 if "bf16" in name else _FP32
    parts = first.pop("losses"), second.pop("losses")
    assert np.abs(parts[0]).min() > 0
    assert sum(parts) == pytest.approx(losses, rel=within)
    assert len(losses) > 5
    assert first.keys() == second.keys() == alone.keys()
    for key, parameter in alone.items():
        assert np.array_equal(first[key], second[key])
        assert first[key] == pytest.approx(parameter, abs=within)


def test_each_comment_of_a_step_is_computed_once_by_any_number_of_processes() -> None:
    rows = np.array([7, 3, 9, 1, 4])
    for processes in range(1, 8):
        parts = [Split(Place(rank, processes, Path())).part(rows) for rank in range(processes)]
        counted = [row for part in parts if np.isfinite(part.divisor) for row in part.rows]
        assert sorted(counted) == sorted(rows)
        assert all(len(part.rows) for part in parts)  # all take part in each step
        assert max(len(part.rows) for part in parts) <= Split(
            Place(0, processes, Path())
        ).largest_part(5)
        # The mean over the processes is the mean over the comments.
        sums = [len(part.rows) / part.divisor for part in parts]
        assert np.mean(sums) == pytest.approx(1)

"""bench/cluster/session.py: cells that wait for others; without a cluster."""

from types import SimpleNamespace
from typing import Any

from worthit.bench.cell import Cell
from worthit.bench.cluster.dispatch import CellKey
from worthit.bench.cluster.session import ClusterSession


class OneKind:
    """A session in which the second seed of bert is omitted."""

    options = SimpleNamespace(models={"bert-int8": "bert-int8", "bert": "bert"})

    def limit_s(self, model: str, device: str) -> float:
        return 1.0

    def why_no_seed(self, model: str, device: str, seed: int) -> str:
        return "its first training has no result" if (model, seed) == ("bert", 1) else ""

    def cell(self, model: str, device: str, seed: int) -> Cell:
        return Cell(model, device, seed, "split")


def test_a_variant_does_not_wait_for_an_omitted_cell() -> None:
    submitted: list[CellKey] = []
    whole: Any = object.__new__(ClusterSession)
    variant, original = (CellKey("", model, "cpu", 1) for model in ("bert-int8", "bert"))
    whole._sessions, whole._steps = {"": OneKind()}, {variant: ["train"], original: ["train"]}
    whole._waiting, whole._running, whole._outcomes = [variant, original], set(), {}
    whole._dispatch = SimpleNamespace(submit=lambda key, *_: submitted.append(key))
    whole._submit()
    assert submitted == [variant]

"""bench/cluster/kinds.py: which nodes may share a run."""

from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from worthit.bench.cluster import kinds
from worthit.bench.instruments.machine import FINGERPRINT_KEYS
from worthit.datasets.errors import ClusterError
from worthit.models.cluster.connection import Node


def node(name: str, kind: str, cpus: float = 2.0) -> Node:
    return Node(name * 3, name, cpus, 0.0, {"kind": kind, "ray.io/node-id": name * 3})


NODES = (node("n", "a"), node("m", "a"), node("k", "b"))


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Node id → what it says of itself; here, that all are equal."""
    same = dict.fromkeys(FINGERPRINT_KEYS, "same")
    described = {one.node_id: {"machine": dict(same), "devices": ["cpu"]} for one in NODES}
    monkeypatch.setattr(kinds, "_described", lambda nodes: described)
    return described


@pytest.mark.usefixtures("machines")
def test_each_label_is_a_kind_and_without_labels_there_is_one() -> None:
    found = kinds.find(NODES, ("kind=b", "kind=a"))
    assert [(kind.label, kind.name, len(kind.nodes)) for kind in found] == [
        ("kind=b", "b", 1),
        ("kind=a", "a", 2),
    ]
    (whole,) = kinds.find(NODES, ())
    assert (whole.label, whole.nodes, whole.devices) == ("", NODES, ("cpu",))
    assert whole.machine["cluster_nodes"] == 3


@pytest.mark.usefixtures("machines")
def test_a_label_that_no_node_has_is_refused() -> None:
    with pytest.raises(
        ClusterError, match=r"no node has the label kind=c; nodes have: kind=a, kind=b$"
    ):
        kinds.find(NODES, ("kind=a", "kind=c"))


def test_nodes_of_one_kind_must_be_equal(machines: dict[str, dict[str, Any]]) -> None:
    machines["kkk"]["machine"]["cpu"] = "another"
    with pytest.raises(ClusterError, match=r"n and k differ in cpu \(same, another\), so models"):
        kinds.find(NODES, ())
    assert len(kinds.find(NODES, ("kind=a", "kind=b"))) == 2
    with pytest.raises(ClusterError, match=r"n and n differ in CPUs of Ray \(2.0, 1.0\)"):
        kinds.find((NODES[0], node("n", "a", cpus=1.0)), ())


def test_a_node_that_does_not_answer_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="pip install 'worthit[cluster]'")
    task = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: "its answer"))

    def get(answer: str, timeout: float) -> NoReturn:
        raise ray.exceptions.GetTimeoutError(f"{answer} is not ready")

    monkeypatch.setattr(ray, "remote", lambda **_: lambda function: task)
    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(ClusterError, match=r"^n cannot be described \(its answer is not ready\)$"):
        kinds.find(NODES[:1], ())

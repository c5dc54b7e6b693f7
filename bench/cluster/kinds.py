"""The kinds of machines of a cluster. Cells of one run are measured on one kind only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worthit.bench.cluster import description
from worthit.bench.instruments.machine import FINGERPRINT_KEYS
from worthit.datasets.errors import ClusterError, listed
from worthit.models.cluster.connection import Node

_ANSWER_S = 120.0  # of a node that left meanwhile, Ray would wait for ever
_LABEL = "label nodes of different kinds (ray start --labels KEY=VALUE), and give --on KEY=VALUE,…"


@dataclass(frozen=True)
class Kind:
    """Nodes that are equal in all that decides speed."""

    label: str  # KEY=VALUE, as the user gave it; empty: all nodes of the cluster
    nodes: tuple[Node, ...]
    machine: dict[str, Any]  # as `machine.describe` returns it on each of them
    devices: tuple[str, ...]  # that are present

    @property
    def name(self) -> str:
        return self.label.partition("=")[2]


def find(nodes: Sequence[Node], labels: Sequence[str]) -> list[Kind]:
    """The kinds with these labels; without labels the only one.

    Raises:
        ClusterError: no node has a label, or the nodes of a kind are not equal.
    """
    groups = {label: [node for node in nodes if _has(node, label)] for label in labels}
    for label, group in groups.items():
        if not group:
            known = sorted(
                {f"{key}={value}" for node in nodes for key, value in _own(node).items()}
            )
            raise ClusterError(f"no node has the label {label}; nodes have: {listed(known)}")
    groups = groups or {"": [*nodes]}
    described = _described({node.node_id: node for group in groups.values() for node in group})
    return [_kind(label, group, described) for label, group in groups.items()]


def _has(node: Node, label: str) -> bool:
    key, _, value = label.partition("=")
    return node.labels.get(key) == value


def _own(node: Node) -> dict[str, str]:
    """The labels of a node that are not unique to it."""
    return {key: value for key, value in node.labels.items() if key != "ray.io/node-id"}


def _described(nodes: Mapping[str, Node]) -> dict[str, dict[str, Any]]:
    """Node id → its description."""
    import ray

    ask = ray.remote(num_cpus=0, max_retries=0)(description.of_node)
    tasks = {
        node_id: ask.options(label_selector={"ray.io/node-id": node_id}).remote()
        for node_id in nodes
    }
    described = {}
    for node_id, task in tasks.items():
        try:
            described[node_id] = ray.get(task, timeout=_ANSWER_S)
        except ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise ClusterError(f"{nodes[node_id].name} cannot be described ({last})") from None
    return described


def _kind(label: str, nodes: Sequence[Node], described: Mapping[str, dict[str, Any]]) -> Kind:
    first, *others = nodes
    machine = described[first.node_id]["machine"]
    for other in others:
        theirs = described[other.node_id]["machine"]
        pairs = {key: (machine[key], theirs[key]) for key in FINGERPRINT_KEYS}
        pairs |= {"CPUs of Ray": (first.cpus, other.cpus), "GPUs of Ray": (first.gpus, other.gpus)}
        for key, (one, another) in pairs.items():
            if one != another:
                raise ClusterError(
                    f"{first.name} and {other.name} differ in {key.replace('_', ' ')} ({one}, {another}), so "
                    f"models measured on them cannot be compared; {_LABEL}"
                )
    devices = tuple(described[first.node_id]["devices"])
    return Kind(label, tuple(nodes), machine | {"cluster_nodes": len(nodes)}, devices)

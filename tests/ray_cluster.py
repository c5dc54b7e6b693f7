"""A Ray cluster of virtual nodes on this machine, and models that say when and where they train."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: models of a user's own module, which nodes find by PYTHONPATH
MODELS = '''
import os, signal, time
from pathlib import Path
import numpy as np

MARKS, NODE = Path(os.environ["MARKS"]), os.environ["NODE"]

def is_first(name):
    try:
        with open(MARKS / name, "x") as mark:
            mark.write(NODE)
        return True
    except FileExistsError:
        return False

class Timed:
    """Writes when it began and ended to train on which node."""
    def fit(self, texts, labels):
        begun = time.time()
        self.share = float(np.mean(labels))
        time.sleep(0.5)
        with open(MARKS / "times", "a") as file:
            file.write(f"{NODE} {begun} {time.time()}\\n")
    def predict_proba(self, texts):
        return np.tile([1 - self.share, self.share], (len(texts), 1))

class Stuck(Timed):
    """Takes minutes where it is trained first."""
    def fit(self, texts, labels):
        if is_first("stuck"):
            time.sleep(300)
        super().fit(texts, labels)

class NoRoom(Timed):
    """Finds a full disk where it is trained first."""
    def fit(self, texts, labels):
        if is_first("full"):
            raise OSError(28, os.strerror(28))
        super().fit(texts, labels)

class NoMemory(Timed):
    """Is killed where it is trained first, as Linux does when memory is full."""
    def fit(self, texts, labels):
        if is_first("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().fit(texts, labels)
'''


class VirtualCluster:
    """A cluster whose nodes have one CPU and a cache each.

    Args:
        folder: for the nodes' caches, the models' code and their marks.
    """

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        (folder / "marked.py").write_text(MODELS)
        self.env = {"PYTHONPATH": str(folder), "MARKS": str(folder)}
        soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = str(self._cluster.address)

    def add(self, name: str, kind: str, **env: str) -> Any:
        """Start a node with the label kind=KIND."""
        more = {"NODE": name, "WORTHIT_CACHE": str(self.folder / name)}
        return self._cluster.add_node(
            num_cpus=1, node_name=name, labels={"kind": kind}, env_vars={**self.env, **more, **env}
        )

    def kill(self, node: Any) -> None:
        if node in self._cluster.worker_nodes:
            self._cluster.remove_node(node, allow_graceful=False)

    def drain(self, node: Any) -> None:
        """Announce that a node goes in a second, and take it away, as a cloud does."""
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        accepted, why = GcsClient(address=self.address).drain_node(
            node.node_id,
            autoscaler_pb2.DRAIN_NODE_REASON_PREEMPTION,
            "the test drains it",
            int((time.time() + 1) * 1000),
        )
        assert accepted, why
        time.sleep(1)
        self.kill(node)

    def stop(self) -> None:
        self._cluster.shutdown()


@contextmanager
def running(folder: Path) -> Iterator[VirtualCluster]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = VirtualCluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()


def wait_for(condition: Callable[[], bool], most_s: float = 60.0) -> None:
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)

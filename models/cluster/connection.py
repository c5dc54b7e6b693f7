"""Connects to a Ray cluster, lists its nodes, and refuses those with other software.

Ray is an extra (`worthit[cluster]`), so it is imported where it is used.
"""

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.datasets.errors import ClusterError, OptionError, listed, one_line

_ANSWER_S = 5.0  # a head node that does not take a connection by then is not there
_AWAY_S = 20.0  # a head node may restart meanwhile
_LOOK_S = 2.0
NO_HEAD = "the head node of the cluster no longer answers"
_VERSIONS_S = 60.0  # a node's first task starts a process, which imports Ray
_JOIN = "join it: ray start --address=HOST:6379 --num-cpus=0"
#: of Ray in this process, unless the user sets them
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "5",  # seconds to wait for a head node; Ray waits 20
    # Ray ends this process so long after the head node has gone: time to save and report.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else it logs that each worker has an argument in its store
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning on each start
}


@dataclass(frozen=True)
class Node:
    """A living machine of a cluster."""

    node_id: str
    name: str  # for people; distinct within the cluster
    cpus: float  # that Ray may give to tasks; 0: the node takes none
    gpus: float
    labels: dict[str, str]


@contextlib.contextmanager
def connected(address: str) -> Iterator[tuple[Node, ...]]:
    """Connect this process to a cluster, and leave it at the end; yields the living nodes.

    Leaving ends all tasks that this process has started there.

    Args:
        address: `auto` for the cluster of this machine, or HOST:PORT of the head node.

    Raises:
        OptionError: the address has another form, or ray is not installed.
        ClusterError: no cluster answers, it runs other software, or a node does (`require_same_versions`).
    """
    _require_form(address)
    if importlib.util.find_spec("ray") is None:
        raise OptionError("--cluster needs ray: pip install 'worthit[cluster]'")
    if address != "auto":
        _require_answer(address)
    _connect(address)
    import ray

    try:
        nodes = working_nodes()
        if not nodes:
            raise ClusterError(f"no node of the cluster {address} has CPUs for tasks; add nodes")
        require_same_versions(nodes)
        yield nodes
    finally:
        ray.shutdown()


class Head:
    """Tells whether the head node of the connected cluster is there, without asking Ray, which would wait."""

    def __init__(self) -> None:
        import ray

        self._address = ray.get_runtime_context().gcs_address
        self._away_since: float | None = None

    def answers(self) -> bool:
        try:
            _require_answer(self._address)
        except ClusterError:
            self._away_since = self._away_since or time.monotonic()
            return False
        self._away_since = None
        return True

    @property
    def is_lost(self) -> bool:
        """True if it has not answered for some time."""
        return self._away_since is not None and time.monotonic() - self._away_since > _AWAY_S


@contextlib.contextmanager
def head_watched(on_loss: Callable[[], object]) -> Iterator[None]:
    """Call a function in another thread if the head node is lost during the block.

    This thread may then wait for Ray, whose clean-up asks the head node.
    """
    head, is_over = Head(), threading.Event()

    def watch() -> None:
        while not is_over.wait(_LOOK_S):
            if not head.answers() and head.is_lost:
                on_loss()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def working_nodes() -> tuple[Node, ...]:
    """The living nodes that take tasks, by name."""
    return tuple(node for node in living_nodes() if node.cpus)


def living_nodes() -> tuple[Node, ...]:
    """All living nodes, also those without CPUs, by name."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    names = Counter(map(_host, alive))
    nodes = (
        Node(
            node_id=node["NodeID"],
            name=_host(node) + (f"/{node['NodeID'][:6]}" if names[_host(node)] > 1 else ""),
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            labels=dict(node.get("Labels") or {}),
        )
        for node in alive
    )
    return tuple(sorted(nodes, key=lambda node: node.name))


def require_same_versions(nodes: Sequence[Node]) -> None:
    """Compare the nodes' software with this process's, before they do any work.

    Raises:
        ClusterError: a node has another version of worthit, Python or torch, or does not answer.
    """
    import ray

    here = _make_probe()()
    probe = ray.remote(num_cpus=0, max_retries=0)(_make_probe())
    asked = {
        probe.options(label_selector={"ray.io/node-id": node.node_id}).remote(): node
        for node in nodes
    }
    _, silent = ray.wait([*asked], num_returns=len(asked), timeout=_VERSIONS_S)
    if silent:
        names = listed([asked[task].name for task in silent])
        raise ClusterError(f"no answer from {names} in {_VERSIONS_S:g} s; remove it, or try again")
    differences = []
    for task, node in asked.items():
        try:
            there = ray.get(task)
        except ray.exceptions.RayError as error:
            last = one_line(ValueError(str(error).strip().splitlines()[-1]), 100)
            raise ClusterError(f"{node.name} cannot be asked for its versions ({last})") from None
        differences += [
            f"{node.name} has {name} {there[name]}, this machine {here[name]}"
            for name in here
            if there[name] != here[name]
        ]
    if differences:
        raise ClusterError(f"{'; '.join(differences)}; install the same on all")


def _make_probe() -> Any:
    """A function that Ray sends as code, because a node may not have this module, or another one."""

    def versions() -> dict[str, str]:
        import hashlib
        import importlib.util
        import platform
        from importlib import metadata
        from pathlib import Path

        found = {"Python": platform.python_version()}
        for name in ("torch", "worthit"):
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = "missing"
        # Two checkouts may have the same version and other code.
        spec = importlib.util.find_spec("worthit")
        code = hashlib.sha256()
        for root in (spec and spec.submodule_search_locations) or ():
            for part in ("datasets", "models", "bench", "reports"):  # which has the thresholds
                # Some editors lock a file with a dangling link beside it.
                for file in sorted(filter(Path.is_file, Path(root, part).rglob("*.py"))):
                    code.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
        found["worthit"] += f" (code {code.hexdigest()[:8]})"
        return found

    return versions


def _require_form(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address == "auto" or (host and "/" not in host and port.isdecimal()):
        return
    raise OptionError(
        f"--cluster is {address!r}; it takes auto, the cluster that this machine belongs to, or HOST:PORT of "
        f"its head node. A machine outside the cluster can {_JOIN}"
    )


def _require_answer(address: str) -> None:
    """Raises ClusterError if nobody listens; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({one_line(error, 80)}); start one: ray start --head"
        ) from None


def _connect(address: str) -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in _SETTINGS.items()})
    import ray

    try:
        # Ray puts the current folder first into the nodes' sys.path: files there would shadow modules.
        with _without_stderr(), _same_sigterm(), contextlib.chdir(sys.prefix):
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:  # Ray raises errors of many kinds
        reason = one_line(error, 200)
        raise ClusterError(f"no Ray cluster at {address} can be used: {reason}") from None
    # Whatever `log_to_driver` says, Ray prints the last lines of a dead node's log to stdout.
    ray._private.worker.print_to_stdstream = _print_nothing


def _print_nothing(*_: Any, **__: Any) -> None: ...


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Ray's C++ code reports that it heeds `RAY_BACKEND_LOG_LEVEL`."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextlib.contextmanager
def _same_sigterm() -> Iterator[None]:
    """Keep the handler of SIGTERM; that of Ray ends this process without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _host(node: dict[str, Any]) -> str:
    """The name given by `ray start --node-name`, else the host name."""
    name, address = str(node["NodeName"]), node["NodeManagerAddress"]
    return str(node["NodeManagerHostname"]) if name in ("", address) else name

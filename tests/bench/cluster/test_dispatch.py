"""bench/cluster/: cells on nodes that die, are drained, or run out of room."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ray_cluster import VirtualCluster, running, wait_for
from worthit.bench.cell import Cell
from worthit.bench.cluster import on_node
from worthit.bench.cluster.dispatch import CellKey, Dispatch
from worthit.bench.cluster.kinds import Kind
from worthit.datasets.errors import ClusterError
from worthit.models.cluster import connection
from worthit.models.cluster.connection import Node

pytest.importorskip("ray", reason="ray is not installed: pip install 'worthit[cluster]'")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # of Ray itself
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualCluster]:
    with running(tmp_path_factory.mktemp("cluster")) as made:
        made.add("one", "a")
        made.add("two", "a")
        yield made


@pytest.fixture(scope="module")
def nodes(cluster: VirtualCluster) -> Iterator[tuple[Node, ...]]:
    with connection.connected(cluster.address) as found:
        yield found


@pytest.fixture
def doomed(cluster: VirtualCluster, nodes: tuple[Node, ...]) -> Iterator[Any]:
    """A third node, of the same kind."""
    added = cluster.add("doomed", "a")
    yield added
    cluster.kill(added)


@pytest.fixture
def dispatch(prepared_cache: tuple[Path, str]) -> Callable[..., Dispatch]:
    def of(**kinds: tuple[Node, ...]) -> Dispatch:
        cache, key = prepared_cache
        splits = {key: on_node.files(cache / "splits" / key)}
        return Dispatch([Kind(label, of, {}, ("cpu",)) for label, of in kinds.items()], splits)

    return of


@pytest.fixture
def submit(prepared_cache: tuple[Path, str]) -> Callable[..., CellKey]:
    def of(dispatch: Dispatch, kind: str, model: str, home: str = "") -> CellKey:
        key = CellKey(kind, model, "cpu", 0)
        location = f"marked:{model}" if model[0].isupper() else ""
        cell = Cell(model, "cpu", 0, prepared_cache[1], location=location, retrain=True)
        dispatch.submit(key, cell, ["train"], 100.0, home)
        return key

    return of


def test_nodes_have_names_and_labels(nodes: tuple[Node, ...]) -> None:
    assert [(node.name, node.cpus, node.labels["kind"]) for node in nodes] == [
        ("one", 1, "a"),
        ("two", 1, "a"),
    ]


def test_a_node_with_other_software_is_refused_by_name(
    cluster: VirtualCluster, nodes: tuple[Node, ...], tmp_path: Path
) -> None:
    for name, version in (("torch", "1.0"), ("worthit", "0.0.1")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    other = cluster.add("other", "b", PYTHONPATH=str(tmp_path))
    try:
        with pytest.raises(ClusterError) as refused:
            connection.require_same_versions(connection.working_nodes())
    finally:
        cluster.kill(other)
    assert "other has torch 1.0, this machine " in str(refused.value)
    assert "other has worthit 0.0.1 (code " in str(refused.value)
    assert "one has" not in str(refused.value)


def test_a_cell_whose_node_dies_is_measured_on_another(
    cluster: VirtualCluster, doomed: Any, dispatch: Any, submit: Any
) -> None:
    given = dispatch(kind=connection.working_nodes())
    submit(given, "kind", "Stuck", home=doomed.node_id)
    wait_for((cluster.folder / "stuck").exists)
    assert (cluster.folder / "stuck").read_text() == "doomed"
    cluster.kill(doomed)
    _, outcome = given.next_outcome()
    (cluster.folder / "stuck").unlink()
    assert outcome.done.record.failures == ()
    assert outcome.done.record.training is not None
    assert outcome.node in ("one", "two")
    assert outcome.remarks == ("doomed died, or was drained",)
    assert given.is_idle


def test_cells_of_a_drained_node_become_rows_and_others_continue(
    cluster: VirtualCluster, nodes: tuple[Node, ...], doomed: Any, dispatch: Any, submit: Any
) -> None:
    (only,) = (node for node in connection.working_nodes() if node.name == "doomed")
    given = dispatch(kind=nodes, lonely=(only,))
    stuck, waiting = submit(given, "lonely", "Stuck"), submit(given, "lonely", "majority")
    wait_for((cluster.folder / "stuck").exists)
    other = submit(given, "kind", "majority")
    cluster.drain(doomed)
    outcomes = dict(given.next_outcome() for _ in range(3))
    (cluster.folder / "stuck").unlink()
    assert outcomes[other].done.record.training is not None
    assert outcomes[stuck].done.record.failures == ("training: doomed died, or was drained",)
    assert outcomes[waiting].done.record.failures == ("training: doomed left the cluster",)


def test_a_cell_that_finds_a_full_disk_is_tried_once_elsewhere(
    cluster: VirtualCluster, nodes: tuple[Node, ...], dispatch: Any, submit: Any
) -> None:
    given = dispatch(kind=nodes)
    submit(given, "kind", "NoRoom")
    _, outcome = given.next_outcome()
    first = (cluster.folder / "full").read_text()
    assert {first, outcome.node} == {"one", "two"}
    assert outcome.done.record.training is not None
    assert outcome.remarks == (
        f"{first}: training: OSError: [Errno 28] No space left on device (log: cell.log)",
    )

    (cluster.folder / "full").unlink()
    lonely = dispatch(kind=tuple(node for node in nodes if node.name == first))
    submit(lonely, "kind", "NoRoom")
    _, outcome = lonely.next_outcome()
    (failure,) = outcome.done.record.failures
    assert failure.startswith("training: OSError: [Errno 28] No space left on device")
    assert b"marked.py" in outcome.done.log


def test_a_cell_whose_process_is_killed_for_memory_is_tried_once_elsewhere(
    cluster: VirtualCluster, nodes: tuple[Node, ...], dispatch: Any, submit: Any
) -> None:
    given = dispatch(kind=nodes)
    submit(given, "kind", "NoMemory")
    _, outcome = given.next_outcome()
    first = (cluster.folder / "killed").read_text()
    assert {first, outcome.node} == {"one", "two"}
    assert outcome.done.record.training is not None
    (remark,) = outcome.remarks
    assert remark.startswith(f"{first}: training: the process was killed, most likely because the ")


def test_cells_without_a_head_node_become_rows(
    cluster: VirtualCluster,
    nodes: tuple[Node, ...],
    dispatch: Any,
    submit: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = dispatch(kind=nodes)
    submit(given, "kind", "Stuck")
    wait_for((cluster.folder / "stuck").exists)
    monkeypatch.setattr(connection, "_AWAY_S", 0.0)
    monkeypatch.setattr(given._head, "_address", "127.0.0.1:1")  # where nobody listens
    failures = [given.next_outcome()[1].done.record.failures]
    submit(given, "kind", "majority", home=nodes[0].node_id)
    failures.append(given.next_outcome()[1].done.record.failures)
    assert failures == [(f"training: {connection.NO_HEAD}",)] * 2
    assert given.is_idle
    (cluster.folder / "stuck").unlink()


def test_cancelling_leaves_no_task_and_no_process(
    cluster: VirtualCluster, nodes: tuple[Node, ...], dispatch: Any, submit: Any
) -> None:
    import psutil
    import ray

    given = dispatch(kind=nodes)
    for _ in range(3):
        submit(given, "kind", "Stuck")
    wait_for((cluster.folder / "stuck").exists)
    given.cancel()

    def is_free() -> bool:
        cells = [
            process
            for process in psutil.process_iter(["cmdline"])
            if "worthit.bench.cells.worker" in (process.info["cmdline"] or [])
            and process.environ().get("MARKS") == str(cluster.folder)
        ]
        return not cells and ray.available_resources().get("CPU") == 2

    wait_for(is_free)
    (cluster.folder / "stuck").unlink()

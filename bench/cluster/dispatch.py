"""Hands cells to Ray, which gives each a node of its own, and collects what the nodes return.

A cell asks Ray for all processors of a node of its kind, so Ray runs nothing else there meanwhile. A cell
whose node dies, or runs out of memory or disk, is handed over once more, to the other nodes of its kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from worthit.bench.cell import Cell
from worthit.bench.cluster import on_node
from worthit.bench.cluster.kinds import Kind
from worthit.bench.cluster.on_node import Begun, Done, Order
from worthit.bench.saved.record import CellRecord
from worthit.datasets.errors import listed, one_line, says_full
from worthit.models.cluster import connection

_LOOK_S = 2.0  # how often to look whether nodes are alive, while nothing comes
_TRIES = 2


class CellKey(NamedTuple):
    label: str  # of the kind
    model: str
    device: str
    seed: int


@dataclass
class Try:
    """A cell that Ray has been given."""

    key: CellKey
    order: Order
    allowed: tuple[str, ...]  # ids of nodes
    reports: Any  # Ray's generator of them; None after the head node is lost
    failed_on: Mapping[str, str] = field(default_factory=dict)  # node id → why, of earlier tries
    node_id: str = ""  # empty: it waits for a node
    begun: Begun | None = None
    earlier: "Outcome | None" = None  # of a full node, with a training

    @property
    def tried_on(self) -> str:
        """The id of its node, also of one that never reported; empty: it may be any of several."""
        return self.node_id or (self.allowed[0] if len(self.allowed) == 1 else "")


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    done: Done
    node: str  # name of the last node that tried; empty: none did
    begun: Begun | None
    remarks: tuple[str, ...]  # of failed tries, for people
    model: Any  # reference to the files of the trained model, or None


class Dispatch:
    """The cells of all kinds that are being measured.

    Args:
        splits: key of prepared comments → files of its folder.
    """

    def __init__(self, kinds: Sequence[Kind], splits: Mapping[str, on_node.Files]) -> None:
        import ray

        self._kinds = {kind.label: kind for kind in kinds}
        self._names = {node.node_id: node.name for kind in kinds for node in kind.nodes}
        self._splits = {key: ray.put(files) for key, files in splits.items()}
        self._measure = ray.remote(max_retries=0)(on_node.measure)
        self._head = connection.Head()
        self._tries: list[Try] = []
        self._ended: list[tuple[CellKey, Outcome]] = []  # not yet returned

    @property
    def is_idle(self) -> bool:
        return not self._tries and not self._ended

    def submit(
        self, key: CellKey, cell: Cell, steps: Sequence[str], limit_s: float, home: str = ""
    ) -> None:
        """Hand a cell to Ray.

        Args:
            home: id of the node where the cell should run if that is alive.
        """
        allowed = tuple(node.node_id for node in self._kinds[key.label].nodes)
        if home and home in self._alive():
            allowed = (home,)
        self._begin(key, Order(cell, tuple(steps), limit_s), allowed, {})

    def next_outcome(self) -> tuple[CellKey, Outcome]:
        """Wait until a cell has ended, for good. Ctrl-C interrupts."""
        import ray

        while not self._ended:
            if self._head.is_lost:
                self._end_all()
                continue
            waiting = {id(one.reports): one for one in self._tries}
            ready, _ = ray.wait([one.reports for one in self._tries], timeout=_LOOK_S)
            for reports in ready:
                self._advance(waiting[id(reports)])
            if not ready:
                self._give_up()
        return self._ended.pop(0)

    def cancel(self) -> None:
        """End all cells, at once."""
        for one in self._tries:
            _cancel(one)
        self._tries.clear()

    def _named(self, nodes: Sequence[str]) -> str:
        return listed([self._names[node_id] for node_id in nodes])

    def _alive(self) -> set[str]:
        if not self._head.answers():  # Ray would wait for it
            return set()
        return {node.node_id for node in connection.working_nodes()}

    def _begin(
        self, key: CellKey, order: Order, allowed: Sequence[str], failed_on: Mapping[str, str]
    ) -> None:
        if self._head.is_lost:
            self._tries.append(Try(key, order, tuple(allowed), None, failed_on))
            return
        node = self._kinds[key.label].nodes[0]  # as large as the others
        reports = self._measure.options(
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            num_returns="streaming",
            label_selector={
                "ray.io/node-id": f"in({','.join(allowed)})"
            },  # a space here ends the process (Ray 2.60)
            name=order.cell.name,
        ).remote(order, self._splits)
        self._tries.append(Try(key, order, tuple(allowed), reports, failed_on))

    def _advance(self, one: Try) -> None:
        """Take the next report of a cell."""
        import ray

        try:
            report = ray.get(next(one.reports))
        except (ray.exceptions.RayError, StopIteration) as error:
            where = self._names[one.node_id] if one.node_id else self._named(one.allowed)
            self._fail(one, f"{where} {_reason(error)}")
            return
        if isinstance(report, Begun):
            one.node_id, one.begun = report.node_id, report
            return
        full = [text for text in report.record.failures if says_full(text)]
        if full and (others := self._others(one)):
            self._try_again(one, others, f"{self._names[one.node_id]}: {full[0]}", report)
        elif report.record.training is None and one.earlier is not None:
            self._end_without_record(one, "; ".join(report.record.failures))
        else:
            self._end(one, report, _model(one) if report.record.training is not None else None)

    def _others(self, one: Try) -> list[str]:
        """Living nodes of the cell's kind where it has not failed; none after its last try."""
        if len(one.failed_on) + 1 >= _TRIES:
            return []
        untried = self._alive() - {*one.failed_on, one.tried_on}
        nodes = [node.node_id for node in self._kinds[one.key.label].nodes]
        return [node_id for node_id in nodes if node_id in untried]

    def _fail(self, one: Try, reason: str) -> None:
        """Try once elsewhere, or end the cell with the reason."""
        if others := self._others(one):
            self._try_again(one, others, reason)
        elif one.earlier is not None:
            self._end_without_record(one, reason)
        else:
            self._end_without_record(one, "; then ".join([*one.failed_on.values(), reason]))

    def _try_again(
        self, one: Try, others: Sequence[str], reason: str, done: Done | None = None
    ) -> None:
        """Hand a cell to other nodes.

        Args:
            done: what it has given nevertheless.
        """
        self._tries.remove(one)
        self._begin(one.key, one.order, others, {**one.failed_on, one.tried_on: reason})
        if done is not None and done.record.training is not None:
            self._tries[-1].earlier = Outcome(done, self._names[one.node_id], one.begun, (), None)

    def _end_without_record(self, one: Try, why: str) -> None:
        """End a cell whose last try gave nothing: with what an earlier one gave, or as a failed row."""
        if one.earlier is None:
            cell = one.order.cell
            lost = CellRecord(cell.model, cell.device, cell.seed, failures=(f"training: {why}",))
            self._end(one, Done(lost, {}, "", b""), None)
            return
        done, remarks = one.earlier.done, tuple(one.failed_on.values())
        part = done.record.failures[0].partition(":")[0]
        record = replace(
            done.record, failures=(*done.record.failures, f"{part}: tried again: {why}")
        )
        self._tries.remove(one)
        outcome = replace(one.earlier, done=replace(done, record=record), remarks=remarks)
        self._ended.append((one.key, outcome))

    def _end(self, one: Try, done: Done, model: Any) -> None:
        self._tries.remove(one)
        name = self._names.get(one.node_id, "")
        remarks = tuple(one.failed_on.values())
        self._ended.append((one.key, Outcome(done, name, one.begun, remarks, model)))

    def _end_all(self) -> None:
        """End the cells of a cluster without its head node, which gives and takes no more work."""
        for one in self._tries.copy():
            _cancel(one)
            self._end_without_record(one, connection.NO_HEAD)

    def _give_up(self) -> None:
        """End or move the cells that wait for nodes which are gone: Ray would let them wait forever."""
        if not self._head.answers():  # the loop of the caller waits for it, up to a limit
            return
        alive = self._alive()
        for one in [one for one in self._tries if not one.node_id]:
            if not alive & {*one.allowed}:
                _cancel(one)
                self._fail(one, f"{self._named(one.allowed)} left the cluster")


def _cancel(one: Try) -> None:
    import ray

    if one.reports is not None:
        ray.cancel(one.reports, force=True)


def _model(one: Try) -> Any:
    """A reference to the last report, None if it will not come."""
    from ray.exceptions import RayError

    try:
        return next(one.reports, None)
    except RayError:
        return None


def _reason(error: BaseException) -> str:
    """What happened to a node or its process, in a few words."""
    from ray import exceptions

    reasons = {
        exceptions.OutOfMemoryError: "ran out of memory, and Ray ended the cell",
        exceptions.OutOfDiskError: "has a full disk",
        exceptions.ObjectStoreFullError: "has a full object store",
        exceptions.TaskUnschedulableError: "left the cluster",
        exceptions.NodeDiedError: "died, or was drained",
        exceptions.LocalRayletDiedError: "died",
        exceptions.WorkerCrashedError: "lost the cell's process",
        exceptions.TaskCancelledError: "was told to end the cell",
        StopIteration: "returned no record",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return f"failed ({type(error).__name__}: {one_line(ValueError(_last_line(error)), 200)})"


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[-1]

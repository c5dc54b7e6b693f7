"""A session whose cells run on a cluster: one saved run for each kind of machine."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from worthit.bench import session
from worthit.bench.cell import cell_name
from worthit.bench.cells.measured_cell import MeasuredCell
from worthit.bench.cells.progress import Progress
from worthit.bench.cluster import on_node
from worthit.bench.cluster.dispatch import CellKey, Dispatch, Outcome
from worthit.bench.cluster.kinds import Kind, find
from worthit.bench.options import BenchmarkOptions
from worthit.bench.saved import artifacts, record
from worthit.bench.session import Place, Session
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CacheError, OutputError, counted, listed
from worthit.models import registry
from worthit.models.cluster import connection


@contextmanager
def find_kinds(options: BenchmarkOptions) -> Iterator[list[Kind]]:
    """Connect to the cluster that the options name; yields no kinds if they name none.

    Raises:
        OptionError, ClusterError: as `connection.connected` and `kinds.find`.
    """
    if options.cluster is None:
        yield []
        return
    with connection.connected(options.cluster) as nodes:
        yield find(nodes, options.on)


def new_session(
    options: BenchmarkOptions, kinds: Sequence[Kind], progress: Progress
) -> "Session | ClusterSession":
    """A session on these kinds of machines, or on this machine if there are none."""
    if kinds:
        return ClusterSession(options, kinds, progress)
    return Session(options, len(session.cells(options)), progress)


def cells(options: BenchmarkOptions, kinds: Sequence[Kind]) -> list[CellKey]:
    """All cells, kind by kind; without kinds, those of this machine."""
    if not kinds:
        return [
            CellKey("", model, device, int(seed)) for model, device, seed in session.cells(options)
        ]
    return [
        CellKey(kind.label, model, device, int(seed))
        for kind in kinds
        for model, device, seed in session.cells(_of_kind(options, kind))
    ]


def _of_kind(options: BenchmarkOptions, kind: Kind) -> BenchmarkOptions:
    """The options of the run of one kind: where the user names no devices, those of its nodes."""
    devices = options.devices if options.devices_given else kind.devices
    return dataclasses.replace(options, devices=devices, on=(kind.label,) if kind.label else ())


class ClusterSession:
    """Holds a session for each kind of machine, and what the nodes return."""

    def __init__(
        self, options: BenchmarkOptions, kinds: Sequence[Kind], progress: Progress
    ) -> None:
        self._kinds, self._progress = tuple(kinds), progress
        planned = cells(options, kinds)
        self._sessions = {
            kind.label: Session(
                _of_kind(options, kind),
                sum(key.label == kind.label for key in planned),
                progress,
                Place(re.sub(r"[^\w.-]+", "-", kind.name), kind.machine),
            )
            for kind in kinds
        }
        self._dispatch: Dispatch | None = None
        self._steps: Mapping[CellKey, Sequence[str]] = {}
        self._waiting: list[CellKey] = []  # for other cells
        self._running = set[CellKey]()
        self._outcomes: dict[CellKey, Outcome] = {}

    def open(self) -> None:
        """As `Session.open`."""
        first, *others = self._sessions.values()
        first.open()
        for other in others:
            other.open(like=first)
        for kind in self._kinds:
            names = listed([node.name for node in kind.nodes])
            where = f"{kind.label}: " if kind.label else ""
            self._progress.line(f"cluster: {where}{counted(len(kind.nodes), 'node')} ({names})")
        self._progress.line("forecast: none, since it is of the machine that makes it")

    @property
    def classes(self) -> int:
        return next(iter(self._sessions.values())).classes

    @property
    def multilabel(self) -> bool:
        return next(iter(self._sessions.values())).multilabel

    def start(self, steps: Mapping[CellKey, Sequence[str]]) -> None:
        """Hand the cells to the cluster, those first that wait for no other.

        Args:
            steps: what to measure of each cell, as methods of `CellRun`.
        """
        keys = {key for one in self._sessions.values() for key in one.splits}
        splits = {key: on_node.files(cache_folder("splits", key)) for key in sorted(keys)}
        self._steps, self._waiting = steps, [*steps]
        self._dispatch = Dispatch(self._kinds, splits)
        self._submit()

    def at(self, label: str) -> "OnKind":
        """The cells of one kind."""
        return OnKind(self, self._sessions[label], label)

    def outcome(self, key: CellKey) -> Outcome | None:
        """Wait for a cell; None if it was omitted, or not planned."""
        assert self._dispatch is not None
        while key in self._steps and key not in self._outcomes and not self._dispatch.is_idle:
            self._keep(*self._dispatch.next_outcome())
            self._submit()
        return self._outcomes.get(key)

    def finish(self, interrupted: bool) -> list[tuple[record.Run, Path]]:
        """Free the cluster, and save the runs that have a record.

        Raises:
            OutputError: as `Session.finish`, after all runs are saved.
        """
        if self._dispatch is not None:
            self._dispatch.cancel()
        runs, errors = [], []
        for one in self._sessions.values():
            try:
                runs += one.finish(interrupted)
            except OutputError as error:
                errors.append(str(error))
        if errors:
            raise OutputError("; ".join(errors))
        return runs

    @property
    def has_results(self) -> bool:
        return any(one.has_results for one in self._sessions.values())

    def discard_empty(self) -> None:
        for one in self._sessions.values():
            one.discard_empty()

    def _submit(self) -> None:
        """Hand over the cells that wait for nothing more."""
        assert self._dispatch is not None
        for key in self._waiting.copy():
            base = self._base(key)
            if ({key._replace(seed=0), base} - {key}) & (self._running | {*self._waiting}):
                continue
            self._waiting.remove(key)
            if self._sessions[key.label].why_no_seed(key.model, key.device, key.seed):
                self._submit()  # others may have waited for it
                return
            one = self._sessions[key.label]
            cell = one.cell(key.model, key.device, key.seed)
            trained = self._outcomes.get(base)
            home = trained.begun.node_id if trained and trained.begun and base != key else ""
            self._running.add(key)
            limit_s = one.limit_s(key.model, key.device)
            self._dispatch.submit(key, cell, self._steps[key], limit_s, home)

    def _base(self, key: CellKey) -> CellKey:
        """The cell whose trained model this one converts, and finds on the node that trained it."""
        one = self._sessions[key.label]
        trained_as = registry.entry(one.options.models[key.model]).trained_as
        return key._replace(model=trained_as or key.model)

    def _keep(self, key: CellKey, outcome: Outcome) -> None:
        """Print, save and fetch what a cell has given."""
        one, done = self._sessions[key.label], outcome.done
        self._outcomes[key] = outcome
        self._running.remove(key)
        name = cell_name(key.model, key.device, key.seed)
        one.announce(f"{name} on {outcome.node}" if outcome.node else name)
        for remark in outcome.remarks:
            self._progress.line(f"  tried again, since {remark}")
        for line in done.lines.splitlines():
            self._progress.line(line)
        for failure in done.record.failures if not done.lines else ():
            self._progress.line(f"  failed: {failure}")
        if done.noise is not None:
            one.keep_noise(done.noise)
        one.keep(done.record)
        _write_log(one.log(name), done.log)
        self._fetch_model(outcome)

    def _fetch_model(self, outcome: Outcome) -> None:
        """Bring a trained model into this machine's cache, for `worthit score`."""
        import ray

        training = outcome.done.record.training
        if training is None:
            return
        folder = cache_folder("artifacts", training.artifact)
        try:
            if outcome.model is None:
                raise CacheError("it was not sent")
            files = ray.get(outcome.model)
            # Without its record: a later run here must not take it for one that this machine trained.
            files.pop(artifacts.RECORD, None)
            if not folder.is_dir():
                on_node.write_files(files, folder)
        except (ray.exceptions.RayError, CacheError) as error:
            reason = str(error) if isinstance(error, CacheError) else type(error).__name__
            self._progress.line(f"  the trained model stays on {outcome.node} ({reason})")


class OnKind:
    """The cells of one kind, with the methods of a `Session` that fixtures use."""

    def __init__(self, whole: ClusterSession, one: Session, label: str) -> None:
        self._whole, self._one, self._label = whole, one, label

    def why_no_seed(self, model: str, device: str, seed: int) -> str:
        self._whole.outcome(CellKey(self._label, model, device, 0))
        return self._one.why_no_seed(model, device, seed)

    def cell_run(self, model: str, device: str, seed: int) -> MeasuredCell:
        """The measured cell; waits until it has ended."""
        outcome = self._whole.outcome(CellKey(self._label, model, device, seed))
        assert outcome is not None
        return MeasuredCell(outcome.done.record, outcome.done.seconds)


def _write_log(file: Path, content: bytes) -> None:
    if content:
        with suppress(OSError):  # a full disk here must not end the run
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

"""One benchmark session: prepares the data, describes the cells and saves their records as a run."""

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worthit.bench import announcements, llm_choice, places, protocol
from worthit.bench.cell import Cell, cell_name, file_name
from worthit.bench.cells import engine
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.measured_cell import MeasuredCell
from worthit.bench.cells.progress import Progress, minutes
from worthit.bench.forecast import cell_limits, forecast
from worthit.bench.forecast.forecast import Forecast
from worthit.bench.instruments import machine
from worthit.bench.instruments.machine_noise import measure_noise
from worthit.bench.llm_choice import LlmChoice
from worthit.bench.options import BenchmarkOptions
from worthit.bench.saved import data_record, interrupted, record, run_file
from worthit.bench.saved.record import Figure, unavailable
from worthit.datasets import prepare, transfer
from worthit.datasets.audit.audit import Audit, examine
from worthit.datasets.errors import OptionError, RunError, counted
from worthit.datasets.splits.manifest import OutOfDomainSet, Prepared
from worthit.models import registry
from worthit.models.registry import MODELS

_NOISE_S = 1.0
#: the number of trainings of a model that trains fast
_SEEDS = 3


def cells(options: BenchmarkOptions) -> list[tuple[str, str, str]]:
    """All (model, device, seed), as plain strings; models only on devices they can run on.

    An endpoint occupies no device here. It counts as on the CPU, whatever the devices.

    If no given device suits a model, its cells stay, and are skipped with the reason. Without
    --seeds, `Session.why_no_seed` omits later seeds once the first training is known.
    """
    combinations = []
    for model, name in options.models.items():
        entry = registry.entry(name)
        devices = entry.devices if registry.is_endpoint(name) else options.devices
        able = [device for device in devices if device in entry.devices]
        seeds = (options.seeds or _SEEDS) if entry.seeded and able else 1
        for device in able or (options.devices if options.devices_given else ()):
            combinations += [(model, device, str(seed)) for seed in range(seeds)]
    return combinations


@dataclass(frozen=True)
class Place:
    """Where the cells of a run are measured, if not on this machine."""

    name: str  # at the end of the run's name; may be empty
    machine: dict[str, Any]  # as `machine.describe` returns it there


class Session:
    """Holds what all cells share, and collects their records into a run, saved after each one.

    Args:
        planned: number of cells.
        place: None: this machine.
    """

    def __init__(
        self,
        options: BenchmarkOptions,
        planned: int,
        progress: Progress,
        place: Place | None = None,
    ) -> None:
        self.options = options
        self._place = place
        self.run_file: Path | None = None
        self._planned = planned
        self._progress = progress
        self._started, self._started_at = time.monotonic(), datetime.now(UTC)
        self._records: dict[tuple[str, str, int], record.CellRecord] = {}
        self._earlier = interrupted.Earlier((), options.models)  # before an interruption
        self._omitted: set[tuple[str, str, int]] = set()  # later seeds of slow models
        self._run: record.Run | None = None
        self._unsaved = ""  # why the last attempt to save the run failed
        self._prepared: Prepared | None = None
        self._audit: Audit | None = None
        self._trained: set[tuple[str, str, int]] = set()  # model, device, seed of earlier cells
        self._out_of_domain: tuple[OutOfDomainSet, ...] = ()
        self._llms: list[LlmChoice] = []
        self._forecast: Forecast | None = None

    def open(self, like: "Session | None" = None) -> None:
        """Prepare the data and create the run's file, before hours are spent on measurements.

        With --dry-run it ends with the forecast, without a file; with --resume the file is that of an
        earlier run.

        Args:
            like: an open session with the same data.

        Raises:
            WorthitError: the dataset, the cache or the folder of runs cannot be used.
        """
        if like is None:
            self._prepare()
        else:
            self._prepared, self._audit = like._prepared, like._audit
            self._out_of_domain = like._out_of_domain
        assert self._prepared is not None
        described = self._place.machine if self._place else machine.describe()
        if self._place is None:  # a forecast elsewhere would need what is measured there
            self._forecast = forecast.make(
                self.options, cells(self.options), self._prepared, self._out_of_domain,
                described["fingerprint"], self._settings,
            )  # fmt: skip
            for line in (
                *self._forecast.lines(),
                *cell_limits.too_low(self.options, self._forecast),
            ):
                self._progress.line(line)
        if self.options.dry_run:
            return
        new, folder = self._empty_run(described), self.options.runs_folder
        if self.options.resume:
            self._resume(new, folder)
            return
        try:
            self._run, self.run_file = run_file.create(new, folder)
        except OSError as error:
            raise RunError(
                f"runs cannot be saved in {folder} ({error.strerror}); choose --runs-folder"
            ) from error
        self._lock = interrupted.hold(self.run_file)

    def _resume(self, new: record.Run, folder: Path) -> None:
        """Continue an earlier run instead of a new one."""
        self._run, self.run_file = interrupted.find(new, folder)
        self._lock = interrupted.hold(self.run_file)
        self._started -= self._run.wall_s
        self._earlier = interrupted.Earlier(self._run.cells, self.options.models)
        self.keep_noise(new.noise)
        left = ""
        if self._forecast and (left_s := self._forecast.seconds_left(self._earlier.whole)):
            left = f"; about {minutes(left_s)} left"
        self._progress.line(
            f"continues {self._run.run_id}: {counted(len(self._earlier.whole), 'cell')} measured{left}"
        )

    def _prepare(self) -> None:
        """Prepare the data and say what it is, and what will become of it."""
        options, preset = self.options, self.options.preset
        if self._place is None:  # a node checks its own places
            places.require(options)
        self._progress.line(f"\nworthit: preset {preset.name} ({preset.about})")
        if overridden := engine.overridden_threads():
            self._progress.line(f"  {overridden}")
        prepared = prepare.prepare(options.dataset, protocol.of(options), options.choices)
        self._prepared = prepared
        self._require_able(prepared)
        train, test = prepared.step("train"), prepared.step("test")
        sizes = f"{train.comments:,} to train on, {test.comments:,} to test on"
        self._progress.line(f"data: {prepared.title}, {sizes}")
        for note in prepared.notes:
            self._progress.line(f"  {note}")
        self._out_of_domain = transfer.prepare_all(options.also_test, prepared, options.choices)
        for other in self._out_of_domain:
            self._progress.line(f"  also tested on {other.summary()}")
        self._audit = examine(prepared.key)
        self._progress.line(f"  {self._audit.summary()}")
        if self._place is None:  # the nodes of a cluster may have cached other weights
            self._llms = llm_choice.choose(options)
        for choice in self._llms:
            self._progress.line(str(choice))
        for line in announcements.lines(
            options, prepared, self._out_of_domain, self._audit, self._settings
        ):
            self._progress.line(f"  {line}")

    def _require_able(self, prepared: Prepared) -> None:
        """Raise OptionError if a model learns one label only, and the comments have several."""
        if not prepared.multilabel:
            return
        models = self.options.models.items()
        unable = [row for row, name in models if not registry.entry(name).multilabel]
        if unable:
            raise OptionError(
                f"{', '.join(unable)} cannot learn several labels at once; omit it from --models, or learn one "
                "label: --label-column with one column, or --positive-label LABEL without --multilabel"
            )

    @property
    def classes(self) -> int:
        """The number of classes of the data; known once the session is open."""
        assert self._prepared is not None
        return len(self._prepared.classes)

    @property
    def multilabel(self) -> bool:
        """True if a comment has any number of the classes; known once the session is open."""
        assert self._prepared is not None
        return self._prepared.multilabel

    @property
    def splits(self) -> tuple[str, ...]:
        """The keys of all prepared comments."""
        assert self._prepared is not None
        return (self._prepared.key, *(other.key for other in self._out_of_domain))

    def at(self, label: str) -> "Session":
        """The cells of one kind of machine; here there is one kind."""
        return self

    def why_no_seed(self, model: str, device: str, seed: int) -> str:
        """Why a later seed of a model is omitted; empty if it is trained.

        By default, a model is trained again only if its first training was fast.
        """
        if seed == 0 or self.options.seeds is not None:
            return ""
        limit_s = self.options.preset.fast_training_s
        first = self._records.get((model, device, 0))
        if first is None or first.training is None:
            reason = "its first training has no result"
        else:
            spent = first.training.train_s, first.training.choosing_s
            known_s = [figure.value for figure in spent if figure.value is not None]
            if known_s and sum(known_s) <= limit_s:
                return ""
            reason = f"its first training took over {limit_s:g} s; --seeds {_SEEDS} trains it again"
        if (model, device, seed) not in self._omitted:
            self._omitted.add((model, device, seed))
            if seed == 1:
                self._progress.line(f"{model}-{device} has one seed: {reason}")
        return f"{cell_name(model, device, seed)} is omitted: {reason}"

    def cell_run(self, model: str, device: str, seed: int) -> CellRun | MeasuredCell:
        """The next cell, not yet started; or as it was measured before an interruption."""
        cell = self.cell(model, device, seed)
        self.announce(cell.name)
        if earlier := self._earlier.whole.get((model, device, seed)):
            self._progress.line("  measured before")
            self.keep(earlier)
            return MeasuredCell(earlier, {})
        limit_s = self.limit_s(model, device)
        return CellRun(cell, self.log(cell.name), limit_s, self._progress, self.keep)

    def cell(self, model: str, device: str, seed: int) -> Cell:
        """What the next cell trains and measures."""
        assert self._prepared is not None
        options, preset = self.options, self.options.preset
        name = options.models[model]
        effort = dataclasses.replace(preset.effort, attempts=options.attempts)
        return Cell(
            model, device, seed, self._prepared.key,
            self._settings(model, device) | self._tuned(model, device), effort,
            retrain=options.retrain and self._is_first(model, device, seed),
            also=tuple((other.name, other.key) for other in self._out_of_domain),
            location="" if name in MODELS else name, cpu_watts=options.cpu_watts,
            may_send_comments=options.yes_send_comments,
            tune_s=None if (model, device, 0) in self._records else options.tune,
            processes=options.processes,
        )  # fmt: skip

    def log(self, cell: str) -> Path:
        """The file of a cell's log."""
        assert self._run is not None
        folder = self.options.runs_folder / "logs" / self._run.run_id
        return folder / f"{file_name(cell)}.log"

    def limit_s(self, model: str, device: str) -> float:
        """Time limit of one training or one measurement."""
        assert self._prepared is not None
        comments = self._prepared.step("train").comments
        forecast_s = self._forecast.cell_s(model, device) if self._forecast else 0.0
        return cell_limits.limit_s(self.options, comments, forecast_s)

    def _settings(self, model: str, device: str) -> dict[str, Any]:
        options, name = self.options, self.options.models[model]
        entry = registry.entry(name)
        preset = options.preset.settings.get(entry.trained_as or name, {})
        settings = preset | registry.settings(name)
        if registry.is_endpoint(name) and options.endpoint is not None:
            settings |= {"url": options.endpoint.url, "shots": options.shots}
        for choice in self._llms:
            if choice.device == device and model in choice.rows:
                settings |= choice.settings
        if entry.pretrained and options.max_length is not None:
            settings["max_length"] = options.max_length
        trained = entry.trained_as or model
        if trained in options.checkpoint:
            settings["checkpoint"] = options.checkpoint[trained]
        return settings

    def _tuned(self, model: str, device: str) -> dict[str, Any]:
        """The settings that the search of the first seed chose; later seeds use them too."""
        first = self._records.get((model, device, 0))
        return first.tuning.chosen if first and first.tuning else {}

    def _is_first(self, model: str, device: str, seed: int) -> bool:
        """True for the first of the cells that share a trained model: only it trains again."""
        entry = registry.entry(self.options.models[model])
        trained = (entry.trained_as or model, device, seed)
        is_first = trained not in self._trained
        self._trained.add(trained)
        return is_first

    def finish(self, interrupted: bool) -> list[tuple[record.Run, Path]]:
        """Save the run, and return it with its file; without any record delete the file.

        Raises:
            OutputError: its folder has no room; the message says where the run is instead.
        """
        self.discard_empty()
        if self._run is None or self.run_file is None or not self.has_results:
            return []
        done = len(self._records) + len(self._omitted)
        self._save(complete=not interrupted and done == self._planned)
        if self._unsaved:
            run_file.save_elsewhere(self._run, self.run_file, self._unsaved)
        return [(self._run, self.run_file)]

    @property
    def has_results(self) -> bool:
        return bool(self._records or self._earlier.cells)

    def discard_empty(self) -> None:
        """Delete the run's file while it has no record."""
        if self.run_file is not None and not self.has_results:
            self.run_file.unlink(missing_ok=True)

    def announce(self, cell: str) -> None:
        """Print the name and number of the cell whose lines follow."""
        elapsed = minutes(time.monotonic() - self._started)
        done = len(self._records) + len(self._omitted)
        place = f"[{done + 1}/{self._planned}]"
        left_s = 0.0
        if self._forecast is not None:
            done_or_kept = {*self._records, *self._omitted, *self._earlier.whole}
            left_s = self._forecast.seconds_left(done_or_kept)
        left = f", about {minutes(left_s)} left" if left_s else ""
        self._progress.line(f"{place} {cell}  ({elapsed} so far{left})")

    def keep(self, cell: record.CellRecord) -> None:
        """Save the record of a cell, whose earlier one it replaces."""
        if not (cell.training or cell.tuning or cell.failures or cell.skipped):
            return  # no result yet; an interrupted cell has none at all
        kept = self._earlier.with_its_training(cell)
        self._records[cell.model, cell.device, cell.seed] = kept
        self._save(complete=False)

    def keep_noise(self, noise: Figure) -> None:
        """Save the noise of one of the machines of the run, unless another one was noisier."""
        assert self._run is not None
        assert noise.value is not None
        if self._run.noise.value is None or self._run.noise.value < noise.value:
            self._run = dataclasses.replace(self._run, noise=noise)

    def _save(self, complete: bool) -> None:
        assert self._run is not None
        assert self.run_file is not None
        # Nodes of a cluster return cells in any order.
        place = {(*key, int(seed)): i for i, (*key, seed) in enumerate(cells(self.options))}
        records = {**self._earlier.cells, **self._records}
        in_order = sorted(records.items(), key=lambda item: place[item[0]])
        self._run = dataclasses.replace(
            self._run,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            wall_s=time.monotonic() - self._started,
            cells=tuple(cell for _, cell in in_order),
            complete=complete,
        )
        try:
            run_file.save(self._run, self.run_file)
            self._unsaved = ""
        except OSError as error:  # cells continue: space may be free before the end
            if not self._unsaved:
                self._progress.line(
                    f"  the run cannot be saved ({error.strerror}); free some space"
                )
            self._unsaved = str(error.strerror)

    def _empty_run(self, described: dict[str, Any]) -> record.Run:
        assert self._prepared is not None
        assert self._audit is not None
        started = self._started_at.isoformat(timespec="seconds")
        name = f"{self._started_at:%Y-%m-%d-%H%M%S}-{self.options.preset.name}"
        not_yet = unavailable("%", "no cell has ended")
        return record.Run(
            run_id=f"{name}-{self._place.name}" if self._place and self._place.name else name,
            started_at=started,
            finished_at=started,
            wall_s=0.0,
            preset=self.options.preset.name,
            options=self.options.described(),
            machine=described,
            data=data_record.data(self._prepared, self._out_of_domain, self._audit),
            cells=(),
            complete=False,
            noise=not_yet if self._place else measure_noise(_NOISE_S),
        )

"""One benchmark session: options in, cells run one after another, one saved run out."""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from worthit.bench import model_choice
from worthit.bench.cell import Cell, file_name
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress, minutes
from worthit.bench.instruments import machine
from worthit.bench.instruments.machine_noise import measure_noise
from worthit.bench.presets import Preset, preset
from worthit.bench.saved import data_record, record, run_file
from worthit.datasets import prepare, transfer
from worthit.datasets.audit.audit import Audit, examine
from worthit.datasets.errors import OptionError, RunError, UnknownNameError
from worthit.datasets.registry import parse
from worthit.datasets.splits.manifest import OutOfDomainSet, Prepared
from worthit.datasets.splits.protocol import AtMost, Protocol
from worthit.datasets.tables.columns import NOTHING, Choices
from worthit.models import registry
from worthit.models.contract import DEVICES
from worthit.models.registry import MODELS

_NOISE_S = 1.0


@dataclass(frozen=True)
class Options:
    """What a user asked for, checked: see `pytest bench/ --help`, section worthit."""

    preset_name: str
    models: dict[str, str]  # by what rows are called: what was named
    devices: tuple[str, ...]
    devices_given: bool
    dataset: str
    train_size: int | None
    test_size: int | None
    max_length: int | None
    checkpoints: dict[str, str]
    seeds: int
    retrain: bool
    learning_curve: bool
    cell_limit_s: float | None
    runs_folder: Path
    report_options: Mapping[str, str]  # flag → as written: kept with the run, read by reports only
    choices: Choices = NOTHING
    language: str | None = None  # None is as suits the dataset
    balance: bool | None = None  # the same
    also_test: tuple[str, ...] = ()  # data sets of other origin, as --dataset takes them

    @property
    def preset(self) -> Preset:
        return preset(self.preset_name)


def checked(
    *,
    preset_name: str,
    models: str | None,
    devices: str | None,
    dataset: str,
    train_size: int | None,
    test_size: int | None,
    max_length: int | None,
    checkpoints: Sequence[str],
    seeds: int,
    retrain: bool,
    learning_curve: bool,
    cell_limit_s: float | None,
    runs_folder: Path,
    report_options: Mapping[str, str],
    choices: Choices = NOTHING,
    language: str | None = None,
    balance: bool | None = None,
    also_test: Sequence[str] = (),
) -> Options:
    """Turn options as written into options as meant.

    Args:
        report_options: flag → value as written, checked already; saved with the run.

    Raises:
        UnknownNameError, OptionError: something is not known or makes no sense; says what is.
    """
    preset(preset_name)
    for given in (dataset, *also_test):
        parse(given)
    for name, value in (
        ("--seeds", seeds),
        ("--max-length", max_length),
        ("--cell-limit", cell_limit_s),
    ):
        if value is not None and value < 1:
            raise OptionError(f"{name} is {value}; it takes a number from 1 up")
    Protocol(train_size=train_size, test_size=test_size, language=language)
    chosen = model_choice.models(models)
    on = model_choice.listed("--devices", devices) or machine.present_devices()
    for device in on:
        if device not in DEVICES:
            raise UnknownNameError("device", device, DEVICES)
    return Options(
        preset_name,
        chosen,
        tuple(dict.fromkeys(on)),
        devices is not None,
        dataset,
        train_size,
        test_size,
        max_length,
        model_choice.checkpoints(checkpoints, chosen),
        seeds,
        retrain,
        learning_curve,
        cell_limit_s,
        runs_folder,
        report_options,
        choices,
        language,
        balance,
        tuple(dict.fromkeys(also_test)),
    )


def cells(options: Options) -> list[tuple[str, str, str]]:
    """All (model, device, seed), as plain strings; models only on devices they can run on.

    A device the user named stays, though no model of those chosen runs on it: the cell is then
    skipped with the reason rather than passed over in silence.
    """
    combinations = []
    for model, named in options.models.items():
        able = [device for device in options.devices if device in registry.entry(named).devices]
        for device in able or (options.devices if options.devices_given else ()):
            combinations += [(model, device, str(seed)) for seed in range(options.seeds)]
    return combinations


class Session:
    """Holds what all cells share, and collects their records into a run that is always saved."""

    def __init__(self, options: Options, planned: int, progress: Progress) -> None:
        self.options = options
        self.run_file: Path | None = None
        self._planned = planned
        self._progress = progress
        self._started, self._started_at = time.monotonic(), datetime.now(UTC)
        self._records: dict[tuple[str, str, int], record.CellRecord] = {}
        self._run: record.Run | None = None
        self._prepared: Prepared | None = None
        self._trained: set[tuple[str, str, int]] = set()  # model, device, seed of cells so far
        self._out_of_domain: tuple[OutOfDomainSet, ...] = ()

    def open(self) -> None:
        """Prepare the data and see that results can be kept, before hours are spent on them.

        Raises:
            WorthitError: of the dataset, the cache or the folder for runs.
        """
        options, chosen = self.options, self.options.preset
        self._progress.line(f"\nworthit: preset {options.preset_name} ({chosen.about})")
        self._prepared = prepare.prepare(
            options.dataset,
            Protocol(
                train_size=options.train_size or chosen.train_size,
                test_size=options.test_size or chosen.test_size,
                natural_size=AtMost(options.test_size)
                if options.test_size
                else chosen.natural_size,
                validation_size=_at_most(chosen.validation_size, options.test_size),
                language=options.language,
                balance=options.balance,
            ),
            options.choices,
        )
        train, test = self._prepared.step("train"), self._prepared.step("test")
        self._progress.line(
            f"data: {self._prepared.title}, {train.comments:,} to train on, {test.comments:,} to test on"
        )
        for note in self._prepared.notes:
            self._progress.line(f"  {note}")
        self._out_of_domain = transfer.prepare_all(
            options.also_test, self._prepared, options.choices
        )
        for other in self._out_of_domain:
            self._progress.line(f"  also tested on {other.summary()}")
        audit = examine(self._prepared.key)
        self._progress.line(f"  {audit.summary()}")
        empty = self._empty_run(self._prepared, audit)
        try:
            self._run, self.run_file = _begun(empty, options.runs_folder)
        except OSError as error:
            raise RunError(
                f"runs cannot be saved in {options.runs_folder} ({error.strerror}); choose --runs-folder"
            ) from error

    def cell_run(self, model: str, device: str, seed: int) -> CellRun:
        """The next cell, not yet started."""
        assert self._prepared is not None
        options, chosen = self.options, self.options.preset
        named = options.models[model]
        entry = registry.entry(named)
        settings = chosen.settings.get(entry.trained_as or named, {}) | registry.settings(named)
        if entry.pretrained and options.max_length is not None:
            settings["max_length"] = options.max_length
        trained = entry.trained_as or model
        if trained in options.checkpoints:
            settings["checkpoint"] = options.checkpoints[trained]
        # Once is enough: what two cells share, the first of them trains again.
        retrain = options.retrain and (trained, device, seed) not in self._trained
        self._trained.add((trained, device, seed))
        cell = Cell(
            model, device, seed, self._prepared.key, settings, chosen.effort, retrain,
            also=tuple((other.name, other.key) for other in self._out_of_domain),
            location="" if named in MODELS else named,
        )  # fmt: skip
        assert self._run is not None
        log = Path(
            self.options.runs_folder, "logs", self._run.run_id, f"{file_name(cell.name)}.log"
        )
        self._announce(cell)
        return CellRun(
            cell, log, options.cell_limit_s or chosen.cell_limit_s, self._progress, self._keep
        )

    def finish(self, interrupted: bool) -> record.Run | None:
        """Save the run for good; None if no cell got anywhere, when nothing is left behind."""
        if self._run is None or self.run_file is None:
            return None
        if not self._records:
            self.run_file.unlink(missing_ok=True)
            return None
        self._save(complete=not interrupted and len(self._records) == self._planned)
        return self._run

    def _announce(self, cell: Cell) -> None:
        elapsed = minutes(time.monotonic() - self._started)
        place = f"[{len(self._records) + 1}/{self._planned}]"
        left = self._seconds_left()
        forecast = f", about {minutes(left)} left" if left else ""
        self._progress.line(f"{place} {cell.name}  ({elapsed} so far{forecast})")

    def _seconds_left(self) -> float:
        """What the cells to come took in the newest run of this preset; 0 if nobody knows."""
        for file in sorted(
            self.options.runs_folder.glob(f"*-{self.options.preset_name}*.json"), reverse=True
        ):
            try:
                earlier = run_file.load(file)
            except RunError:
                continue
            if earlier.complete and earlier.options == self._described_options():
                known = {(c.model, c.device, c.seed): c.wall_s for c in earlier.cells}
                return sum(seconds for key, seconds in known.items() if key not in self._records)
        return 0.0

    def _keep(self, cell: record.CellRecord) -> None:
        self._records[cell.model, cell.device, cell.seed] = cell
        self._save(complete=False)

    def _save(self, complete: bool) -> None:
        assert self._run is not None
        assert self.run_file is not None
        self._run = dataclasses.replace(
            self._run,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            wall_s=time.monotonic() - self._started,
            cells=tuple(self._records.values()),
            complete=complete,
        )
        try:
            run_file.save(self._run, self.run_file)
        except OSError as error:  # cells go on: space may be freed before the end
            self._progress.line(f"  the run cannot be saved now: {error.strerror}; free some space")

    def _empty_run(self, prepared: Prepared, audit: Audit) -> record.Run:
        started = self._started_at.isoformat(timespec="seconds")
        return record.Run(
            run_id=f"{self._started_at:%Y-%m-%d-%H%M%S}-{self.options.preset_name}",
            started_at=started,
            finished_at=started,
            wall_s=0.0,
            preset=self.options.preset_name,
            options=self._described_options(),
            machine=machine.describe(),
            data=data_record.data(prepared, self._out_of_domain, audit),
            cells=(),
            complete=False,
            noise=measure_noise(_NOISE_S),
        )

    def _described_options(self) -> dict[str, str]:
        """The options as a user would write them, paths shortened to names."""
        options = self.options
        described = {
            "--preset": options.preset_name,
            "--models": ",".join(map(model_choice.shown, options.models, options.models.values())),
            "--devices": ",".join(options.devices),
            "--dataset": parse(options.dataset).shown,
            "--seeds": str(options.seeds),
            "--retrain": "yes" if options.retrain else "no",
            "--learning-curve": "yes" if options.learning_curve else "no",
            **options.choices.options(),
            **options.report_options,
        }
        if options.also_test:
            described["--also-test"] = ", ".join(parse(given).shown for given in options.also_test)
        if options.language is not None:
            described["--language"] = options.language
        if options.balance is not None:
            described["--balance"] = "yes" if options.balance else "no"
        for name, value in (("--train-size", options.train_size), ("--test-size", options.test_size),
                            ("--max-length", options.max_length)):  # fmt: skip
            if value is not None:
                described[name] = str(value)
        for model, checkpoint in options.checkpoints.items():
            path = Path(checkpoint)
            described[f"--checkpoint {model}"] = path.name if path.is_absolute() else checkpoint
        return described


def _begun(run: record.Run, folder: Path) -> tuple[record.Run, Path]:
    """The run under a name that no other has, as two may start in the same second; and its file."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in itertools.chain([""], (f"-{number}" for number in itertools.count(2))):
        named = dataclasses.replace(run, run_id=run.run_id + suffix)
        file = folder / f"{named.run_id}.json"
        with contextlib.suppress(FileExistsError):
            file.touch(exist_ok=False)
            break
    try:
        run_file.save(named, file)
    except OSError:
        file.unlink(missing_ok=True)
        raise
    return named, file


def _at_most(size: AtMost, test_size: int | None) -> AtMost:
    """Small runs stay small: no more for validation than for the test."""
    return size if test_size is None else AtMost(min(size.comments, test_size))

"""The forecast of a run: time of each model, memory and disk, before the first cell.

Where a run on the same machine has measured a model, its rates are used, scaled to these comments. Other
rates are estimated from sizes and from one product of matrices, measured now. Neither is a measurement
of this run. What is cached takes less; a disturbed measurement is repeated, and takes more.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worthit.bench.cell import CellKey, Effort
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.cells.progress import minutes
from worthit.bench.forecast import cost, earlier, gemm, networks
from worthit.bench.forecast.cost import Rates, Work
from worthit.bench.forecast.networks import Network
from worthit.bench.options import BenchmarkOptions
from worthit.bench.saved.record import Run
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, DeviceError
from worthit.datasets.splits.manifest import OutOfDomainSet, Prepared
from worthit.models import registry
from worthit.models.hardware import processor
from worthit.models.transformer import epochs

#: settings of a model on a device that differ from its defaults
SettingsOf = Callable[[str, str], Mapping[str, Any]]

_LIMIT = Limit(60.0, "the machine is busy")  # torch's import included
_ENCODER, _LLM = "all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"  # the models' default checkpoints
_MAX_LENGTH = 128  # and theirs in tokens
_PROMPTS = ("llama-zero-shot", "llama-few-shot")


@dataclass(frozen=True)
class ModelForecast:
    """One model on one device; times of all its seeds."""

    model: str
    device: str
    rates: Rates | None  # None: no forecast
    reason: str  # why there is none
    cells: Mapping[CellKey, float]  # seconds
    training_s: float
    download_bytes: int = 0
    processes: int = 1  # that will share the training

    @property
    def seconds(self) -> float:
        return sum(self.cells.values())

    @property
    def memory_mb(self) -> float:
        return max(self.rates.training_mb, self.rates.scoring_mb) if self.rates else 0.0

    @property
    def disk_mb(self) -> float:
        return self.rates.disk_mb * len(self.cells) if self.rates else 0.0


@dataclass(frozen=True)
class Forecast:
    models: tuple[ModelForecast, ...]
    downloads: Mapping[str, int]  # checkpoint → bytes still to be downloaded

    def seconds_left(self, done: Iterable[CellKey]) -> float:
        """Of the cells that are not done, as far as they have a forecast."""
        seconds = {key: each for model in self.models for key, each in model.cells.items()}
        return sum(seconds[key] for key in seconds.keys() - set(done))

    def cell_s(self, model: str, device: str) -> float:
        """Seconds of the first seed; 0 without a forecast."""
        cells = {key: each for one in self.models for key, each in one.cells.items()}
        return cells.get((model, device, 0), 0.0)

    def lines(self) -> list[str]:
        """The forecast for people, at most 80 columns wide."""
        known = [model for model in self.models if model.rates]
        unknown = [model for model in self.models if not model.rates]
        if not known:
            return ["forecast: none", *map(_no_forecast, unknown)]
        disk_mb = sum(model.disk_mb for model in known) + sum(self.downloads.values()) / 1e6
        total_s = sum(model.seconds for model in known)
        without = " without those that have none" if unknown else ""
        plus = " plus downloads" if self.downloads else ""
        return [
            f"forecast{without}: about {minutes(total_s)}{plus}, up to "
            f"{max(model.memory_mb for model in known):,.0f} MB of memory, {disk_mb:,.0f} MB of disk",
            *_table(known),
            *map(_no_forecast, unknown),
            *_basis(known),
            *_other_processes(known),
            *(
                f"  to download: {name}, {size / 1e6:,.0f} MB"
                for name, size in self.downloads.items()
            ),
        ]


def _no_forecast(model: ModelForecast) -> str:
    return f"  {model.model} on {model.device} has no forecast: {model.reason}"


def _table(models: list[ModelForecast]) -> list[str]:
    return [
        f"  {'model':<28} seeds  training  measuring  memory, MB  disk, MB",
        *(
            f"  {f'{model.model[:23]}-{model.device}':<28} {len(model.cells):5}  "
            f"{minutes(model.training_s):>8}  {minutes(model.seconds - model.training_s):>9}  "
            f"{model.memory_mb:10,.0f}  {f'{model.disk_mb:,.0f}' if model.disk_mb >= 1 else '< 1':>8}"
            for model in models
        ),
    ]


def _basis(models: list[ModelForecast]) -> list[str]:
    """Where rates come from, a line each."""
    by_run: dict[str, list[str]] = {}
    for model in models:
        assert model.rates is not None
        by_run.setdefault(model.rates.run, []).append(f"{model.model}-{model.device}")
    return [
        f"  {', '.join(names)}: "
        + (f"from {run}, on this machine" if run else "estimated from sizes")
        for run, names in by_run.items()
    ]


def _other_processes(models: list[ModelForecast]) -> list[str]:
    """How the times of training were found where other numbers of processes will share it."""
    by_numbers: dict[tuple[int, int], list[str]] = {}
    for model in models:
        assert model.rates is not None
        if model.training_s and model.processes != model.rates.processes:
            numbers = model.rates.processes, model.processes
            by_numbers.setdefault(numbers, []).append(f"{model.model}-{model.device}")
    return [
        f"  {', '.join(names)}: training time and memory are those with {_processes(known)}; with "
        f"{_processes(planned)} they are unknown"
        for (known, planned), names in by_numbers.items()
    ]


def _processes(number: int) -> str:
    return "one process" if number == 1 else f"{number} processes"


def make(
    options: BenchmarkOptions,
    cells: Iterable[tuple[str, str, str]],
    prepared: Prepared,
    others: Iterable[OutOfDomainSet],
    fingerprint: str,
    settings_of: SettingsOf,
) -> Forecast:
    """The forecast of a run whose comments are prepared.

    Args:
        cells: model, device and seed of all planned cells.
        others: the out-of-domain test sets.
        fingerprint: of this machine.
    """
    texts = {part: prepare.comments(prepared.key, part).texts for part in _PARTS}
    more = [prepare.comments(other.key, "test").texts for other in others]
    sides = (texts["train"][: len(texts["test"])], *(texts[part] for part in _PARTS[1:]), *more)
    work = Work(
        train=len(texts["train"]),
        validation=len(texts["validation"]),
        scored=len({text for side in sides for text in side}),
        characters=earlier.read(map(len, texts["train"])),
        classes=len(prepared.classes),
        labels=len(prepared.classes) if prepared.multilabel else 0,
        curve=options.learning_curve,
        tune_s=options.tune or 0.0,
    )
    known = earlier.runs(options.runs_folder, fingerprint, options.described())
    maker = _Maker(options, work, list(texts["train"]), known, settings_of)
    seeds: dict[tuple[str, str], list[int]] = {}
    for model, device, seed in cells:
        seeds.setdefault((model, device), []).append(int(seed))
    models = [maker.model(model, device, planned) for (model, device), planned in seeds.items()]
    return Forecast(tuple(models), maker.downloads)


_PARTS = ("train", "test", "natural", "validation")


class _Maker:
    def __init__(
        self,
        options: BenchmarkOptions,
        work: Work,
        texts: list[str],
        known: list[tuple[str, Run]],
        settings_of: SettingsOf,
    ) -> None:
        self.downloads: dict[str, int] = {}
        self._options, self._work, self._texts = options, work, texts
        self._known, self._settings_of = known, settings_of
        self._gemm: dict[gemm.Product, gemm.Rate] = {}

    def model(self, model: str, device: str, seeds: list[int]) -> ModelForecast:
        try:
            rates = self._rates(model, device)
        except (CellError, DeviceError) as error:
            return ModelForecast(model, device, None, str(error), {}, 0.0)
        preset = self._options.preset
        spent_s = rates.choose_s + rates.train_s
        if self._options.seeds is None and spent_s > preset.fast_training_s:
            seeds = seeds[:1]
        effort = dataclasses.replace(preset.effort, attempts=self._options.attempts)
        times = {seed: _seconds(rates, self._work, effort, seed) for seed in seeds}
        return ModelForecast(
            model,
            device,
            rates,
            "",
            {(model, device, seed): sum(each) for seed, each in times.items()},
            sum(training_s for training_s, _ in times.values()),
            processes=self._processes(model),
        )

    def _processes(self, model: str) -> int:
        entry = registry.entry(self._options.models[model])
        trained = registry.entry(entry.trained_as) if entry.trained_as else entry
        return self._options.processes if trained.shares_training else 1

    def _rates(self, model: str, device: str) -> Rates:
        """Raises DeviceError or CellError, with the reason, if there is no forecast."""
        given = self._options.models[model]
        entry = registry.entry(given)
        if registry.is_endpoint(given):
            raise DeviceError("its server decides")
        network = self._network(model, device)
        weights = None if registry.is_user_code(given) else self._checkpoint(model, device)
        measured = earlier.rates(self._known, model, device, self._work, weights)
        if measured is not None:
            rates = measured
        elif registry.is_user_code(given):
            raise DeviceError("it is your code")
        elif entry.kind == "classical":
            rates = cost.of_classical(model, self._work)
        elif network is None:
            raise DeviceError("its weights are not on this machine, or have no readable size")
        else:
            rates = self._estimate(model, device, network)
        if entry.trained_as in self._options.models:  # the other model's cell trains it
            rates = dataclasses.replace(rates, train_s=0.0, training_mb=rates.scoring_mb)
        return rates

    def _checkpoint(self, model: str, device: str) -> str | None:
        """The pretrained weights of a transformer; None of other models."""
        entry = registry.entry(self._options.models[model])
        if not entry.pretrained or entry.kind == "classical":
            return None
        default = _LLM if entry.kind == "llm" else _ENCODER
        return str(self._settings_of(model, device).get("checkpoint", default))

    def _network(self, model: str, device: str) -> Network | None:
        checkpoint = self._checkpoint(model, device)
        if checkpoint is None:
            return None
        network = networks.find(checkpoint)
        if network is not None and network.download_bytes:
            self.downloads[checkpoint] = network.download_bytes
        return network

    def _estimate(self, model: str, device: str, network: Network) -> Rates:
        settings = self._settings_of(model, device)
        limit = settings.get("max_length", _MAX_LENGTH)
        product = gemm.Product(device, str(settings.get("precision", "auto")), network.width)
        rate = self._measure(product)
        # An LLM reads a comment once for each label.
        asks = max(self._work.labels, 1) if network.is_llm and model != "llama-head" else 1
        told_apart = 2 if asks > 1 else self._work.classes
        passes = settings.get("epochs") or epochs.passes(self._work.train * asks, told_apart)
        training = cost.Training(
            passes=0 if model in _PROMPTS or model == "embeddings" else passes,
            all_weights=not network.is_llm,
            frozen=model == "embeddings",
            chooses=model in _PROMPTS,
            four_bits=model == "llama-qlora",
        )
        return cost.of_transformer(
            network,
            training,
            self._work,
            networks.tokens(network, self._texts, limit),
            rate.flops_per_s,
            cores=processor.allowed_cores() if device == "cpu" else None,
            bytes_per_weight=rate.bytes_per_number,
            sequences=asks,
        )

    def _measure(self, product: gemm.Product) -> gemm.Rate:
        if product not in self._gemm:
            log = cache_folder("logs", "forecast.log")
            worker = Worker(product, log, lambda done, total: None, "worthit.bench.forecast.gemm")
            try:
                self._gemm[product] = worker.start(gemm.Rate, _LIMIT)
            finally:
                worker.close()
        return self._gemm[product]


def _seconds(rates: Rates, work: Work, effort: Effort, seed: int) -> tuple[float, float]:
    """Training and measuring of one seed; later seeds are only scored."""
    if seed:
        plain = dataclasses.replace(work, curve=False, tune_s=0.0)
        return cost.training_s(rates, plain), cost.scoring_s(rates, work)
    return cost.training_s(rates, work), cost.measuring_s(rates, work, effort)

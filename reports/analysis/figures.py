"""The table of figures: one row for each figure that reports show, limit, rank or compare.

A new figure is one field of the record and one row here. The results table, the brief table,
`compare`, `repeat`, budgets, the frontier and the detail tables read this table.
"""

from collections.abc import Iterable, Iterator, Mapping

from worthit.bench.saved.record import CellRecord, Figure, Run, unavailable
from worthit.reports.analysis import bounds, error_costs, leads, quality_figures, run_view
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import Bound, FigureSpec, Limit, Read, Values, at, within
from worthit.reports.statistics import metrics
from worthit.reports.text.format import percent


def _value(bound: Bound) -> Read:
    return lambda run, cell: bound(run, cell).figure


def tokens(name: str) -> Read:
    """Tokens of a comment, as the server counts: `prompt` or `completion`."""

    def read(run: Run, cell: CellRecord) -> Figure:
        if cell.quality is None:
            return unavailable("tokens", run_view.missing(cell, "quality"))
        if cell.quality.requests is None:
            return unavailable("tokens", "it runs on no server")
        counted: Figure = getattr(cell.quality.requests, f"{name}_tokens")
        return run_view.scored(counted, cell)

    return read


def choosing_s(run: Run, cell: CellRecord) -> Figure:
    """Of a search for settings (`--tune`), and of a choice before training; both on validation comments."""
    if cell.training is None:
        return unavailable("s", run_view.missing(cell, "training"))
    parts = [cell.training.choosing_s, *([cell.tuning.search_s] if cell.tuning else [])]
    known = [bounds.within(part) for part in parts if part.value is not None]
    return bounds.total(known, "s").figure if known else parts[-1]


def _preparation_s(run: Run, cell: CellRecord) -> Bounded:
    """One training; of a model without one, the choice of its prompt."""
    training = bounds.training_s(run, cell)
    chosen = bounds.within(choosing_s(run, cell), bounds.noise(run))
    return chosen if training.nothing and chosen.value is not None else training


def _energy_mj(run: Run, cell: CellRecord) -> Bounded:
    return bounds.energy_j(run, cell).times(1e3, "mJ")


def _details(
    section: str, headings: Mapping[str, str], *, optional: bool = False
) -> Iterator[FigureSpec]:
    """Figures that only a table of details shows: path in the record → heading."""
    for path, heading in headings.items():
        yield FigureSpec(path, at(path), detail=(section, heading), optional=optional)


def _energy_per_correct_mj(run: Run, cell: CellRecord) -> Bounded:
    return bounds.per_correct(_energy_mj(run, cell), bounds.test_accuracy(run, cell))


FIGURES = (
    FigureSpec(
        "train_accuracy",
        quality_figures.train_accuracy,
        heading="train acc",
        of_labels="train subset acc",
        number=percent,
        results=True,
        better="higher",
    ),
    FigureSpec(
        "macro_f1",
        _value(quality_figures.macro_f1),
        quality_figures.macro_f1,
        heading="macro F1 (95 % interval)",
        number=percent,
        results=True,
        optional=True,
        interval=True,
        brief="F1",
        better="higher",
    ),
    FigureSpec(
        "micro_f1",
        _value(quality_figures.micro_f1),
        quality_figures.micro_f1,
        heading="micro F1 (95 % interval)",
        number=percent,
        results=True,
        optional=True,
        interval=True,
        better="higher",
    ),
    FigureSpec(
        "accuracy",
        _value(bounds.test_accuracy),
        bounds.test_accuracy,
        heading="test acc (95 % interval)",
        of_labels="subset accuracy (95 % interval)",
        number=percent,
        results=True,
        interval=True,
        brief="test",
        better="higher",
        limit=Limit(
            "accuracy", "test accuracy (of several labels subset accuracy), from 0 to 1", most=1.0
        ),
    ),
    FigureSpec(
        "error_cost",
        _value(error_costs.bounded),
        error_costs.bounded,
        heading="cost of errors per 1,000 comments (95 % interval)",
        results=True,
        optional=True,
        interval=True,
    ),
    FigureSpec(
        "deciding",
        _value(leads.deciding),
        leads.deciding,
        heading="what the verdict compares",
        better="higher",
    ),
    FigureSpec(
        "roc_auc",
        quality_figures.roc_auc,
        heading="ROC AUC",
        of_labels="macro ROC AUC",
        number=metrics.ROC_AUC.number,
        results=True,
        brief="AUC",
        better="higher",
    ),
    FigureSpec(
        "training_s",
        at("training.train_s"),
        _preparation_s,
        heading="training, s",
        of_bounds="training, or choice of the prompt, s",
        results=True,
        brief="train s",
        repeat="train",
        limit=Limit("train_s", "training, s"),
        frontier=("training or choice of prompt", "training, or choice of the prompt, s"),
        cascade="sum",
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        "choosing_s",
        choosing_s,
        heading="choosing settings, s",
        results=True,
        optional=True,
        detail=("training", "choosing settings before, s"),
    ),
    *_details(
        "latency",
        {
            "latency.cold_start_s": "cold start, s",
            "latency.load_s": "of it load, s",
            "latency.first_call_ms": "first call, ms",
        },
    ),
    FigureSpec(
        "first_shape_ms",
        at("latency.first_shape_ms"),
        optional=True,
        detail=("latency", "first call of a length, ms"),
    ),
    FigureSpec(
        "latency_p50_ms",
        at("latency.p50_ms"),
        bounds.latency_p50_ms,
        heading="latency p50, ms",
        results=True,
        brief="p50 ms",
        repeat="p50",
        detail=("latency", "p50, ms"),
        limit=Limit("latency_p50_ms", "median latency of one comment, ms"),
        frontier=("latency p50", "latency p50, ms"),
        cascade="latency",
        compared=True,
        quantile=0.5,
    ),
    *_details("latency", {"latency.p90_ms": "p90, ms"}),
    FigureSpec(
        "latency_p99_ms",
        at("latency.p99_ms"),
        bounds.latency_p99_ms,
        heading="latency p99, ms",
        results=True,
        repeat="p99",
        detail=("latency", "p99, ms"),
        limit=Limit("latency_ms", "p99 latency of one comment, ms"),
        compared=True,
        quantile=0.99,
    ),
    FigureSpec(
        "comments_per_s",
        at("throughput.machine.comments_per_s"),
        bounds.comments_per_s,
        heading="throughput, comments/s",
        results=True,
        brief="per s",
        repeat="rate",
        better="higher",
        limit=Limit("throughput_per_s", "comments/s of the machine at the best batch size"),
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        "core_ms",
        at("throughput.machine.core_ms"),
        bounds.core_ms,
        heading="CPU time, core-ms/comment",
        results=True,
        brief="CPU ms",
        repeat="CPU ms",
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        "device_ms",
        _value(bounds.device_ms),
        bounds.device_ms,
        heading="accelerator time, ms/comment",
    ),
    FigureSpec(  # `costs` compares it
        "compute_ms",
        _value(bounds.compute_ms),
        bounds.compute_ms,
        heading="compute, core-ms/comment",
        frontier=("compute", "compute, core-ms/comment"),
        cascade="compute",
    ),
    FigureSpec(
        "peak_mb",
        at("memory.peak_mb"),
        bounds.peak_mb,
        heading="peak memory, MB",
        results=True,
        brief="MB",
        repeat="memory",
        detail=("memory", "peak, MB"),
        limit=Limit("memory_mb", "peak memory, MB"),
        frontier=("peak memory", "peak memory, MB"),
        compared=True,
        regression="beyond repeats",
    ),
    *_details(
        "memory",
        {
            "memory.baseline_mb": "of it before the model",
            "memory.anonymous_mb": "anonymous after",
            "memory.file_backed_mb": "file-backed after",
        },
    ),
    FigureSpec(
        "accelerator_peak_mb",
        at("memory.accelerator_peak_mb"),
        heading="accelerator memory, MB",
        results=True,
        optional=True,
        detail=("accelerator", "accelerator: tensors"),
        compared=True,
        regression="beyond repeats",
    ),
    *_details(
        "accelerator",
        {
            "memory.accelerator_reserved_mb": "reserved",
            "memory.accelerator_used_mb": "device in use",
        },
    ),
    FigureSpec(
        "energy_mj",
        _value(_energy_mj),
        _energy_mj,
        heading="energy of CPU and GPU, mJ/comment",
        limit=Limit("energy_j", "metered energy of CPU and GPU, J/comment", scale=1e-3),
        frontier=("energy", "energy, mJ/comment"),
        cascade="per comment",
    ),
    FigureSpec(
        "cpu_energy_mj",
        at("energy.cpu_j_per_comment", scale=1e3),
        heading="CPU energy, mJ/comment",
        results=True,
        optional=True,
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        "gpu_energy_mj",
        at("energy.gpu_j_per_comment", scale=1e3),
        heading="GPU energy, mJ/comment",
        results=True,
        optional=True,
        compared=True,
        regression="beyond noise",
    ),
    *_details(
        "energy",
        {
            "energy.cpu_s_per_comment": "CPU time, s/comment",
            "energy.cpu_j_per_comment": "CPU, J/comment",
            "energy.cpu_net_j_per_comment": "CPU, net",
        },
    ),
    *_details(
        "energy",
        {
            "energy.ram_j_per_comment": "RAM, J/comment",
            "energy.ram_net_j_per_comment": "RAM, net",
            "energy.gpu_j_per_comment": "GPU, J/comment",
            "energy.gpu_net_j_per_comment": "GPU, net",
            "energy.idle_before_w": "idle before, W",
            "energy.idle_after_w": "idle after, W",
            "energy.idle_gpu_w": "idle GPU, W",
        },
        optional=True,
    ),
    FigureSpec(
        "no_answer",
        quality_figures.no_answer,
        number=percent,
        optional=True,
        detail=("endpoint", "test comments without an answer"),
    ),
    FigureSpec(
        "prompt_tokens",
        tokens("prompt"),
        optional=True,
        detail=("endpoint", "prompt tokens/comment"),
    ),
    FigureSpec(
        "completion_tokens",
        tokens("completion"),
        optional=True,
        detail=("endpoint", "completion tokens/comment"),
    ),
    FigureSpec(
        "energy_per_correct_mj",
        _value(_energy_per_correct_mj),
        _energy_per_correct_mj,
        detail=("energy", "CPU and GPU, mJ per correct decision"),
        optional=True,
    ),
    *_details("training", {"training.cpu_s": "CPU time, s", "training.cpu_j": "CPU, J"}),
    *_details("training", {"training.ram_j": "RAM, J", "training.gpu_j": "GPU, J"}, optional=True),
    FigureSpec(
        "disk_mb",
        at("training.disk_mb"),
        within(at("training.disk_mb")),
        heading="trained model on disk, MB",
        limit=Limit("disk_mb", "trained model on disk, MB"),
    ),
)


def values(run: Run, specs: Iterable[FigureSpec]) -> Values:
    """The figures of all cells of a run, with their bounds."""
    return {(cell.name, spec.key): spec.bounded(run, cell) for spec in specs for cell in run.cells}


def by_limit() -> dict[str, FigureSpec]:
    """Key of `--budget` → the figure it limits."""
    return {spec.limit.key: spec for spec in FIGURES if spec.limit is not None}

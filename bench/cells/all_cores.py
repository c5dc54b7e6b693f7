"""Throughput of the whole machine, for a model whose process leaves cores idle.

Such a model is used with one process per core, or per hyper-thread: unlike the threads of one product of
matrices, independent processes gain from those. They are started here, with one thread each, and score
disjoint parts of the comments at the same time.
"""

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor

import psutil

from worthit.bench.cell import Cell
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.saved.record import BatchRate, Figure, MachineRate, Setup, Throughput, measured
from worthit.datasets.errors import WorthitError, described
from worthit.models.hardware import main_memory, processor

#: a process that keeps more cores busy than this uses threads
_MOST_CORES_OF_ONE_THREAD = 1.5
#: share of the free memory that the processes may take
_MOST_MEMORY = 0.5
#: the limit of the whole measurement ends this process, and with it those started here
_LIMIT = Limit(math.inf, "")


def with_all_cores(alone: Throughput, cell: Cell, artifact: str) -> Throughput:
    """The throughput with the rate of the machine; unchanged if one process uses threads.

    Args:
        alone: of this process, which has loaded the artifact.
    """
    cores = processor.allowed_cores()
    best = alone.best
    busy_cores = _busy_cores(best)
    cpus = processor.allowed_cpus()
    if cell.device != "cpu" or cpus < 2 or busy_cores > _MOST_CORES_OF_ONE_THREAD:
        return alone
    processes = min(cpus, _that_fit())
    if processes < 2:
        return alone
    try:
        machine = _machine_rate(_rates(cell, artifact, best.batch_size, processes))
    except (WorthitError, OSError) as error:
        machine = _estimated(best, cores, described(error, 200))
    slower = (machine.comments_per_s.value or 0.0) < (best.comments_per_s.value or 0.0)
    return alone if slower else dataclasses.replace(alone, machine=machine)


def _busy_cores(rate: BatchRate) -> float:
    return (rate.core_ms.value or 0.0) * (rate.comments_per_s.value or 0.0) / 1e3


def _that_fit() -> int:
    """Number of processes like this one for which memory is free."""
    free_bytes = _MOST_MEMORY * main_memory.free_bytes()
    return int(free_bytes // psutil.Process().memory_info().rss)


def _rates(cell: Cell, artifact: str, batch_size: int, processes: int) -> list[BatchRate]:
    """The rate of each process, all at the same time.

    Raises:
        CellError, DeviceError, OSError: a process failed.
    """
    workers: list[Worker] = []
    try:
        for _ in range(processes):
            workers.append(Worker(cell, None, lambda done, total: None, threads=1))

        def get_ready(worker: Worker) -> None:
            worker.start(Setup, _LIMIT)
            worker.ask("load", type(None), _LIMIT, artifact=artifact)
            worker.ask("warm_up", type(None), _LIMIT, batch_size=batch_size)

        def measure(number: int) -> BatchRate:
            return workers[number].ask(
                "rate_of_part", BatchRate, _LIMIT,
                batch_size=batch_size, number=number, parts=processes,
            )  # fmt: skip

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(get_ready, workers))
            return list(pool.map(measure, range(processes)))
    finally:
        for worker in workers:
            worker.close()


def _machine_rate(rates: list[BatchRate]) -> MachineRate:
    per_s = [rate.comments_per_s.value or 0.0 for rate in rates]
    core_ms = sum(
        (rate.core_ms.value or 0.0) * weight for rate, weight in zip(rates, per_s, strict=True)
    )
    scored = sum(rate.comments_per_s.samples for rate in rates)
    how = f"{len(rates)} processes of one thread at the same time"
    return MachineRate(
        len(rates),
        measured(sum(per_s), "comments/s", f"perf_counter, {how}", scored),
        measured(core_ms / sum(per_s), "core-ms", f"CPU time, {how}", scored),
    )


def _estimated(best: BatchRate, cores: int, error: str) -> MachineRate:
    """One process's rate times the cores."""
    per_s = Figure(
        (best.comments_per_s.value or 0.0) * cores,
        "comments/s",
        "estimated",
        f"one process, times {cores} cores",
        best.comments_per_s.samples,
        reason=f"one process per core could not be measured: {error}",
    )
    return MachineRate(cores, per_s, best.core_ms)

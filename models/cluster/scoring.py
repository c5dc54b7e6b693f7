"""Scores a large input on the workers of a Ray cluster: Ray Data reads, workers score, parts come back.

https://docs.ray.io/en/latest/data/batch_inference.html

The parts are written here, by one process: so no node needs the output folder, a part is never written
twice at a time, and a worker that dies leaves nothing behind.

This module imports ray; import it once the cluster is connected.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext

from worthit.datasets.errors import CellError, ClusterError, OptionError, WorthitError, one_line
from worthit.models.cluster import input_files
from worthit.models.cluster.connection import Node
from worthit.models.cluster.reading import Comments, ReadJob, Span
from worthit.models.cluster.scorer import Attempts, ScoreJob, Scorer

_PARTS_AHEAD = 2  # per worker: the next one arrives while one is scored
_WORKERS_A_READER = 8  # reading takes far less time than scoring


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and what each has. Ray replaces those that die."""

    count: int
    cpus: int
    gpus: int = 0


@dataclass(frozen=True)
class ScoredPart:
    """Consecutive rows with their scores, as a Parquet file."""

    first: int
    rows: int
    without_text: int
    unanswered: int
    content: bytes

    @property
    def last(self) -> int:
        return self.first + self.rows - 1


def start_attempts() -> Any:
    """A counter of the attempts at each part, on this node, which outlives workers."""
    here = {"ray.io/node-id": input_files.this_node()}
    return ray.remote(num_cpus=0, max_restarts=-1, label_selector=here)(Attempts).remote()


def repeated(attempts: Any) -> int:
    """How many parts were scored again."""
    return int(ray.get(attempts.repeated.remote()))


def workers_for(
    nodes: Sequence[Node], asked: int | None, *, one_thread: bool, device: str
) -> Workers:
    """How the nodes are divided.

    Args:
        asked: number of workers; None: one per CPU if the model has one thread, one per GPU with cuda, else
            one per node.
        one_thread: True if the model computes in one thread.

    Raises:
        OptionError: the cluster has room for fewer.
    """
    if device == "cuda":
        most, unit = sum(int(node.gpus) for node in nodes), "GPU"
        largest = usual = 1
    else:
        most, unit = _room(nodes, 1), "CPU"
        usual = 1 if one_thread else max(min(int(node.cpus) for node in nodes), 1)
        largest = 1 if one_thread else max(int(node.cpus) for node in nodes)
    if not most or (asked or 1) > most:
        raise OptionError(
            f"--workers {asked or 1} needs a {unit} each; the cluster has {most}: give fewer, or add nodes"
        )
    if device == "cuda":
        return Workers(asked or most, 1, 1)
    if asked is None:
        return Workers(_room(nodes, usual), usual)
    return Workers(asked, next(c for c in range(largest, 0, -1) if _room(nodes, c) >= asked))


def _room(nodes: Sequence[Node], cpus: int) -> int:
    return sum(int(node.cpus) // cpus for node in nodes)


def all_cpus_are_used() -> bool:
    """True if workers have to wait for others to end."""
    return float(ray.available_resources().get("CPU", 0)) < 1


def readers_for(nodes: Sequence[Node], workers: Workers, where: dict[str, str]) -> int:
    """How many files to read at the same time.

    Args:
        where: labels of the nodes that read; empty for all.
    """
    needed = math.ceil(workers.count / _WORKERS_A_READER)
    return needed if where else max(needed, len(nodes))


def score(
    read_job: ReadJob,
    spans: Sequence[Span],
    score_job: ScoreJob,
    workers: Workers,
    readers: int,
    where: dict[str, str],
) -> Iterator[ScoredPart]:
    """Score all rows of the spans; yields parts in the order in which they are finished.

    Raises:
        CellError, DataError: the input, the model or its weights cannot be used.
        ClusterError: the cluster lost its nodes, or a part failed repeatedly.
    """
    if not spans:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fewer files than workers
            scored = _data_set(read_job, spans, score_job, workers, readers, where)
            for block in scored.iter_batches(batch_size=None, batch_format="pyarrow"):
                yield from _parts(block)
    except WorthitError:
        raise
    except Exception as error:  # Ray Data raises errors of many kinds
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        raise ClusterError(
            f"scoring on the cluster failed ({one_line(ValueError(lines[-1]))}); if a worker ran out of "
            "memory, give fewer --workers or a smaller --batch-size"
        ) from error


def _data_set(
    read_job: ReadJob,
    spans: Sequence[Span],
    score_job: ScoreJob,
    workers: Workers,
    readers: int,
    where: dict[str, str],
) -> ray.data.Dataset:
    _configure()
    # Readers take no CPU from Ray, or workers on all CPUs would leave none. They also have other resources
    # than the workers, and a number of their own, else Ray would fuse the two steps: one worker would read
    # and score all of a file.
    comments = ray.data.read_datasource(
        Comments(read_job, spans),
        num_cpus=0,
        label_selector=where or None,
        concurrency=readers,
        override_num_blocks=len(spans),
    )
    return comments.map_batches(
        Scorer,
        fn_constructor_args=(score_job,),
        batch_size=1,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ActorPoolStrategy(size=workers.count, max_tasks_in_flight_per_actor=_PARTS_AHEAD),
        num_cpus=workers.cpus,
        num_gpus=workers.gpus,
    )


def _parts(block: pa.Table) -> Iterator[ScoredPart]:
    for row in block.to_pylist():
        if error := row.pop("error"):
            raise CellError(error)
        yield ScoredPart(**row)


def _configure() -> None:
    context = DataContext.get_current()
    context.target_max_block_size = 1  # byte: each part is a block, and goes to any worker
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)

"""`worthit score --cluster`: scores a large input on a Ray cluster, into a folder of Parquet parts."""

import argparse
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from worthit.bench.saved.trained_models import TrainedModel
from worthit.datasets.errors import OptionError, OutputError, WorthitError, counted, listed
from worthit.models import registry
from worthit.models.cluster import connection, input_files, model_files
from worthit.models.cluster.connection import Node
from worthit.models.cluster.input_files import FirstRows, HowToRead
from worthit.models.scoring import chunks as scoring
from worthit.models.scoring import parts
from worthit.models.scoring.parts import InputFile, Manifest, PartFolder
from worthit.reports.analysis.decisions import Choice
from worthit.reports.cli import interrupts, saved_choice, score_settings
from worthit.reports.cli.score_settings import Count, progress_bar, say, with_hint

# Seconds to minutes of a worker: what is lost if it dies, and the least that two can share.
_USUAL_PART_ROWS = {"classical": 32_768, "encoder": 4_096}
_PART_ROWS_OF_OTHERS = 512
_LARGEST_PART_ROWS = 1 << 20  # a part is in memory as a whole
_NOTES_SAID = 10


@dataclass(frozen=True)
class _Task:
    """What is to be scored, as far as this machine alone can say."""

    trained: TrainedModel
    choice: Choice | None
    paths: Sequence[Path]
    how: HowToRead
    first: FirstRows
    chunk_rows: int
    part_rows: int
    empty: dict[str, Any]  # the output without rows
    begun_with: dict[str, str]


@dataclass(frozen=True)
class _Input:
    """The files of a task as the cluster sees them."""

    files: tuple[InputFile, ...]
    where: dict[str, str]  # labels of the nodes that read; empty for all
    readers: int

    @property
    def rows(self) -> int | None:
        last = self.files[-1]
        return None if last.rows is None else last.before + last.rows


def score(parsed: argparse.Namespace, trained: TrainedModel, choice: Choice | None) -> int:
    """Run the command; the exit code.

    Raises:
        OptionError: an option does not go with a cluster.
        ClusterError, DataError, OutputError: as their messages say, before anything is scored.
    """
    _check(parsed, trained.card.model)
    task = _task(parsed, trained, choice)
    asked = Manifest(task.begun_with, tuple(map(input_files.described, task.paths)))
    known = parts.continued(parsed.output, asked, resume=parsed.resume)
    output: PartFolder | None = None
    count = Count()
    try:
        with (
            _no_stdout(),
            connection.connected(parsed.cluster) as nodes,
            connection.head_watched(lambda: _end_without_head(output)),
        ):
            workers = _workers(parsed, trained.card.model, nodes)
            found = _input(task, known, nodes, workers)
            manifest = Manifest(task.begun_with, found.files)
            output = PartFolder(parsed.output, manifest)
            if output.done:
                say(f"{output.rows_done:,} rows are scored already")
            how = _score(parsed, task, found, workers, output, count)
            output.finish()
    except KeyboardInterrupt:
        say(with_hint("stopped", output.suspend() if output else ""))
        return interrupts.INTERRUPTED
    except WorthitError as error:
        hint = output.suspend() if output else ""
        say(with_hint(str(error), "" if isinstance(error, OutputError) else hint))
        return 2
    described = score_settings.described(choice, trained)
    say(f"{score_settings.summary(trained.title, count, how)}; {described}")
    return 0


def _end_without_head(output: PartFolder | None) -> None:
    """End this process, whose main thread waits for Ray; the parts in the folder are whole."""
    say(with_hint(connection.NO_HEAD, output.suspend() if output else ""))
    os._exit(2)


@contextlib.contextmanager
def _no_stdout() -> Iterator[None]:
    """Ray writes several lines about each worker that dies to stdout, whatever its settings."""
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing):
        yield


def _check(parsed: argparse.Namespace, model: str) -> None:
    if parsed.input is None:
        raise OptionError("--cluster scores files; give a file or a folder as INPUT")
    if parsed.output is None:
        raise OptionError("--cluster writes Parquet parts; name a new folder with --output FOLDER")
    if parsed.output_format not in (None, "parquet"):
        raise OptionError(
            f"--cluster writes Parquet parts, not {parsed.output_format}; omit --output-format"
        )
    if parsed.device not in ("cpu", "cuda"):
        raise OptionError(f"--cluster scores on cpu or cuda, not {parsed.device}")
    if registry.is_endpoint(model) or parsed.yes_send_comments:
        raise OptionError("a model on a server gains nothing by a cluster; omit --cluster")
    if score_settings.is_path(parsed.checkpoint):
        raise OptionError(
            f"--checkpoint {parsed.checkpoint} is a path of this machine, which the nodes do not have; "
            "give its name on the hub or of its package"
        )
    for option in ("workers", "part_rows"):
        number = getattr(parsed, option)
        if number is not None and number < 1:
            raise OptionError(f"--{option.replace('_', '-')} is {number}; it must be at least 1")


def _task(parsed: argparse.Namespace, trained: TrainedModel, choice: Choice | None) -> _Task:
    """Raises DataError, OptionError: the input or a column cannot be read."""
    model = trained.card.model
    chunk_rows = scoring.chunk_size(model, parsed.batch_size)
    part_rows = _part_rows(parsed.part_rows, model, chunk_rows)
    how = HowToRead(
        parsed.input_format,
        score_settings.given_reading(parsed),
        parsed.text_column,
        tuple(score_settings.kept(parsed)),
        saved_choice.text_column(trained),
    )
    paths = input_files.listed_files(parsed.input)
    first = input_files.first_rows(paths, how, chunk_rows)
    extras = tuple(first.extras.names)
    empty = score_settings.empty_table(parsed, trained, extras)
    begun_with = score_settings.begun_with(parsed, trained, choice, first.text_column, extras)
    begun_with["--part-rows"] = str(part_rows)
    for note in first.notes:
        say(note)
    how = replace(how, text_column=first.text_column, extras=extras)
    return _Task(trained, choice, paths, how, first, chunk_rows, part_rows, empty, begun_with)


def _part_rows(asked: int | None, model: str, chunk_rows: int) -> int:
    """Whole chunks, so that the batches are those of one machine."""
    usual = _USUAL_PART_ROWS.get(registry.entry(model).kind or "", _PART_ROWS_OF_OTHERS)
    rows = -(-(asked or usual) // chunk_rows) * chunk_rows
    if rows > _LARGEST_PART_ROWS:
        raise OptionError(
            f"a part of {rows:,} rows does not fit into memory; give --part-rows and --batch-size for at "
            f"most {_LARGEST_PART_ROWS:,}"
        )
    return rows


def _workers(parsed: argparse.Namespace, model: str, nodes: Sequence[Node]) -> Any:
    from worthit.models.cluster import scoring as cluster_scoring

    is_classical = registry.entry(model).kind == "classical"
    takes_all = not is_classical and "torch" not in registry.model_class(model).libraries
    if takes_all and (parsed.workers or 0) > len(nodes):
        raise OptionError(
            f"{model} uses all cores of a node; --workers is at most {len(nodes)}, the number of nodes"
        )
    return cluster_scoring.workers_for(
        nodes, parsed.workers, one_thread=is_classical, device=parsed.device
    )


def _input(task: _Task, known: Sequence[InputFile], nodes: Sequence[Node], workers: Any) -> _Input:
    """Count the rows, where that can be done before reading them; tell who reads."""
    from worthit.models.cluster import scoring as cluster_scoring

    where: dict[str, str] = {}
    described = [input_files.described(path) for path in task.paths]
    if blind := input_files.nodes_without(task.paths, described, nodes):
        where = {"ray.io/node-id": input_files.this_node()}
        say(f"this node reads for all: {listed(blind, 3)} cannot see the input")
    readers = cluster_scoring.readers_for(nodes, workers, where)
    where = where or input_files.none_but(nodes)
    files, notes = input_files.counted(task.paths, task.how, known, where, readers)
    for note in notes[:_NOTES_SAID]:
        say(note)
    if len(notes) > _NOTES_SAID:
        say(f"and {len(notes) - _NOTES_SAID:,} more such notes on other files")
    return _Input(files, where, readers)


def _score(
    parsed: argparse.Namespace,
    task: _Task,
    found: _Input,
    workers: Any,
    output: PartFolder,
    count: Count,
) -> str:
    """Score what is not done; what to say of the workers."""
    from worthit.models.cluster import reading, scorer
    from worthit.models.cluster import scoring as cluster_scoring

    spans = reading.spans(task.paths, found.files, output.done, task.part_rows, found.readers)
    read_job = reading.ReadJob(task.how, task.first.extras, task.chunk_rows, task.part_rows)
    score_job = scorer.ScoreJob(
        model_files.pack(task.trained.folder),
        parsed.device,
        parsed.checkpoint,
        parsed.batch_size,
        task.chunk_rows,
        saved_choice.applied(task.choice, multilabel=task.trained.card.multilabel),
        task.first.extras,
        workers.cpus,
        attempts := cluster_scoring.start_attempts(),
    )
    if cluster_scoring.all_cpus_are_used():
        say("all CPUs of the cluster are in use; waiting for them")
    start, first_s = time.perf_counter(), 0.0
    with progress_bar(knows_end=found.rows is not None) as bar:
        for part in cluster_scoring.score(
            read_job, spans, score_job, workers, found.readers, found.where
        ):
            first_s = first_s or time.perf_counter() - start
            if output.write(part.first, part.last, part.content):
                count.rows += part.rows
                count.without_text += part.without_text
                count.unanswered += part.unanswered
            bar.set_postfix_str(f"{output.rows_done:,} rows", refresh=False)
            share = output.rows_done / found.rows if found.rows else 0
            bar.update(share * 100 - bar.n)
    if not output.done:
        content = scorer.encoded(pa.table(task.empty | dict(_no_values(task.first.extras))))
        output.write(1, 0, content)
    count.seconds = time.perf_counter() - start
    repeated = cluster_scoring.repeated(attempts)
    again = f"; {counted(repeated, 'part')} scored again after a worker died" if repeated else ""
    return f", on {counted(workers.count, 'worker')} (the first part after {first_s:,.1f} s){again}"


def _no_values(extras: pa.Schema) -> list[tuple[str, pa.Array]]:
    return [(field.name, pa.array([], field.type)) for field in extras]

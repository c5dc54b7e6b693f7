"""`worthit score` and `worthit export`: use the models that a benchmark has trained."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worthit.bench.saved import trained_models
from worthit.bench.saved.trained_models import TrainedModel
from worthit.datasets.errors import OptionError, OutputError, WorthitError
from worthit.datasets.formats import formats, reading
from worthit.datasets.formats.files import Input, existing
from worthit.datasets.formats.stream import open_table
from worthit.datasets.tables.comments import ALL, CommentReader
from worthit.models import contract, registry
from worthit.models.hardware import processor
from worthit.models.scoring import output as score_output
from worthit.models.scoring.chunks import Decide
from worthit.models.scoring.output import Output
from worthit.reports import options, saved_runs
from worthit.reports.analysis.decisions import Choice
from worthit.reports.cli import interrupts, saved_choice, score_settings
from worthit.reports.cli.score_settings import Count, progress_bar, say, with_hint

_MODEL = (
    "MODEL as trained by the latest complete run, RUN:MODEL, RUN:CELL, or a folder that "
    "`worthit export` wrote"
)
_FORMATS = ", ".join(formats.STREAMED)


def add_to(commands: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Declare both commands."""
    scored: argparse.ArgumentParser = commands.add_parser(
        "score",
        help="score comments with a trained model",
        description="Score comments with a trained model. Each output row has the number of the input "
        "row (from 1) and the columns to keep. Of two classes it has `score`, from 0 to 1: the higher, the "
        "likelier the positive class (toxic), and `predicted`, a class. Of more classes it has `p_CLASS`, the score "
        "of each, and `predicted`; of several labels the same, and `predicted` is the list of those that pass. "
        "Calibration and threshold are those that the run chose on validation comments, and a message says "
        "which. A score is not a probability unless the classes are as common as among those comments: after "
        "balanced training, and with --raw after class weights, it is too high for a rare class. "
        "Rows without text have no scores. Memory does not grow with the input.",
        epilog=f"formats: {_FORMATS}; by default by the suffix of the file, jsonl for pipes; "
        "pipes are UTF-8 in any locale",
    )
    scored.add_argument("input", nargs="?", metavar="INPUT", help="the file to score (stdin)")
    scored.add_argument("--model", required=True, help=_MODEL)
    scored.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write (stdout); with --cluster a folder",
    )
    for name in ("input", "output"):
        scored.add_argument(
            f"--{name}-format",
            choices=formats.STREAMED,
            metavar="FORMAT",
            help=f"format of the {name} (see below)",
        )
    scored.add_argument(
        "--text-column",
        metavar="NAME",
        help="column of the comments (that of the training, or guessed)",
    )
    scored.add_argument(
        reading.ENCODING,
        metavar="NAME",
        help="encoding of an input that is not UTF-8, such as cp1252",
    )
    scored.add_argument(
        reading.DELIMITER,
        metavar="CHARACTER",
        help="character between columns, or `tab` (found in the file)",
    )
    scored.add_argument(
        reading.COLUMNS, metavar="NAME,…", help="names of the columns of an input without a header"
    )
    scored.add_argument(
        reading.SHEET,
        metavar="NAME",
        help="sheet of an Excel file (the first that holds a table)",
    )
    scored.add_argument(
        "--keep",
        default="",
        metavar="NAME,…",
        help=f"columns to copy to the output; `{ALL}`: all but the text",
    )
    scored.add_argument(
        "--device",
        default="cpu",
        choices=contract.DEVICES,
        help="device to score on (%(default)s)",
    )
    scored.add_argument(
        "--yes-send-comments",
        action="store_true",
        help="permit a model endpoint:NAME to send the comments to its server",
    )
    scored.add_argument(
        "--batch-size", type=int, metavar="N", help="comments per batch (the model's default)"
    )
    scored.add_argument(
        "--checkpoint",
        metavar="ID_OR_PATH",
        help="the weights that a llama model was trained on, if they have moved",
    )
    scored.add_argument(
        "--code",
        metavar="MODULE:CLASS",
        help="your code that the model in FOLDER needs; it is run, so name it only if you trust it",
    )
    scored.add_argument(
        "--resume", action="store_true", help="continue an interrupted --output FILE"
    )
    scored.add_argument(
        "--raw",
        action="store_true",
        help="the model's own scores, with the answer of its highest one",
    )
    scored.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="score on a Ray cluster, `auto` or HOST:PORT: INPUT is a file or a folder of files, --output a "
        "folder of Parquet parts",
    )
    scored.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of workers of the cluster, with a model each (one per CPU for models of one thread, one "
        "per GPU with cuda, else one per node)",
    )
    scored.add_argument(
        "--part-rows",
        type=int,
        metavar="N",
        help="with --cluster: rows of a part (32,768; fewer for slow models)",
    )
    options.add(scored.add_argument, new_run=False, only=options.CHOICES)
    scored.set_defaults(action=_score)

    exported: argparse.ArgumentParser = commands.add_parser(
        "export", help="copy a trained model out of the cache"
    )
    exported.add_argument("model", metavar="MODEL", help=_MODEL)
    exported.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    options.add(exported.add_argument, new_run=False, only=options.CHOICES)
    exported.set_defaults(action=_export)
    return scored, exported


def _export(parsed: argparse.Namespace) -> int:
    trained = trained_models.find(parsed.model, saved_runs.folder(parsed.root))
    choice = saved_choice.of(trained, _given(parsed, trained))
    size_mb = trained_models.export(trained, parsed.folder, saved_choice.files(choice, trained))
    print(f"{trained.title} is in {parsed.folder} ({size_mb:,.1f} MB)")
    print(score_settings.described(choice, trained))
    if base := trained.card.base:
        print(
            f"it also needs the checkpoint {base.checkpoint} ({base.origin}, {base.identity[:16]}), "
            "which is not in the folder"
        )
    print(f"use it: worthit score --model {parsed.folder} comments.jsonl --output scores.jsonl")
    return 0


def _score(parsed: argparse.Namespace) -> int:
    with interrupts.sigterm_as_ctrl_c() as sigterm:
        try:
            code = _score_input(parsed)
        except KeyboardInterrupt:  # before the first row, or again after the last
            say("stopped")
            code = interrupts.INTERRUPTED
    return sigterm.exit_code if code == interrupts.INTERRUPTED else code


def _score_input(parsed: argparse.Namespace) -> int:
    _check(parsed)
    trained = trained_models.find(parsed.model, saved_runs.folder(parsed.root))
    trained_models.require_named_code(trained, parsed.code)
    registry.require_able(trained.card.model, parsed.device)
    given = _given(parsed, trained)
    if parsed.raw and given:
        raise OptionError(f"--raw chooses nothing; omit it, or {', '.join(given)}")
    choice = None if parsed.raw else saved_choice.of(trained, given)
    if parsed.cluster is not None:
        from worthit.reports.cli import score_cluster

        return score_cluster.score(parsed, trained, choice)
    output_form = parsed.output_format or _output_format(parsed.output)
    if parsed.output is None and output_form == "parquet":
        raise OptionError("Parquet cannot be written to a pipe; give --output FILE")
    keep = score_settings.kept(parsed)
    given_reading = score_settings.given_reading(parsed)
    with _input(parsed, given_reading.encoding) as source:
        default_format = "jsonl" if parsed.input is None else None
        form = parsed.input_format or default_format
        table = open_table(source, form, "--input-format", given_reading)
        trained_on = saved_choice.text_column(trained)
        comments = CommentReader(table, parsed.text_column, keep, trained_on)
        output = _output(parsed, trained, comments, output_form, choice)
        for note in comments.notes:
            say(note)
        return _run(parsed, trained, comments, output, choice)


def _given(parsed: argparse.Namespace, trained: TrainedModel) -> dict[str, str]:
    """The options given, which replace those of the model's run."""
    return options.checked(vars(parsed).get, trained.run.options if trained.run else None)


def _check(parsed: argparse.Namespace) -> None:
    if parsed.batch_size is not None and parsed.batch_size < 1:
        raise OptionError(f"--batch-size is {parsed.batch_size}; it must be at least 1")
    if parsed.cluster is None and {parsed.workers, parsed.part_rows} != {None}:
        raise OptionError("--workers and --part-rows are for scoring on a cluster; add --cluster")
    if parsed.resume and parsed.output is None:
        raise OptionError("--resume continues a file; name it with --output FILE")
    if parsed.input is None and sys.stdin.isatty():
        raise OptionError("there is nothing to score; give a file as INPUT, or pipe comments in")


def _output_format(file: Path | None) -> str:
    form = "jsonl" if file is None else formats.format_of(file.name)
    if form not in formats.STREAMED:
        raise OptionError(
            f"the suffix of {file} does not name a format; give --output-format: {_FORMATS}"
        )
    return form


@contextmanager
def _input(parsed: argparse.Namespace, encoding: str | None) -> Iterator[Input]:
    path = Path(parsed.input or "stdin")
    if parsed.input is None:
        yield Input(path, sys.stdin.buffer, encoding=encoding)
    elif path.is_fifo():
        with path.open("rb") as stream:
            yield Input(path, stream, encoding=encoding)
    else:
        with Input(existing(path), encoding=encoding) as source:
            yield source


def _output(
    parsed: argparse.Namespace,
    trained: TrainedModel,
    source: CommentReader,
    output_form: str,
    choice: Choice | None,
) -> Output:
    empty = score_settings.empty_table(parsed, trained, source.extras)
    if parsed.output is None:
        return score_output.Pipe(sys.stdout.buffer, output_form, empty)
    begun_with = score_settings.begun_with(
        parsed, trained, choice, source.text_column, source.extras
    )
    begun_with["--output-format"] = output_form
    return score_output.File(parsed.output, output_form, empty, begun_with, resume=parsed.resume)


def _run(
    parsed: argparse.Namespace,
    trained: TrainedModel,
    source: CommentReader,
    output: Output,
    choice: Choice | None,
) -> int:
    count, start = Count(), time.perf_counter()
    try:
        model = _load(parsed, trained)
        start = time.perf_counter()
        decide = saved_choice.applied(choice, multilabel=trained.card.multilabel)
        _stream(model, parsed.batch_size, source, output, count, decide)
    except BrokenPipeError:  # the reader has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        say(with_hint("stopped", output.suspend()))
        return interrupts.INTERRUPTED
    except WorthitError as error:
        how_to_resume = output.suspend()
        # Errors of the output already say how to continue.
        say(with_hint(str(error), "" if isinstance(error, OutputError) else how_to_resume))
        return 2
    count.seconds = time.perf_counter() - start
    say(
        f"{score_settings.summary(trained.title, count)}; {score_settings.described(choice, trained)}"
    )
    return 0


def _load(parsed: argparse.Namespace, trained: TrainedModel) -> Any:
    if "torch" in registry.model_class(trained.card.model).libraries:
        import torch
        from transformers.utils import logging

        torch.set_num_threads(processor.allowed_cores())  # as in the benchmark
        logging.disable_progress_bar()
    model = registry.load(trained.folder, parsed.device, parsed.checkpoint)
    model.may_send_comments = parsed.yes_send_comments
    if parsed.yes_send_comments and model.sends_comments_to:
        say(f"every comment is sent to {model.sends_comments_to}, unless its answer is cached")
    return model


def _stream(
    model: Any,
    batch_size: int | None,
    source: CommentReader,
    output: Output,
    count: Count,
    decide: Decide,
) -> None:
    from worthit.models.scoring import chunks as scoring

    with progress_bar(knows_end=source.share_read() is not None) as bar:
        for chunk in source.chunks(scoring.chunk_size(model.name, batch_size)):
            if not output.skip(chunk):
                scores = scoring.score_chunk(model, chunk.texts, batch_size, decide)
                output.append(chunk, scores)
                count.rows += len(chunk.texts)
                without_text = chunk.texts.count(None)
                count.without_text += without_text
                count.unanswered += next(iter(scores.values())).null_count - without_text
            bar.set_postfix_str(f"{chunk.last:,} rows", refresh=False)
            bar.update((source.share_read() or 0) * 100 - bar.n)
        output.finish()

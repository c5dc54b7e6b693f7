"""`worthit score` and `worthit export`: use the models that a benchmark has trained."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from worthit.bench.saved import trained_models
from worthit.bench.saved.record import significant
from worthit.bench.saved.trained_models import TrainedModel
from worthit.datasets.cache import sha256_of, short_hash
from worthit.datasets.errors import OptionError, OutputError, WorthitError
from worthit.datasets.tables import formats, reading
from worthit.datasets.tables.comments import ALL, CommentReader
from worthit.datasets.tables.files import Input, existing
from worthit.datasets.tables.reading import Reading
from worthit.datasets.tables.stream import open_table
from worthit.models import contract, registry
from worthit.models.hardware import processor
from worthit.models.scoring import output as score_output
from worthit.models.scoring.chunks import Decide
from worthit.models.scoring.output import Output
from worthit.reports import options, saved_runs
from worthit.reports.analysis.decisions import Choice
from worthit.reports.cli import saved_choice

_MODEL = (
    "MODEL as trained by the latest complete run, RUN:MODEL, RUN:CELL, or a folder that "
    "`worthit export` wrote"
)
_FORMATS = ", ".join(formats.STREAMED)
_INTERRUPTED = 130  # the exit code of shells after Ctrl-C


def add_to(commands: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Declare both commands."""
    scored: argparse.ArgumentParser = commands.add_parser(
        "score",
        help="score comments with a trained model",
        description="Score comments with a trained model. Each output row has the number of the input "
        "row (from 1), the columns to keep, `score`, from 0 to 1: the higher, the likelier the positive "
        "class (toxic), and `predicted`, a class. With more than two classes it has `p_CLASS`, the score of each; "
        "with several labels also, and `predicted` is the list of labels that pass. "
        "Calibration and threshold are those that the run chose on validation comments, and a message says "
        "which. A score is a probability at best if the classes are as common as there; after balanced "
        "training, and with --raw after class weights, it is too high for a rare class. "
        "Scores are empty for rows without text. Memory does not "
        "grow with the input.",
        epilog=f"formats: {_FORMATS}; by default by the suffix of the file, jsonl for pipes; "
        "pipes are UTF-8 in any locale",
    )
    scored.add_argument("input", nargs="?", metavar="INPUT", help="a file (stdin)")
    scored.add_argument("--model", required=True, help=_MODEL)
    scored.add_argument("--output", type=Path, metavar="FILE", help="(stdout)")
    for name in ("input", "output"):
        scored.add_argument(
            f"--{name}-format",
            choices=formats.STREAMED,
            metavar="FORMAT",
            help=f"of the {name} (see below)",
        )
    scored.add_argument(
        "--text-column", metavar="NAME", help="of the comments (that of the training, or guessed)"
    )
    scored.add_argument(
        reading.ENCODING, metavar="NAME", help="of an input that is not UTF-8, such as cp1252"
    )
    scored.add_argument(
        reading.DELIMITER, metavar="CHARACTER", help="between columns, or `tab` (found in the file)"
    )
    scored.add_argument(
        reading.COLUMNS, metavar="NAME,…", help="names of the columns of an input without a header"
    )
    scored.add_argument(
        "--keep",
        default="",
        metavar="NAME,…",
        help=f"columns to copy to the output; `{ALL}`: all but the text",
    )
    scored.add_argument("--device", default="cpu", choices=contract.DEVICES, help="(%(default)s)")
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
    print(_described(choice, trained))
    if base := trained.card.base:
        print(
            f"it also needs the checkpoint {base.checkpoint} ({base.origin}, {base.identity[:16]}), "
            "which is not in the folder"
        )
    print(f"use it: worthit score --model {parsed.folder} comments.jsonl --output scores.jsonl")
    return 0


def _score(parsed: argparse.Namespace) -> int:
    _check(parsed)
    trained = trained_models.find(parsed.model, saved_runs.folder(parsed.root))
    trained_models.require_named_code(trained, parsed.code)
    registry.require_able(trained.card.model, parsed.device)
    given = _given(parsed, trained)
    if parsed.raw and given:
        raise OptionError(f"--raw chooses nothing; omit it, or {', '.join(given)}")
    choice = None if parsed.raw else saved_choice.of(trained, given)
    output_form = parsed.output_format or _output_format(parsed.output)
    if parsed.output is None and output_form == "parquet":
        raise OptionError("Parquet cannot be written to a pipe; give --output FILE")
    keep = [name for name in parsed.keep.split(",") if name]
    given_reading = _reading(parsed)
    with _input(parsed, given_reading.encoding) as source:
        default_format = "jsonl" if parsed.input is None else None
        form = parsed.input_format or default_format
        table = open_table(source, form, "--input-format", given_reading)
        trained_on = saved_choice.text_column(trained)
        comments = CommentReader(table, parsed.text_column, keep, trained_on)
        output = _output(parsed, trained, comments, output_form, choice)
        for note in comments.notes:
            _say(note)
        return _run(parsed, trained, comments, output, choice)


def _described(choice: Choice | None, trained: TrainedModel) -> str:
    card = trained.card
    return saved_choice.described(choice, card.classes, multilabel=card.multilabel)


def _given(parsed: argparse.Namespace, trained: TrainedModel) -> dict[str, str]:
    """The options given, which replace those of the model's run."""
    return options.checked(vars(parsed).get, trained.run.options if trained.run else None)


def _check(parsed: argparse.Namespace) -> None:
    if parsed.batch_size is not None and parsed.batch_size < 1:
        raise OptionError(f"--batch-size is {parsed.batch_size}; it must be at least 1")
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


def _reading(parsed: argparse.Namespace) -> Reading:
    return Reading(
        reading.encoding(parsed.encoding),
        reading.delimiter(parsed.delimiter),
        reading.columns(parsed.columns),
    )


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
    from worthit.models.scoring import chunks as scoring

    types = scoring.score_types(trained.card.classes, multilabel=trained.card.multilabel)
    names = ("row", *source.extras, *types)
    if clash := {*source.extras} & {"row", *types}:
        raise OptionError(
            f"{min(clash)} is a column of the output; omit that of the input from --keep"
        )
    if len(set(names)) < len(names):
        raise OptionError(f"--keep {parsed.keep} names a column twice; name it once")
    empty: dict[str, Any] = {name: pa.array([], types.get(name, pa.string())) for name in names}
    if parsed.output is None:
        return score_output.Pipe(sys.stdout.buffer, output_form, empty)
    begun_with = {
        "the model": f"{trained.card.model} {_identity(trained.folder)}",
        "calibration and threshold": str(choice),
        "--device": parsed.device,
        "--batch-size": str(parsed.batch_size),
        "--input-format": str(parsed.input_format),
        "--output-format": output_form,
        reading.ENCODING: str(parsed.encoding),
        reading.DELIMITER: str(parsed.delimiter),
        reading.COLUMNS: str(parsed.columns),
        "--text-column": source.text_column,
        "--keep": ",".join(source.extras),
    }
    return score_output.File(parsed.output, output_form, empty, begun_with, resume=parsed.resume)


def _identity(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return short_hash(*(sha256_of(file) for file in files))


@dataclass
class _Count:
    rows: int = 0
    without_text: int = 0
    unanswered: int = 0  # by a server
    seconds: float = 0.0  # of scoring and writing, in this process


def _run(
    parsed: argparse.Namespace,
    trained: TrainedModel,
    source: CommentReader,
    output: Output,
    choice: Choice | None,
) -> int:
    count, start = _Count(), time.perf_counter()
    try:
        model = _load(parsed, trained)
        start = time.perf_counter()
        decide = saved_choice.applied(choice, multilabel=trained.card.multilabel)
        _stream(model, parsed.batch_size, source, output, count, decide)
    except BrokenPipeError:  # the reader has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        _say(f"stopped{_more(output.suspend())}")
        return _INTERRUPTED
    except WorthitError as error:
        how_to_resume = output.suspend()
        # Errors of the output already say how to continue.
        _say(f"{error}{'' if isinstance(error, OutputError) else _more(how_to_resume)}")
        return 2
    count.seconds = time.perf_counter() - start
    _say(f"{_summary(trained, count)}; {_described(choice, trained)}")
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
        _say(f"every comment is sent to {model.sends_comments_to}, unless its answer is cached")
    return model


def _stream(
    model: Any,
    batch_size: int | None,
    source: CommentReader,
    output: Output,
    count: _Count,
    decide: Decide,
) -> None:
    from worthit.models.scoring import chunks as scoring

    with tqdm(
        total=100,
        bar_format="{percentage:3.0f}% {bar} {elapsed}, {remaining} left{postfix}"
        if source.share_read() is not None
        else "{elapsed}{postfix}",
        disable=not sys.stderr.isatty(),
        ncols=78,
        leave=False,
    ) as bar:
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


def _summary(trained: TrainedModel, count: _Count) -> str:
    without = f"; {count.without_text:,} without text have no score" if count.without_text else ""
    if count.unanswered:
        without += f"; {count.unanswered:,} without an answer have no score"
    rate = f", {significant(count.rows / count.seconds)} rows/s" if count.rows else ""
    return f"{trained.title} scored {count.rows:,} rows in {count.seconds:,.1f} s{rate}{without}"


def _more(how_to_resume: str) -> str:
    return f"; {how_to_resume}" if how_to_resume else ""


def _say(text: str) -> None:
    print(f"worthit: {text}", file=sys.stderr)

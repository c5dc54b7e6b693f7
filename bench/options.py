"""The options of `pytest bench/`, one row each: declared to a parser, checked, and saved with a run.

A new option is one field of `BenchmarkOptions`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from worthit.bench import model_choice
from worthit.bench.instruments import machine
from worthit.bench.option import Option, above_0, from_0_up, from_1_up, yes_or_no
from worthit.bench.presets import PRESETS, Preset, preset
from worthit.datasets.errors import OptionError, UnknownNameError
from worthit.datasets.formats import reading
from worthit.datasets.registry import DATASETS, parse
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices
from worthit.models.chat.address import Address
from worthit.models.contract import DEVICES
from worthit.models.registry import MODELS, USAGES

#: the values of `--balance`
BALANCES = ("yes", "no", "weights")


def _devices(given: str | None) -> tuple[str, ...]:
    devices = model_choice.names("--devices", given) or machine.present_devices()
    for device in devices:
        if device not in DEVICES:
            raise UnknownNameError("device", device, DEVICES)
    return tuple(dict.fromkeys(devices))


def _datasets(given: Iterable[str]) -> tuple[str, ...]:
    for name in given:
        parse(name)
    return tuple(dict.fromkeys(given))


def _labels(given: str | None) -> tuple[str, ...]:
    labels = model_choice.names("--on", given)
    for label in labels:
        if not all(label.partition("=")):
            raise OptionError(
                f"--on {label!r} is not KEY=VALUE; it takes labels that nodes have: ray start --labels KEY=VALUE"
            )
    return tuple(dict.fromkeys(labels))


def _balance(given: str | None) -> str | None:
    if given not in (None, *BALANCES):
        raise OptionError(
            f"--balance is {given!r}; it takes yes, no or weights, and means yes at the end of the line"
        )
    return given


_SHARED = [name for name, entry in MODELS.items() if entry.shares_training]
_NOT_DEFAULT = ", ".join(name for name, entry in MODELS.items() if not entry.default)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Checked values of all options, in the order in which a saved run describes them."""

    preset: Annotated[Preset, Option(
        "--preset",
        "how much data and time "
        f"({'; '.join(f'{name}: {known.about}' for name, known in PRESETS.items())})",
        read=preset,
        describe=lambda value: value.name,
        default="quick",
    )]  # fmt: skip
    models: Annotated[dict[str, str], Option(  # name of the row → what the user named
        "--models",
        f"names separated by commas: {', '.join((*MODELS, *USAGES))}, default, all "
        f"(default: all but {_NOT_DEFAULT})",
        read=model_choice.models,
        describe=lambda value: ",".join(map(model_choice.without_path, value, value.values())),
    )]  # fmt: skip
    devices: Annotated[tuple[str, ...], Option(
        "--devices",
        f"{', '.join(DEVICES)}, separated by commas (all present)",
        read=_devices,
        describe=",".join,
    )]  # fmt: skip
    dataset: Annotated[str, Option(
        "--dataset",
        f"one of {', '.join(usage for _, usage in DATASETS.values())} (%(default)s)",
        read=lambda given: _datasets([given])[0],
        describe=lambda value: parse(value).shown,
        default="wikipedia",
    )]  # fmt: skip
    seeds: Annotated[int | None, Option(  # None: 3 for models that train fast, else 1
        "--seeds",
        "train each model K times, except those whose training is deterministic "
        "(3 if the first training is short, else 1)",
        read=from_1_up("--seeds"), type=int, metavar="K",
    )]  # fmt: skip
    resume: Annotated[bool, Option(
        "--resume",
        "continue the latest run of the same command that was interrupted or has failed cells, without the cells "
        "that it has measured",
        describe=None, action="store_true",
    )]  # fmt: skip
    retrain: Annotated[bool, Option(
        "--retrain", "train again, even if the cache has the trained model",
        describe=yes_or_no, action="store_true",
    )]  # fmt: skip
    learning_curve: Annotated[bool, Option(
        "--learning-curve", "also train on a half, a quarter, … of the comments",
        describe=yes_or_no, action="store_true",
    )]  # fmt: skip
    tune: Annotated[float | None, Option(
        "--tune",
        "search better settings of each model on validation comments, each for this long (no search)",
        read=from_1_up("--tune"), describe="{:g}".format, type=float, metavar="SECONDS",
    )]  # fmt: skip
    text_column: Annotated[str | None, Option(
        "--text-column", "your own data: the column of the comments (guessed)", metavar="NAME"
    )]  # fmt: skip
    label_column: Annotated[str | None, Option(
        "--label-column",
        "your own data: the column of the classes (guessed), or several columns of 0 and 1, to learn all of them",
        metavar="NAME[,NAME…]",
    )]  # fmt: skip
    positive_label: Annotated[str | None, Option(
        "--positive-label",
        "your own data: the class to find (guessed); with more than two classes, the rest is one class",
        metavar="LABEL",
    )]  # fmt: skip
    multilabel: Annotated[bool | None, Option(  # None: not given
        "--multilabel",
        "your own data: learn all labels of a column that holds several per comment",
        describe=yes_or_no, action="store_const", const=True,
    )]  # fmt: skip
    group_column: Annotated[str | None, Option(
        "--group-column",
        "your own data: the column of authors, threads, …; each stays on one side of the split",
        metavar="NAME",
    )]  # fmt: skip
    split_column: Annotated[str | None, Option(
        "--split-column",
        "your own data: the column with train, validation or test in every row (guessed)",
        metavar="NAME",
    )]  # fmt: skip
    test_file: Annotated[Path | None, Option(
        "--test-file", "your own data: a file to test on, unchanged",
        describe=lambda value: value.name, type=Path, metavar="PATH",
    )]  # fmt: skip
    encoding: Annotated[str | None, Option(
        "--encoding", "your own data: encoding of files that are not UTF-8, such as cp1252",
        read=reading.encoding, metavar="NAME",
    )]  # fmt: skip
    delimiter: Annotated[str | None, Option(
        "--delimiter", "your own data: the character between columns, or tab (found in the file)",
        read=reading.delimiter,
        describe=lambda value: "tab" if value == "\t" else value,
        metavar="CHARACTER",
    )]  # fmt: skip
    columns: Annotated[tuple[str, ...] | None, Option(
        "--columns", "your own data: names of the columns of a file without a header",
        read=reading.columns, describe=",".join, metavar="NAME,…",
    )]  # fmt: skip
    sheet: Annotated[str | None, Option(
        "--sheet", "your own data: the sheet of an Excel file (the first that holds a table)",
        metavar="NAME",
    )]  # fmt: skip
    report_options: Mapping[str, str]  # flag → value as given; saved here, read by reports only
    also_test: Annotated[tuple[str, ...], Option(
        "--also-test",
        "out-of-domain comments to test on, never trained on: a file or any --dataset; repeatable",
        read=_datasets,
        describe=lambda value: ", ".join(parse(name).shown for name in value),
        action="append",
        default=[],
        metavar="DATASET",
    )]  # fmt: skip
    language: Annotated[str | None, Option(  # None: as suits the dataset
        "--language",
        "en drops comments that are confidently not English, any keeps all (your own data: any; others: en)",
        read=lambda given: Protocol(language=given).language,
        metavar="en|any",
    )]  # fmt: skip
    balance: Annotated[str | None, Option(  # one of BALANCES; None: as suits the dataset
        "--balance",
        "yes leaves out comments until there are as many of each class (the default, except for your own "
        "data with many classes or a test side), no keeps all, weights keeps all and counts each class "
        "the same in training",
        read=_balance, short={"--no-balance": "no"}, nargs="?", const="yes", metavar="yes|no|weights",
    )]  # fmt: skip
    merge_rare: Annotated[bool | None, Option(  # None: not given
        "--merge-rare",
        "your own data: merge classes too rare to split into one class `other` (they are left out)",
        describe=yes_or_no, action="store_const", const=True,
    )]  # fmt: skip
    train_size: Annotated[int | None, Option(
        "--train-size", "number of training comments (from the preset)",
        read=lambda given: Protocol(train_size=given).train_size, type=int, metavar="N",
    )]  # fmt: skip
    test_size: Annotated[int | None, Option(
        "--test-size", "number of test comments (from the preset)",
        read=lambda given: Protocol(test_size=given).test_size, type=int, metavar="N",
    )]  # fmt: skip
    max_length: Annotated[int | None, Option(
        "--max-length", "number of tokens of a comment that transformers read, at most those of their context (128)",
        read=from_1_up("--max-length"), type=int, metavar="TOKENS",
    )]  # fmt: skip
    checkpoint: Annotated[dict[str, str], Option(  # name of the row → hub id or path
        "--checkpoint",
        "other pretrained weights: a hub id, a folder, a .gguf file; repeatable",
        describe=None,
        action="append",
        default=[],
        metavar="MODEL=ID_OR_PATH",
    )]  # fmt: skip
    endpoint: Annotated[Address | None, Option(
        "--endpoint",
        "address of a chat-completions server, for models endpoint:NAME; a key is read from the environment "
        "variable WORTHIT_API_KEY only",
        describe=lambda value: value.shown, metavar="URL",
    )]  # fmt: skip
    yes_send_comments: Annotated[bool, Option(
        "--yes-send-comments", "permit that comments are sent to an --endpoint on another machine",
        describe=None, action="store_true",
    )]  # fmt: skip
    shots: Annotated[int, Option(
        "--shots", "number of training comments that an endpoint is shown with each comment (0)",
        read=from_0_up("--shots"), describe=None, type=int, default=0, metavar="K",
    )]  # fmt: skip
    processes: Annotated[int, Option(
        "--processes",
        f"train {', '.join(_SHARED)} and hf:CHECKPOINT in N processes, each with a GPU or a share of the "
        "cores; other models train in one (%(default)s)",
        read=from_1_up("--processes"),
        type=int, default=1, metavar="N",
    )]  # fmt: skip
    cell_limit: Annotated[float | None, Option(
        "--cell-limit",
        "time limit of one training or one measurement (from the preset, or 4 times the forecast if that is longer)",
        read=from_1_up("--cell-limit"), describe=None, type=float, metavar="SECONDS",
    )]  # fmt: skip
    attempts: Annotated[int, Option(
        "--attempts",
        "measure at most K times while other work on the machine disturbs a measurement (%(default)s)",
        read=from_1_up("--attempts"), describe=None, type=int, default=2, metavar="K",
    )]  # fmt: skip
    cpu_watts: Annotated[float | None, Option(
        "--cpu-watts",
        "power of all processors together at full load: without an energy counter, CPU energy is "
        "estimated as this × CPU time / logical processors (no estimate)",
        read=above_0("--cpu-watts"), describe="{:g}".format, type=float, metavar="WATTS",
    )]  # fmt: skip
    cluster: Annotated[str | None, Option(
        "--cluster",
        "measure each cell on a node of a Ray cluster that it has to itself: HOST:PORT of the head node, or auto "
        "for the cluster that this machine belongs to (this machine only)",
        describe=lambda value: "yes", metavar="ADDRESS",
    )]  # fmt: skip
    on: Annotated[tuple[str, ...], Option(
        "--on",
        "measure each cell once for each of these labels, on a node that has it, and compare (one run, on all nodes)",
        read=_labels, describe=",".join, metavar="KEY=VALUE,…",
    )]  # fmt: skip
    dry_run: Annotated[bool, Option(
        "--dry-run", "prepare the data, print the forecast of time, memory and disk, and stop",
        describe=None, action="store_true",
    )]  # fmt: skip
    runs_folder: Annotated[Path, Option(
        "--runs-folder", "where to save runs (reports/runs in a clone, else worthit-runs)",
        describe=None, type=Path, metavar="FOLDER",
    )]  # fmt: skip
    devices_given: bool  # False: `devices` are those of this machine

    @property
    def choices(self) -> Choices:
        """What the user says about a table of their own."""
        names = Choices.__dataclass_fields__
        return Choices(**{name: getattr(self, name) for name in names})

    def described(self) -> dict[str, str]:
        """The options as a user would write them, with paths shortened to names; saved with a run."""
        described = dict[str, str]()
        for name in self.__dataclass_fields__:
            value, option = getattr(self, name), OPTIONS.get(name)
            if name == "report_options":
                described |= value
            elif option and option.describe and value not in (None, ()):
                described[option.flag] = option.describe(value)
        for model, checkpoint in self.checkpoint.items():
            path = Path(checkpoint)
            described[f"--checkpoint {model}"] = path.name if path.is_absolute() else checkpoint
        return described


#: name of a field → its option
OPTIONS: dict[str, Option] = {
    name: option
    for name, hint in get_type_hints(BenchmarkOptions, include_extras=True).items()
    for option in getattr(hint, "__metadata__", ())
}


def add(add_option: Callable[..., Any]) -> None:
    """Declare the options to pytest's or argparse's parser."""
    for option in OPTIONS.values():
        option.declare(add_option)


def read(
    get: Callable[[str], Any], runs_folder: Path, report_options: Mapping[str, str]
) -> BenchmarkOptions:
    """Check the options.

    Args:
        get: returns an option's value by its name in the parser's namespace.
        runs_folder: the default.
        report_options: flag → value as given, already checked.

    Raises:
        UnknownNameError, OptionError, ModelError: a value is not allowed; the message says what is.
    """
    values = {name: option.read(get(option.destination)) for name, option in OPTIONS.items()}
    values["checkpoint"] = model_choice.checkpoints(values["checkpoint"], values["models"])
    values["endpoint"] = model_choice.endpoint(values["endpoint"], values["models"])
    if values["shots"] and values["endpoint"] is None:
        raise OptionError(
            "--shots is for models endpoint:NAME; name one with --models, or omit --shots"
        )
    if values["on"] and values["cluster"] is None:
        raise OptionError("--on chooses nodes of a cluster; give its address: --cluster ADDRESS")
    if values["cluster"] is not None:
        if values["resume"]:
            raise OptionError(
                "--resume continues a run of this machine only; omit it, or --cluster"
            )
        model_choice.require_portable(values["models"], values["checkpoint"])
    values["runs_folder"] = values["runs_folder"] or runs_folder
    return BenchmarkOptions(
        **values, report_options=report_options, devices_given=get("devices") is not None
    )

"""bench/options.py: each option is checked in one line, and described in the saved run."""

from pathlib import Path

import pytest

from tests.command_line import options
from worthit.bench.options import OPTIONS, BenchmarkOptions
from worthit.datasets.errors import OptionError, UnknownNameError, WorthitError
from worthit.datasets.tables.columns import Choices


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ("--models lsa,gpt", UnknownNameError, "unknown model 'gpt'; known: majority, word-list, "),
        ("--models ,", OptionError, "--models was given no name; give one or more"),
        ("--devices tpu", UnknownNameError, "unknown device 'tpu'; known: cpu, cuda, mps"),
        ("--preset slow", UnknownNameError, "'slow'; known: quick, standard, reference"),
        ("--dataset imdb", UnknownNameError, "unknown dataset 'imdb'; known: wikipedia"),
        ("--also-test imdb", UnknownNameError, "unknown dataset 'imdb'; known: wikipedia"),
        ("--train-size 0", OptionError, "--train-size is 0; it takes a number of comments from 2"),
        ("--test-size 1", OptionError, "--test-size is 1; it takes a number of comments from 2"),
        ("--language fr", OptionError, "--language is 'fr'; it takes en or any"),
        (
            "--balance some",
            OptionError,
            "--balance is 'some'; it takes yes, no or weights, and means",
        ),
        ("--seeds 0", OptionError, "--seeds is 0; it takes a number from 1 up"),
        ("--max-length 0", OptionError, "--max-length is 0; it takes a number from 1 up"),
        ("--cell-limit 0.5", OptionError, "--cell-limit is 0.5; it takes a number from 1 up"),
        ("--shots 2", OptionError, "--shots is for models endpoint:NAME; name one with --models"),
        ("--cell-limit inf", OptionError, "--cell-limit is inf; it takes a number from 1 up"),
        ("--tune nan", OptionError, "--tune is nan; it takes a number from 1 up"),
        ("--tune 0.5", OptionError, "--tune is 0.5; it takes a number from 1 up"),
        ("--cpu-watts 0", OptionError, "--cpu-watts is 0.0; it takes a number above 0"),
        ("--cpu-watts inf", OptionError, "--cpu-watts is inf; it takes a number above 0"),
        (
            "--on kind=a",
            OptionError,
            "--on chooses nodes of a cluster; give its address: --cluster",
        ),
        (
            "--cluster auto --on a",
            OptionError,
            "--on 'a' is not KEY=VALUE; it takes labels that nodes",
        ),
        (
            "--cluster auto --models endpoint:x --endpoint http://localhost:1",
            OptionError,
            "endpoint:x is measured on its server, not on nodes; omit --cluster",
        ),
        (
            "--cluster auto --checkpoint bert=/tmp",
            OptionError,
            "the weights of bert are files of this",
        ),
        ("--cluster auto --models hf:/tmp", OptionError, "the weights of hf:tmp are files of this"),
        ("--checkpoint llama", OptionError, "is not MODEL=ID_OR_PATH"),
        ("--checkpoint gpt=x", UnknownNameError, "unknown model 'gpt'"),
        ("--processes 0", OptionError, "--processes is 0; it takes a number from 1 up"),
        ("--models ~nobody_", UnknownNameError, "unknown model '~nobody_'; known: "),
        (
            "--models hf:~nobody_/x",
            OptionError,
            "--models names ~nobody_/x, but this machine has no such user; give the path",
        ),
        (
            "--checkpoint bert=~nobody_/x",
            OptionError,
            "--checkpoint names ~nobody_/x, but this machine has no such user",
        ),
        (
            "--models tfidf,llama-zero-shot --checkpoint llama=x",
            OptionError,
            "llama=x is for llama, which is not in this run \\(tfidf, llama-zero-shot\\); name it with",
        ),
        ("--checkpoint lsa=x", OptionError, "lsa has no checkpoint to choose; those that have: "),
    ],
)
def test_bad_options_are_refused(arguments: str, error: type[WorthitError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        options(*arguments.split())
    assert "\n" not in str(caught.value)


_DEFAULT_MODELS = "lsa,word2vec,tfidf,embeddings,bert,llama,llama-zero-shot,llama-qlora"
_ALWAYS = {
    "--preset": "quick", "--models": _DEFAULT_MODELS, "--devices": "cpu", "--dataset": "synthetic",
    "--retrain": "no", "--learning-curve": "no", "--recall": "0.8", "--p99-limit-ms": "100",
    "--worthwhile": "1", "--processes": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "described"),
    [
        ("", {}),
        (
            "--preset standard --devices cpu,cuda,cpu --seeds 3 --retrain --learning-curve "
            "--cpu-watts 65 --tune 60 --processes 4",
            {"--preset": "standard", "--devices": "cpu,cuda", "--seeds": "3", "--retrain": "yes",
             "--learning-curve": "yes", "--cpu-watts": "65", "--tune": "60",
             "--processes": "4"},
        ),
        (
            "--models tfidf,llama,bert,hf:org/weights --train-size 480 --test-size 300 --max-length 64 "
            "--checkpoint llama=/no/such/weights.gguf --checkpoint bert=org/bert --cell-limit 60 "
            "--runs-folder elsewhere",
            {"--models": "tfidf,llama,bert,hf:org/weights", "--train-size": "480", "--test-size": "300",
             "--max-length": "64", "--checkpoint llama": "weights.gguf",
             "--checkpoint bert": "org/bert"},
        ),
        (
            "--dataset /folder/mine.csv --text-column body --label-column mark --positive-label rude "
            "--group-column author --split-column side --test-file /other/test.csv --language any "
            "--encoding latin-1 --delimiter tab --columns body,mark "
            "--no-balance --also-test /folder/theirs.csv --also-test wikipedia --also-test wikipedia",
            {"--dataset": "mine.csv", "--text-column": "body", "--label-column": "mark",
             "--positive-label": "rude", "--group-column": "author", "--split-column": "side",
             "--test-file": "test.csv", "--encoding": "iso8859-1", "--delimiter": "tab",
             "--columns": "body,mark", "--also-test": "theirs.csv, wikipedia",
             "--language": "any", "--balance": "no"},
        ),
        (
            "--dataset hub:a/b:c --balance --merge-rare --language en --recall 0.9 --budget latency_ms=20",
            {"--dataset": "hub:a/b:c", "--recall": "0.9", "--budget": "latency_ms=20",
             "--language": "en", "--balance": "yes", "--merge-rare": "yes"},
        ),
        ("--balance weights", {"--balance": "weights"}),
        ("--balance no", {"--balance": "no"}),
        ("--balance", {"--balance": "yes"}),
    ],
)  # fmt: skip
def test_a_saved_run_describes_its_options_as_given_without_folders(
    arguments: str, described: dict[str, str]
) -> None:
    assert options(*arguments.split()).described() == _ALWAYS | described


def test_values_are_ready_for_use(tmp_path: Path) -> None:
    given = options(
        *(
            "--models",
            f"lsa,bert,hf:{tmp_path}",
            "--checkpoint",
            f"bert={tmp_path}",
            "--cell-limit",
            "60",
        ),
        *("--text-column", "body", "--test-file", "test.csv"),
    )
    assert given.models == {"lsa": "lsa", "bert": "bert", f"hf:{tmp_path.name}": f"hf:{tmp_path}"}
    assert given.checkpoint == {"bert": str(tmp_path)}
    assert given.choices == Choices(text_column="body", test_file=Path("test.csv"))
    assert (given.preset.name, given.cell_limit, given.runs_folder) == ("quick", 60, Path("runs"))
    assert given.devices_given
    assert given.described()["--models"] == f"lsa,bert,hf:{tmp_path.name}"


def test_every_field_is_an_option_but_for_two() -> None:
    fields = BenchmarkOptions.__dataclass_fields__.keys()
    assert fields - OPTIONS.keys() == {"report_options", "devices_given"}
    assert all(option.destination == name for name, option in OPTIONS.items())
    assert set(Choices.__dataclass_fields__) < set(OPTIONS)

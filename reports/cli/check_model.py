"""`worthit check-model`: whether a model, anybody's, keeps the contract of the benchmark."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tabulate import tabulate

from worthit.datasets.errors import OptionError
from worthit.models import contract, registry
from worthit.models.contract import TOXIC, Classifier

_WIDTHS = (22, 17, 28, 7)  # of columns, which with the gaps make 80


def add_to(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    checked: argparse.ArgumentParser = commands.add_parser(
        "check-model",
        help="see whether a model keeps the benchmark's contract",
        description="Train a model on a hundred comments made by code and check what the benchmark "
        "relies on: shapes, repeatability, odd comments, saving and loading.",
        epilog="exit code 1: it breaks a rule; 0: it keeps all; 2: there is no such model",
    )
    checked.add_argument(
        "model",
        help=f"as for pytest bench/ --models: {', '.join(registry.MODELS)}, {', '.join(registry.USAGES)}",
    )
    checked.add_argument("--device", default="cpu", choices=contract.DEVICES, help="(%(default)s)")
    checked.add_argument(
        "--checkpoint", metavar="ID_OR_PATH", help="other pretrained weights than the model's own"
    )
    checked.set_defaults(action=_check_model)
    return checked


def _check_model(parsed: argparse.Namespace) -> int:
    from worthit.models.contract_check import check

    registry.require_able(parsed.model, parsed.device)
    make = _maker(parsed)
    make(TOXIC).prepare()  # what is wrong with options, or missing, is said before any training
    print(f"{parsed.model} is trained and asked; the comments are made by code")
    checks = tuple(check.examine(make))
    headings = [field.name for field in dataclasses.fields(check.Check)]
    rows = list(map(dataclasses.astuple, checks))
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_WIDTHS))
    broken = sum(check.verdict == "off" for check in checks)
    print(f"\n{broken} of {len(checks)} rules are broken" if broken else "\nall rules are kept")
    return int(broken > 0)


def _maker(parsed: argparse.Namespace) -> Callable[[Sequence[str]], Classifier[Any]]:
    kind, settings = registry.model_class(parsed.model), registry.settings(parsed.model)
    if "torch" in kind.libraries or registry.entry(parsed.model).pretrained:
        from transformers.utils import logging

        logging.disable_progress_bar()
    if parsed.checkpoint is not None:
        if settings or not registry.entry(parsed.model).pretrained:
            raise OptionError(
                f"{parsed.model} has no checkpoint to choose; leave --checkpoint away"
            )
        settings = {"checkpoint": parsed.checkpoint}
    return lambda classes: kind(device=parsed.device, seed=0, classes=classes).set_params(
        **settings
    )

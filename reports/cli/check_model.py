"""`worthit check-model`: check that a model keeps the contract of the benchmark."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tabulate import tabulate

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import OptionError
from worthit.models import contract, registry
from worthit.models.contract import Classifier

_WIDTHS = (22, 17, 28, 7)  # of columns; 80 with the gaps


def add_to(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check-model",
        help="check that a model keeps the benchmark's contract",
        description="Train a model on 120 synthetic comments and check what the benchmark relies on: "
        "shapes, repeatability, odd comments, saving and loading.",
        epilog="exit codes: 0, the model keeps all rules; 1, it breaks one; 2, there is no such model",
    )
    parser.add_argument(
        "model",
        help=f"as for pytest bench/ --models: {', '.join(registry.MODELS)}, {', '.join(registry.USAGES)}",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        choices=contract.DEVICES,
        help="device to check on (%(default)s)",
    )
    parser.add_argument(
        "--checkpoint", metavar="ID_OR_PATH", help="other pretrained weights than the default"
    )
    parser.set_defaults(action=_check_model)
    return parser


def _check_model(parsed: argparse.Namespace) -> int:
    from worthit.models.contract_check import check

    registry.require_able(parsed.model, parsed.device)
    make = _maker(parsed)
    make(TOXIC).prepare()  # reports wrong options and missing packages before any training
    print(f"training and checking {parsed.model} with synthetic comments")
    checks = tuple(check.examine(make))
    headings = [field.name for field in dataclasses.fields(check.Check)]
    rows = list(map(dataclasses.astuple, checks))
    print(tabulate(rows, headings, disable_numparse=True, maxcolwidths=_WIDTHS))
    broken = sum(check.verdict == "off" for check in checks)
    print(f"\n{broken} of {len(checks)} rules are broken" if broken else "\nall rules are kept")
    return int(broken > 0)


def _maker(parsed: argparse.Namespace) -> Callable[[Sequence[str]], Classifier[Any]]:
    kind, settings = registry.model_class(parsed.model), registry.settings(parsed.model)
    pretrained = registry.entry(parsed.model).pretrained
    if "torch" in kind.libraries or pretrained:
        from transformers.utils import logging

        logging.disable_progress_bar()
    if parsed.checkpoint is not None:
        if settings or not pretrained:
            raise OptionError(f"{parsed.model} takes no other checkpoint; omit --checkpoint")
        settings = {"checkpoint": parsed.checkpoint}
    return lambda classes: kind(device=parsed.device, seed=0, classes=classes).set_params(
        **settings
    )

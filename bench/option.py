"""One row of the table of options, and checks of values that several options share."""

import math
import types
from collections.abc import Callable, Mapping
from typing import Any

from worthit.datasets.errors import OptionError


class Option:
    """One row of the table.

    Args:
        text: the help.
        read: turns what the parser gives, None without a default, into the checked value; raises
            OptionError or UnknownNameError.
        describe: turns the checked value into its text in the saved run; None: not saved.
        short: other flags that each stand for a value of this one.
        parser_arguments: for `argparse.ArgumentParser.add_argument`.
    """

    def __init__(
        self,
        flag: str,
        text: str,
        *,
        read: Callable[[Any], Any] = lambda given: given,
        describe: Callable[[Any], str] | None = str,
        short: Mapping[str, str] = types.MappingProxyType({}),
        **parser_arguments: Any,
    ) -> None:
        self.flag, self.read, self.describe = flag, read, describe
        #: the name of the value in the parser's namespace
        self.destination = flag.removeprefix("--").replace("-", "_")
        self.parser_arguments = {"help": text, **parser_arguments}
        self.short = short

    def declare(self, add_option: Callable[..., Any]) -> None:
        """Declare the option, and the flags that stand for a value, to pytest's or argparse's parser."""
        add_option(self.flag, **self.parser_arguments)
        for flag, value in self.short.items():
            about = f"the same as {self.flag} {value}"
            add_option(flag, dest=self.destination, action="store_const", const=value, help=about)


def from_1_up(flag: str) -> Callable[[float | None], float | None]:
    def read(given: float | None) -> float | None:
        if given is not None and not 1 <= given < math.inf:
            raise OptionError(f"{flag} is {given}; it takes a number from 1 up")
        return given

    return read


def from_0_up(flag: str) -> Callable[[int], int]:
    def read(given: int) -> int:
        if given < 0:
            raise OptionError(f"{flag} is {given}; it takes a number from 0 up")
        return given

    return read


def above_0(flag: str) -> Callable[[float | None], float | None]:
    def read(given: float | None) -> float | None:
        if given is not None and not 0 < given < math.inf:
            raise OptionError(f"{flag} is {given}; it takes a number above 0")
        return given

    return read


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"

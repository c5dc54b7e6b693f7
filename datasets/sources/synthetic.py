"""Synthetic comments, for tests and for use offline.

Each comment is polite or rude. Words of both kinds overlap, and some labels are flipped, as raters do.
A good classifier comes close to 100 % but does not reach it.

    python -m worthit.datasets.sources.synthetic 15000 > mine.csv

writes them as a table like those of users.
"""

import argparse
import csv
import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from worthit.datasets.corpus import comments
from worthit.datasets.errors import OptionError, WorthitError
from worthit.datasets.registry import Source

_DEFAULT_COMMENTS = 4_000
_TOXIC_SHARE = 0.2
_RATERS = 10

_NEUTRAL = (
    "the article section about this page has been edited and we should discuss which source to "
    "cite before anybody changes the title again because it was moved last week without a vote "
    "please see my note on river trains music history maps and old photographs"
).split()
_KIND = "thanks great helpful agree welcome good kindly appreciate nice work interesting".split()
_RUDE = "stupid idiot pathetic garbage liar shut clown worthless moron dumb loser nonsense".split()


def synthetic(size: int, seed: int = 0) -> pa.Table:
    """`size` synthetic comments."""
    rng = np.random.default_rng(seed)
    rude = rng.random(size) < _TOXIC_SHARE
    texts = [_comment(rng, bool(is_rude)) for is_rude in rude]
    votes = rng.binomial(_RATERS, np.where(rude, 0.85, 0.1))
    return comments(
        pa.array(texts),
        pa.array(votes > _RATERS / 2),
        shares=pa.array(votes / _RATERS),
        raters=pa.array(np.full(size, _RATERS)),
    )


def _comment(rng: np.random.Generator, rude: bool) -> str:
    length = int(np.clip(rng.lognormal(2.7, 0.7), 4, 200))
    words = rng.choice(_NEUTRAL, size=length)
    is_telling = rng.random(length) < 0.25
    is_rude = rng.random(length) < (0.7 if rude else 0.08)
    telling = np.where(is_rude, rng.choice(_RUDE, length), rng.choice(_KIND, length))
    words = np.where(is_telling, telling, words)
    text = " ".join(words)
    return text.upper() if rng.random() < (0.15 if rude else 0.03) else text.capitalize() + "."


def source(argument: str) -> Source:
    if argument and (not argument.isdecimal() or int(argument) < 100):
        raise OptionError(
            f"synthetic takes a number of comments, at least 100, but was given {argument!r}; try synthetic:4000"
        )
    size = int(argument or _DEFAULT_COMMENTS)
    return Source(
        "synthetic",
        f"{size:,} synthetic comments",
        "synthetic, by worthit; free of any rights",
        fingerprint=lambda: f"3:{size}:0",
        read=lambda: synthetic(size),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write comments to stdout as CSV: id, rude (yes or no), text."""
    parser = argparse.ArgumentParser(description="Write synthetic comments to stdout, as CSV.")
    parser.add_argument("comments", nargs="?", default="", help=f"how many ({_DEFAULT_COMMENTS:,})")
    try:
        table = source(parser.parse_args(arguments).comments).read()
    except WorthitError as error:
        print(f"worthit: {error}", file=sys.stderr)
        return 2
    labels, texts = (table[column].to_pylist() for column in ("label", "text"))
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(("id", "rude", "text"))
    for number, (rude, text) in enumerate(zip(labels, texts, strict=True), 1):
        rows.writerow((number, "yes" if rude else "no", text))
    return 0


if __name__ == "__main__":
    sys.exit(main())

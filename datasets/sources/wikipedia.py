"""Wikipedia Talk Labels: Toxicity, 159,686 English-Wikipedia comments, about ten raters each.

Wulczyn, Thain, Dixon: "Ex Machina: Personal Attacks Seen at Scale", WWW 2017; the source of
the Jigsaw challenge. Labels are CC0, the text CC BY-SA 3.0. It comes inside the
`aif360` wheel.

Half of the comments (`sample` is "random") are a random sample of talk-page comments; 1.3 % of them are
toxic. The other half ("blocked") are comments of users who were later blocked; 18 % of them are toxic.
So only the first half tells how common toxic comments are.
"""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from worthit.datasets import packages
from worthit.datasets.corpus import TOXIC, comments
from worthit.datasets.errors import OptionError
from worthit.datasets.registry import Source

PACKAGE = packages.Package(
    name="aif360",
    version="0.2.3",
    sha256="5407d38baf50a56d4cc2dc56822b9992789d641b5525790d8c90e17f32f70a1b",
    size_bytes=56_434_276,
)
_FOLDER = "aif360/data/raw/toxicity"
_ABOUT = replace(TOXIC, stream="English Wikipedia talk-page comments from 2001 to 2016")


def _read() -> pa.Table:
    with packages.opened(PACKAGE) as archive:
        texts = _tsv(archive.read(f"{_FOLDER}/toxicity_annotated_comments.tsv"))
        votes = _tsv(archive.read(f"{_FOLDER}/toxicity_annotations.tsv"))
    return by_majority(texts, votes)


def by_majority(texts: pa.Table, votes: pa.Table) -> pa.Table:
    """Join comments (rev_id, comment, sample) with votes (rev_id, toxicity 0 or 1).

    A comment is toxic if more than half of its raters said so. Rows are ordered by revision, so that a
    seed means the same rows everywhere.
    """
    counted = votes.group_by("rev_id").aggregate([("toxicity", "mean"), ("toxicity", "count")])
    rows = texts.select(["rev_id", "comment", "sample"]).join(counted, "rev_id").sort_by("rev_id")
    share = rows["toxicity_mean"]
    return comments(
        _white_space_restored(rows["comment"]),
        pc.greater(share, 0.5),
        shares=share,
        raters=rows["toxicity_count"],
        random=pc.equal(rows["sample"], "random"),
        about=_ABOUT,
    )


def _white_space_restored(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    for token, white_space in (("NEWLINE_TOKEN", "\n"), ("TAB_TOKEN", "\t")):
        texts = pc.replace_substring(texts, token, white_space)
    return texts


def _tsv(content: bytes) -> pa.Table:
    # Quotes are part of the comments here, not of the format.
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
    )


def source(argument: str) -> Source:
    if argument:
        raise OptionError(
            f"wikipedia takes no argument, but was given {argument!r}; use --dataset wikipedia"
        )
    return Source(
        "wikipedia",
        "Wikipedia Talk Labels: Toxicity",
        "Wulczyn, Thain, Dixon 2017; toxic by majority of raters; labels CC0, text CC BY-SA 3.0",
        fingerprint=lambda: PACKAGE.sha256,
        read=_read,
    )

"""Comments to score: the text column of a table of any length, and the columns to carry along."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from worthit.datasets.errors import DataError
from worthit.datasets.formats.chunks import HEAD_ROWS, Chunk, TableReader, Values
from worthit.datasets.formats.parquet import Parquet
from worthit.datasets.formats.whole import NotTextError, as_strings, of_chunk
from worthit.datasets.tables import columns

ALL = "all"
_USUAL = "text"


@dataclass(frozen=True)
class CommentChunk:
    """Consecutive comments."""

    first: int  # number of the first row, from 1
    texts: list[str | None]  # as models are trained on them; None: no text, or only white space
    extras: dict[str, Values]  # the columns to carry along

    @property
    def last(self) -> int:
        return self.first + len(self.texts) - 1


class CommentReader:
    """The comments of a table, read once and in order.

    Args:
        text_column: which column holds them; None to guess it as the benchmark does.
        keep: further columns to carry along; `[ALL]` for all there are.
        trained_on: the text column that a model was trained on, taken unless another is named.

    Attributes:
        text_column, extras: the columns, in order.
        notes: a line on each repair and guess.

    Raises:
        DataError: there is no such column, or none can be guessed.
    """

    def __init__(
        self,
        table: TableReader,
        text_column: str | None,
        keep: Sequence[str],
        trained_on: str | None = None,
    ) -> None:
        self._table, self.notes = table, table.notes
        self.share_read = table.share_read
        first = table.head()
        head = of_chunk(table.name, first, table.unusable)
        is_empty = not (first.columns or table.unusable)  # no rows of JSON
        if text_column is None and trained_on in head.table.column_names:
            text_column = trained_on
        if text_column is None and not is_empty:
            text_column = columns.guess_text(head)
            if trained_on is not None:
                why = f"the model was trained on {trained_on}, which {table.name} lacks"
                self.notes += (columns.guess_note("text", text_column, why),)
            elif text_column != _USUAL:
                self.notes += (columns.guess_note("text", text_column),)
        self.text_column = text_column or _USUAL
        self._keeps_all = list(keep) == [ALL]
        if self._keeps_all:
            repeated = [name for name in table.unusable if name]
            keep = [*repeated, *(name for name in first.columns if name != self.text_column)]
        self.extras = tuple(keep)
        if not is_empty:
            columns.require(head, self.text_column, "--text-column")
            for name in (name for name in keep if name not in first.columns):
                columns.require(head, name, "--keep")

    @property
    def splittable_rows(self) -> int | None:
        """How many rows there are, if any of them can be read without those before; else None."""
        table = self._table
        return table.rows if isinstance(table, Parquet) and table.is_seekable else None

    def between(self, first: int, last: int) -> "CommentReader":
        """The same comments, of splittable rows those from `first` to `last`."""
        assert isinstance(self._table, Parquet)
        part = copy.copy(self)
        part._table = self._table.between(first, last)
        return part

    def chunks(self, size: int) -> Iterator[CommentChunk]:
        """All comments in order, `size` at a time.

        Raises:
            DataError: a row is malformed; names it.
        """
        wanted = (self.text_column, *self.extras)
        for chunk in self._table.chunks(size, None if self._keeps_all else wanted):
            self._require_known(chunk, wanted)
            missing = [None] * chunk.rows
            extras = {name: chunk.columns.get(name, missing) for name in self.extras}
            yield CommentChunk(chunk.first, self._texts(chunk), extras)

    def _texts(self, chunk: Chunk) -> list[str | None]:
        values = chunk.columns.get(self.text_column, [None] * chunk.rows)
        try:
            strings = as_strings(values)
        except NotTextError as error:
            raise DataError(
                f"rows {chunk.first:,} to {chunk.last:,} of {self._table.name}: the column "
                f"{self.text_column} {error}; name another with --text-column"
            ) from error
        texts = pc.utf8_trim_whitespace(pc.replace_substring(strings, "\0", ""))
        return [text or None for text in texts.to_pylist()]

    def _require_known(self, chunk: Chunk, wanted: Sequence[str]) -> None:
        """JSON may have further keys that the output has no column for."""
        if others := sorted(chunk.columns.keys() - set(wanted)):
            raise DataError(
                f"rows {chunk.first:,} to {chunk.last:,} of {self._table.name} have {', '.join(others)}, "
                f"which the first {HEAD_ROWS:,} rows do not; name the columns to carry along with --keep"
            )

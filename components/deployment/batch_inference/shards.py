"""The division of a Parquet table into shards, and the files of their predictions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.components.shared import files
from headrace.components.shared.errors import SourceError

_BATCH = 8192


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of one file.

    Attributes:
        path: The file.
        start: Its first row that belongs.
        rows: How many rows.
    """

    path: str
    start: int
    rows: int


class Table:
    """A Parquet table: one file or several, read shard by shard."""

    def __init__(self, place: str) -> None:
        """Finds the files.

        Args:
            place: File, folder or glob, local or a URI.

        Raises:
            SourceError: nothing is there.
        """
        self._fs, path = fsspec.url_to_fs(place)
        if self._fs.isfile(path):
            found = [path]
        elif self._fs.isdir(path):
            found = self._fs.glob(f"{path}/**/*.parquet")
        else:
            found = self._fs.glob(path)
        below = [item.removeprefix(path) for item in found]
        # As in Spark and Arrow, such names are of files that are not finished or not data.
        hidden = [any(part[:1] in ("_", ".") for part in item.split("/")) for item in below]
        self.paths = sorted(p for p, skip in zip(found, hidden, strict=True) if not skip)
        if not self.paths:
            raise SourceError(
                f"There is no Parquet file at {place}.",
                fix="Name a Parquet file, a folder with such files, or a glob.",
            )

    def identity(self) -> list[tuple[str, Any]]:
        """Each file and what changes with its content: size and time, or the store's own tag."""
        return [(path, self._fs.ukey(path)) for path in self.paths]

    def shards(self, rows: int) -> list[Shard]:
        """Divides the files into shards of at most ``rows`` rows.

        Raises:
            SourceError: a file is no Parquet file.
        """
        return [
            Shard(path, start, min(rows, height - start))
            for path in self.paths
            for height in [self._height(path)]
            for start in range(0, height, rows)
        ]

    def read(self, shard: Shard) -> pl.DataFrame:
        """The rows of one shard; only the row groups that hold them are read."""
        with self._fs.open(shard.path) as file, pq.ParquetFile(file) as parquet:
            groups, skip, seen = [], 0, 0
            for number in range(parquet.num_row_groups):
                height = parquet.metadata.row_group(number).num_rows
                if seen + height <= shard.start:
                    skip += height
                elif seen < shard.start + shard.rows:
                    groups.append(number)
                seen += height
            batches = list(_between(parquet, groups, shard.start - skip, shard.rows))
            table = pa.Table.from_batches(batches, parquet.schema_arrow)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _height(self, path: str) -> int:
        try:
            with self._fs.open(path) as file, pq.ParquetFile(file) as parquet:
                return int(parquet.metadata.num_rows)
        except pa.ArrowInvalid as error:
            raise SourceError(
                f"{path} is no Parquet file: {error}", fix="Write the table as Parquet."
            ) from None


def _between(parquet: Any, groups: Sequence[int], start: int, rows: int) -> Iterator[Any]:
    """Batches with the rows from ``start`` on; no more than a batch besides them is in memory."""
    end, seen = start + rows, 0
    for batch in parquet.iter_batches(_BATCH, row_groups=list(groups)):
        first, last = max(start - seen, 0), min(end - seen, len(batch))
        if first < last:
            yield batch.slice(first, last - first)
        seen += len(batch)
        if seen >= end:
            return


class Parts:
    """The files of predictions, one per shard, in a folder that a killed run may have begun."""

    def __init__(self, folder: str, count: int) -> None:
        """Looks at a folder, which need not exist.

        Beside it ``<folder>.json`` says that all are there: in it, readers would take it for data.

        Args:
            folder: Folder or URI.
            count: How many shards there are.
        """
        self._fs, self._root = fsspec.url_to_fs(folder)
        self._names = [f"part-{n:05d}-of-{count:05d}.parquet" for n in range(count)]

    def missing(self) -> list[int]:
        """Numbers of the shards that are not done."""
        return [n for n, name in enumerate(self._names) if not self._fs.exists(self._place(name))]

    def write(self, number: int, frame: pl.DataFrame) -> None:
        """Writes one shard's predictions; the file appears whole.

        Raises:
            StorageError: the folder cannot be written.
        """
        place = self._place(self._names[number])
        self._write(place, lambda file: frame.write_parquet(file, compression="zstd"))

    def count(self) -> tuple[int, int]:
        """Rows, and rows without a prediction, over all shards."""
        rows = lost = 0
        for name in self._names:
            with self._fs.open(self._place(name)) as file:
                column = pq.read_table(file, columns=["rejected"]).column(0)
            rows, lost = rows + len(column), lost + len(column) - column.null_count
        return rows, lost

    def finish(self, record: bytes) -> None:
        """Writes ``<folder>.json``, and removes what killed runs left behind.

        Raises:
            StorageError: it cannot be written.
        """
        self._write(f"{self._root}.json", lambda file: file.write(record))
        for left in self._fs.glob(f"{self._temporary}*"):
            self._fs.rm(left)

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _temporary(self) -> str:
        parent, _, name = self._root.rpartition("/")
        return f"{parent}/.{name}.tmp-"

    def _write(self, place: str, write: Callable[[Any], object]) -> None:
        temporary = f"{self._temporary}{os.getpid()}"
        with files.writing(place):
            self._fs.makedirs(self._root, exist_ok=True)
            with self._fs.open(temporary, "wb") as file:
                write(file)
            self._fs.mv(temporary, place)

"""TFX's Examples artifact, ``Split-<name>/data_tfrecord-*.gz`` of tf.Examples, by way of Arrow.

Encoding and decoding use tfx_bsl's C++ coders, which keep missing values missing (TFX's own
Parquet and CSV executors do not).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from headrace.components.shared import (
    files,
    tensorflow_env,  # noqa: F401
)
from headrace.components.shared.config.data import SPLITS as SPLITS

_BATCH = 8192
_CODERS = 2
_AHEAD = 8
_Given = TypeVar("_Given")
_Coded = TypeVar("_Coded")


def split_folder(examples: Path, split: str) -> Path:
    """The folder of one split inside an Examples artifact."""
    return examples / f"Split-{split}"


def shards(examples: Path, split: str) -> list[str]:
    """The record files of one split, in order."""
    return [str(path) for path in sorted(split_folder(examples, split).glob("*.gz"))]


def write(table: pa.Table, folder: Path) -> None:
    """Writes ``table`` as one gzip TFRecord file of tf.Examples; nulls become missing features."""
    batches = as_lists(table).to_batches(max_chunksize=_BATCH)
    write_batches(batches, folder / "data_tfrecord-00000-of-00001.gz")


def write_batches(batches: Iterable[pa.RecordBatch], target: Path) -> None:
    """Writes batches of list columns as the only file of its folder."""
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    encoder = RecordBatchToExamplesEncoder()
    options = tf.io.TFRecordOptions("GZIP", compression_level=1)
    with files.writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(target), options) as writer:
            for encoded in _side_by_side(encoder.encode, batches):
                for example in encoded:
                    writer.write(example)


def serialized(
    paths: Iterable[str], batch: int = _BATCH, *, every: int = 1
) -> Iterator[np.ndarray]:
    """Serialized tf.Examples as arrays of ``bytes`` objects.

    Args:
        paths: Record files.
        batch: How many records are read at once.
        every: Only each ``every``-th record, from the first on.
    """
    import tensorflow as tf

    dataset = tf.data.TFRecordDataset(list(paths), compression_type="GZIP").shard(every, 0)
    yield from dataset.batch(batch).as_numpy_iterator()


def decoded(paths: Iterable[str], schema: bytes | None = None) -> Iterator[pa.RecordBatch]:
    """Decodes tf.Examples into batches of list columns.

    Args:
        paths: Record files.
        schema: Serialized ``Schema`` of the wanted columns; without it, all that a batch has.
    """
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    own = threading.local()  # a decoder serves one thread

    def decode(records: np.ndarray) -> pa.RecordBatch:
        if not hasattr(own, "decoder"):
            own.decoder = ExamplesToRecordBatchDecoder(schema)
        return own.decoder.DecodeBatch(records)

    yield from _side_by_side(decode, serialized(paths))


def _side_by_side(code: Callable[[_Given], _Coded], batches: Iterable[_Given]) -> Iterator[_Coded]:
    """Maps in order; the coders work outside Python's lock, and few batches bound the memory."""
    ahead: deque[Future[_Coded]] = deque()
    with ThreadPoolExecutor(_CODERS) as pool:
        for batch in batches:
            ahead.append(pool.submit(code, batch))
            if len(ahead) == _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def read(paths: Iterable[str], columns: Iterable[str] | None = None) -> pa.Table:
    """Decodes tf.Examples into a table of scalar columns; missing features become nulls."""
    return as_scalars(read_lists(paths, columns))


def read_lists(paths: Iterable[str], columns: Iterable[str] | None = None) -> pa.Table:
    """Decodes tf.Examples into a table of list columns, as TFDV takes them."""
    tables = []
    for batch in decoded(paths):
        table = pa.Table.from_batches([batch])
        if columns is not None:
            table = table.select([name for name in columns if name in table.column_names])
        tables.append(table)
    return pa.concat_tables(tables, promote_options="default")


def as_lists(table: pa.Table) -> pa.Table:
    """Scalar columns to the list columns that tfx_bsl takes: a null becomes a null list."""
    return pa.table({name: _to_list(table[name]) for name in table.column_names})


def as_scalars(table: pa.Table) -> pa.Table:
    """The inverse of :func:`as_lists`; text comes back as strings."""
    return pa.table({name: _to_scalar(table[name]) for name in table.column_names})


def _to_list(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        values = values.cast(pa.int64())
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = values.cast(pa.float64()).cast(pa.float32())
    elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        zone = getattr(kind, "tz", None)
        values = values.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    else:
        values = values.cast(pa.string()).cast(pa.binary())
    valid = np.asarray(values.is_valid())
    offsets = np.concatenate([[0], np.cumsum(valid)]).astype(np.int64)
    mask = np.concatenate([~valid, [False]])
    return pa.LargeListArray.from_arrays(pa.array(offsets, mask=mask), values.drop_null())


def _to_scalar(column: pa.ChunkedArray) -> pa.Array:
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks)
    if pa.types.is_null(lists.type):
        return pa.nulls(len(lists), pa.string())
    lengths = np.asarray(lists.value_lengths().fill_null(0))
    values = lists.flatten()
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = values.cast(pa.string())
    present = lengths > 0
    indices = np.cumsum(lengths) - lengths
    return values.take(pa.array(indices, mask=~present))

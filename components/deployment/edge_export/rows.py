"""The rows that a model for devices is made with and measured on, as the server gets them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from headrace.components.shared import examples
from headrace.components.shared.config.project import Label

#: From about so many records at even distances, the representative ones are chosen.
_CANDIDATES = 65_536


@dataclass(frozen=True)
class Rows:
    """Rows of one split.

    Attributes:
        table: Raw columns, the label among them.
        label: Truth, of shape ``[rows]``.
    """

    table: pl.DataFrame
    label: np.ndarray


def tested(source: Path, label: Label) -> Rows:
    """The test split of an Examples artifact."""
    table = pl.DataFrame(pl.from_arrow(examples.read(examples.shards(source, "test"))))
    return Rows(table, table[label.column].cast(pl.Float64).to_numpy())


def representative(source: Path, rows: int) -> pl.DataFrame:
    """Rows from all over the training split, at even distances.

    A split by time begins with its oldest rows, and these alone would set wrong ranges.

    Args:
        source: Examples artifact.
        rows: How many at most.
    """
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    shards = examples.shards(source, "train")
    kept = np.concatenate(list(examples.serialized(shards, every=max(_CANDIDATES // rows, 1))))
    if len(kept) < rows:  # the split has few
        kept = np.concatenate(list(examples.serialized(shards)))
    chosen = np.linspace(0, len(kept) - 1, min(rows, len(kept))).astype(int)
    batch = ExamplesToRecordBatchDecoder().DecodeBatch(kept[chosen])
    return pl.DataFrame(pl.from_arrow(examples.as_scalars(pa.Table.from_batches([batch]))))

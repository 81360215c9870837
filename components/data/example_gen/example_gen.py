"""The work of ``example_gen``: the labelled table to TFX Examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.data.example_gen.splits import assign
from headrace.components.shared import examples
from headrace.components.shared.checks import check_features, check_label, check_types
from headrace.components.shared.config.data import Features, Split
from headrace.components.shared.config.project import Label


def run(
    *,
    table: Path,
    label: Mapping[str, Any],
    features: Mapping[str, Any],
    split: Mapping[str, Any],
    target: Path,
) -> dict[str, int]:
    """Splits and encodes the table.

    Args:
        table: Parquet file of ``feature_builder``.
        label: Keys of :class:`Label`.
        features: Keys of :class:`Features`.
        split: Keys of :class:`Split`.
        target: Examples artifact to write.

    Returns:
        Rows per split.

    Raises:
        DataError: the label or a feature cannot be learnt from, or a split is empty.
    """
    rows = pl.read_parquet(table)
    wanted = Label.parse(label, where="label")
    kept = Features.parse(features, where="features")
    hidden = {wanted.column, *kept.exclude, *kept.known_after}
    check_types(rows)
    rows = check_features(rows, [name for name in rows.columns if name not in hidden])
    parts = assign(rows, Split.parse(split, where="split"))
    for name, part in parts.items():
        where = f"Label {wanted.column!r}, split {name!r}"
        check_label(part[wanted.column], wanted, where=where)
    for name, part in parts.items():
        examples.write(part.to_arrow(), examples.split_folder(target, name))
    return {name: part.height for name, part in parts.items()}

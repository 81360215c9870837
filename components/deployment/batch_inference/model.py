"""The pushed model in this process: columns in, predictions out.

It runs the signature that the gateway asks online, on the same values, so both give the same
numbers. tfx_bsl's RunInference moves serialized examples through Beam one by one: on 53,991 rows
of 60 features it took 10.0 s of CPU time, this 2.2 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from headrace.components.shared import tensorflow_env  # noqa: F401
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.model_store import EXTRA
from headrace.components.shared.signatures import MISSING_INT, MISSING_TEXT, RAW_SIGNATURE
from headrace.components.shared.text import nearest

REJECTED = "rejected"
_BATCH = 4096
_SHOWN = 5


class Model:
    """A loaded version.

    Attributes:
        loaded: As TensorFlow has it.
    """

    def __init__(self, folder: Path) -> None:
        """Loads it.

        Args:
            folder: The version's folder.

        Raises:
            ConfigError: it is no model that Headrace pushed.
        """
        import tensorflow as tf

        # The signature alone would let the variables go.
        self.loaded = tf.saved_model.load(str(folder))
        signatures = self.loaded.signatures
        if RAW_SIGNATURE not in signatures:
            raise ConfigError(
                f"The model has no signature {RAW_SIGNATURE!r}, but {', '.join(signatures)}.",
                fix="Train and push it with Headrace, or export that signature.",
            )
        self._signature = signatures[RAW_SIGNATURE]
        specs: Mapping[str, Any] = self._signature.structured_input_signature[1]
        self._kinds = {name: spec.dtype for name, spec in sorted(specs.items())}
        self._required = _required(folder) & set(self._kinds)

    @property
    def inputs(self) -> list[str]:
        """The features that it takes."""
        return list(self._kinds)

    @property
    def outputs(self) -> list[str]:
        """Names of what it answers."""
        return sorted(self._signature.structured_outputs)

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Predictions for all rows, in order.

        Args:
            table: One column per feature, besides others.

        Returns:
            A column per output, null for rows that lack a feature without which the model was
            never trained, and the column ``rejected`` that names it.

        Raises:
            DataError: a column is missing or has values of a wrong type.
        """
        columns = self.tensors(table)
        rejected = self._rejected(table)
        kept = np.flatnonzero(rejected.is_null().to_numpy())
        answers = self._answers(columns, kept)
        frame = pl.DataFrame({name: _spread(answers[name], kept, len(table)) for name in answers})
        return frame.with_columns(rejected)

    def tensors(self, table: pl.DataFrame) -> dict[str, np.ndarray]:
        """The columns that it takes as named raw tensors of shape ``[rows]``.

        Raises:
            DataError: a column is missing or has values of a wrong type.
        """
        self._check_columns(table)
        return {name: _values(table[name], kind) for name, kind in self._kinds.items()}

    def _answers(self, columns: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, Any]:
        import tensorflow as tf

        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.outputs}
        for start in range(0, max(len(kept), 1), _BATCH):
            some = kept[start : start + _BATCH]
            feeds = {n: tf.constant(v[some], self._kinds[n]) for n, v in columns.items()}
            for name, answer in self._signature(**feeds).items():
                parts[name].append(answer.numpy())
        return {name: np.concatenate(answers) for name, answers in parts.items()}

    def _check_columns(self, table: pl.DataFrame) -> None:
        lost = [name for name in self._kinds if name not in table.columns]
        if lost:
            more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            raise DataError(
                f"The table lacks {', '.join(map(repr, lost[:_SHOWN]))}{more}, which the model "
                "takes.",
                fix=nearest(lost[0], table.columns),
            )

    def _rejected(self, table: pl.DataFrame) -> pl.Series:
        """Why a row gets no prediction, in the gateway's words; null for the others."""
        reason = pl.lit(None, pl.String)
        for name in sorted(self._required, reverse=True):
            gone = pl.col(name).is_null()
            if table.schema[name].is_float():
                gone |= pl.col(name).is_nan()
            reason = pl.when(gone).then(pl.lit(f"feature {name!r} is missing")).otherwise(reason)
        return table.with_columns(reason.alias(REJECTED))[REJECTED]


def _values(column: pl.Series, kind: Any) -> np.ndarray:
    """A column as a named tensor; dates and times are microseconds, as in training."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).cast(pl.Int64)
    try:
        if kind.is_floating:
            numbers = column.cast(pl.Float64).cast(pl.Float32)
            return numbers.fill_null(float("nan")).to_numpy()
        if kind.is_integer:
            return _whole(column).fill_null(MISSING_INT).to_numpy()
        return column.cast(pl.String).fill_null(MISSING_TEXT).to_numpy()
    except (pl.exceptions.PolarsError, ValueError):
        raise DataError(
            f"Column {column.name!r} is {column.dtype}, and the model takes {kind.name} for it.",
            fix="Give it the type that it had in training.",
        ) from None


def _whole(column: pl.Series) -> pl.Series:
    """Whole numbers; pandas writes them as floats when some are missing."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if not (column.drop_nulls() % 1 == 0).all():
            raise ValueError("not whole")
    return column.cast(pl.Int64)


def _spread(values: np.ndarray, kept: np.ndarray, rows: int) -> pl.Series:
    """One value (or list) per row, null where there is no prediction."""
    series = pl.Series(values)
    if len(kept) == rows:
        return series
    places = np.full(rows, -1)
    places[kept] = np.arange(len(kept))
    return series.gather(pl.Series(places).replace(-1, None))


def _required(folder: Path) -> frozenset[str]:
    """Features that every training example had; there is no missing value for them."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    path = folder / EXTRA / "schema" / "schema.pbtxt"
    if not path.exists():
        return frozenset()
    schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    return frozenset(feature.name for feature in schema.feature if feature.HasField("shape"))

"""The rows to evaluate: label, prediction, the champion's prediction, slice columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from headrace.components.shared import examples
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.model_store import MANIFEST
from headrace.components.shared.predict import predict
from headrace.components.shared.text import nearest

LABEL, PREDICTION, CHAMPION = "label", "prediction", "champion"
SPLIT = "test"


def collect(
    source: Path, model: Path, champion: Path, *, label: str, slices: list[list[str]]
) -> tuple[pl.DataFrame, str]:
    """Predicts the test split with the model and with the champion.

    Args:
        source: Examples artifact.
        model: SavedModel of the candidate.
        champion: Version that ``resolver`` brought; may be empty.
        label: Label column.
        slices: Column lists.

    Returns:
        The rows, and why the champion could not be asked (empty when it was, or there is none).

    Raises:
        ConfigError: a slice column does not exist.
    """
    paths = examples.shards(source, SPLIT)
    wanted = sorted({column for columns in slices for column in columns})
    table = examples.read(paths, [label, *wanted])
    for column in wanted:
        if column not in table.column_names:
            raise ConfigError(
                f"evaluation.slices names {column!r}, which the examples do not have.",
                fix=nearest(column, examples.read(paths).column_names),
            )
    # A slice column may be the label itself, so it gets a name of its own.
    data = pl.DataFrame(pl.from_arrow(table))
    rows = data.select(
        pl.col(label).cast(pl.Float64).alias(LABEL),
        *(pl.col(name).cast(pl.String).fill_null("(missing)") for name in wanted),
    ).with_columns(pl.Series(PREDICTION, _answers(model, paths)))
    if not (champion / MANIFEST).exists():
        return rows, ""
    try:
        answers = _answers(champion, paths)
    except Exception as error:  # a model of another time may fail on these rows in any way
        return rows, str(error).strip().partition("\n")[0][:300]
    return rows.with_columns(pl.Series(CHAMPION, answers)), ""


def _answers(model: Path, paths: list[str]) -> np.ndarray:
    answers = predict(model, paths).astype(np.float64)
    wrong = int((~np.isfinite(answers)).sum())
    if wrong:
        raise DataError(
            f"The model answers NaN or infinity on {wrong:,} of {len(answers):,} test rows.",
            fix="Have preprocessing_fn fill missing values, and keep model.py's numbers bounded.",
        )
    return answers

"""How well one feature alone predicts the label, out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from headrace.components.shared.config.project import Label

_FOLDS = 3
_SEED = 17


@dataclass(frozen=True)
class Score:
    """AUC or R² of one feature alone, and what the relation looks like."""

    feature: str
    value: float
    evidence: str


def single_feature_score(rows: pl.DataFrame, name: str, label: Label) -> Score:
    """Cross-validated score of a small model on one column.

    Numbers go through a shallow tree (missing values are a branch), texts through scikit-learn's
    out-of-fold target encoding.

    Args:
        rows: Sampled rows with a label in each.
        name: The column.
        label: What to predict.

    Returns:
        AUC between 0.5 and 1 for a binary label, R² between 0 and 1 for a regression.
    """
    from sklearn.metrics import r2_score, roc_auc_score

    truth = rows[label.column].cast(pl.Float64).to_numpy()
    predicted = _out_of_fold(rows[name], truth, label)
    if label.task == "regression":
        value = max(0.0, float(r2_score(truth, predicted)))
    else:
        value = max(0.5, float(roc_auc_score(truth, predicted)))
    return Score(name, value, _evidence(rows, name, label))


def _out_of_fold(column: pl.Series, truth: np.ndarray, label: Label) -> np.ndarray:
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.preprocessing import TargetEncoder
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if not (column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean):
        kind = "continuous" if label.task == "regression" else "binary"
        encoder = TargetEncoder(target_type=kind, cv=_FOLDS, random_state=_SEED)
        texts = column.cast(pl.String).fill_null("(missing)").to_numpy().reshape(-1, 1)
        return encoder.fit_transform(texts, truth)[:, 0]  # type: ignore[no-any-return]
    values = column.cast(pl.Int64) if column.dtype.is_temporal() else column
    matrix = values.cast(pl.Float32).to_numpy().reshape(-1, 1)
    leaf = max(5, len(matrix) // 500)
    folds = KFold(_FOLDS, shuffle=True, random_state=_SEED)
    if label.task == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=32, min_samples_leaf=leaf)
        return cross_val_predict(tree, matrix, truth, cv=folds)  # type: ignore[no-any-return]
    tree = DecisionTreeClassifier(max_leaf_nodes=32, min_samples_leaf=leaf)
    scores = cross_val_predict(tree, matrix, truth, cv=folds, method="predict_proba")
    return scores[:, 1]  # type: ignore[no-any-return]


def _evidence(rows: pl.DataFrame, name: str, label: Label) -> str:
    """The mean label where the feature says most and least, in groups of a useful size."""
    column = pl.col(name)
    if rows[name].dtype.is_numeric() and rows[name].n_unique() > 20:
        column = column.qcut(10, allow_duplicates=True).cast(pl.String)
    groups = (
        rows.select(column.cast(pl.String).fill_null("missing").alias("group"), label.column)
        .group_by("group")
        .agg(pl.col(label.column).cast(pl.Float64).mean().alias("mean"), pl.len().alias("rows"))
        .filter(pl.col("rows") >= max(5, rows.height // 200))
        .sort("mean")
    )
    if groups.height < 2:
        return "too few rows per value to describe"
    low, high = groups.row(0, named=True), groups.row(-1, named=True)
    return (
        f"mean label {high['mean']:.4g} where it is {high['group']} ({high['rows']:,} rows), "
        f"{low['mean']:.4g} where it is {low['group']} ({low['rows']:,} rows)"
    )

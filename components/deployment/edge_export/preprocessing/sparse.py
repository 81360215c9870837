"""Rules for sparse tensors, which is what features with missing values are to tf.Transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.preprocessing.expressions import ROWS, Expressions
from headrace.components.deployment.edge_export.preprocessing.rules import Rule
from headrace.components.deployment.edge_export.preprocessing.values import (
    NotTranslatable,
    Places,
    Present,
    Value,
    dense,
    dimensions,
)


def where(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Where`` with one argument: the indices of a sparse tensor."""
    mask = dense(values[0])
    if mask.dtype != np.bool_ or mask.shape[:1] != (ROWS,):
        raise NotTranslatable("it looks for non-zero values")
    return Places(mask)


def gather_nd(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``GatherNd`` at a mask's places: the values of a sparse tensor."""
    data, places = values
    if not isinstance(places, Places) or dense(data).shape != places.mask.shape:
        raise NotTranslatable("its indices are no mask's places")
    return Present(dense(data), places.mask)


def sparse_to_dense(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``SparseToDense``: the default where there is no value."""
    places, shape, data, default = values
    if not isinstance(places, Places):
        raise NotTranslatable("its indices are no mask's places")
    if dimensions(shape) != places.mask.shape:
        raise NotTranslatable("the dense tensor has another shape than the sparse one")
    if isinstance(data, Present) and data.mask is not places.mask:
        raise NotTranslatable("its values belong to other indices")
    inner = data.dense if isinstance(data, Present) else dense(data)
    return make.make("select", places.mask, inner, dense(default))


#: Operation to its rule.
RULES: dict[str, Rule] = {
    "GatherNd": gather_nd,
    "SparseToDense": sparse_to_dense,
    "Where": where,
}

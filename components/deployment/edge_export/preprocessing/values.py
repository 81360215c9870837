"""What a tensor of the frozen graph stands for, where that is no expression over all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace.components.deployment.edge_export.preprocessing.expressions import (
    ROWS,
    Expression,
)


class NotTranslatable(Exception):
    """An operation, or this use of it, has no counterpart; the message says which."""


@dataclass(frozen=True)
class Dimensions:
    """A shape that contains the number of rows, or one size out of it.

    Attributes:
        sizes: Numbers, and :data:`ROWS`.
        scalar: Is it one size rather than a vector?
    """

    sizes: tuple[int | str, ...]
    scalar: bool = False


@dataclass(frozen=True)
class Places:
    """Where a mask is true: the indices of a sparse tensor.

    Attributes:
        mask: Booleans of all rows.
    """

    mask: Expression


@dataclass(frozen=True)
class Present:
    """The values of a sparse tensor.

    Attributes:
        dense: The same for all rows; where the mask is false, of no meaning.
        mask: Which of them exist.
    """

    dense: Expression
    mask: Expression


@dataclass(frozen=True)
class Table:
    """A look-up table.

    Attributes:
        handle: TensorFlow's handle of the live table.
    """

    handle: Any


Value = Expression | Dimensions | Places | Present | Table


def dense(value: Value) -> Expression:
    """The expression that an operation needs here.

    Raises:
        NotTranslatable: it is something else.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, Present):
        raise NotTranslatable("it mixes the values of a sparse tensor with others")
    raise NotTranslatable(f"it computes with {_KIND[type(value)]}")


def fixed(value: Value) -> list[Any]:
    """The numbers of a constant, flat.

    Raises:
        NotTranslatable: it depends on the features.
    """
    expression = dense(value)
    if not expression.constant:
        raise NotTranslatable("its axis, shape or size depends on the features")
    flat: list[Any] = expression.value.ravel().tolist()
    return flat


def dimensions(value: Value) -> tuple[int | str, ...]:
    """A shape argument: numbers, :data:`ROWS` or -1.

    Raises:
        NotTranslatable: it depends on the features' values.
    """
    return value.sizes if isinstance(value, Dimensions) else tuple(fixed(value))


def axis_of(axis: int, shape: tuple[int | str, ...], *, extra: int = 0) -> int:
    """A dimension counted from the front, which must not be the rows.

    Args:
        axis: As TensorFlow has it, maybe negative.
        shape: The shape that it counts in.
        extra: Dimensions that the operation adds.

    Raises:
        NotTranslatable: it is the rows.
    """
    place = axis + len(shape) + extra if axis < 0 else axis
    if not extra and shape[place] == ROWS:
        raise NotTranslatable("it combines different rows")
    return place


_KIND = {
    Dimensions: "the number of rows",
    Places: "the positions of present values",
    Table: "a table",
}

"""On-demand feature views: features that a user's function computes while a request is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.utils import _parse_feature_ref
from feast.value_type import ValueType

from headrace.components.shared.errors import ProjectCodeError

Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class OnDemandPlan:
    """How to compute the features of one on-demand view.

    Attributes:
        name: The view's name.
        inputs: View and feature that the function reads, with the names it may use for them.
        outputs: The function's name, the answer's name and the type of each feature asked for.
        compute: Calls the function: columns in, columns out.
    """

    name: str
    inputs: tuple[tuple[str, str, tuple[str, str]], ...]
    outputs: tuple[tuple[str, str, ValueType], ...]
    compute: Callable[[dict[str, list[Any]], int], Columns]

    def __call__(self, inputs: dict[str, list[Any]], rows: int) -> dict[str, list[Any]]:
        """The answer's columns.

        Raises:
            ProjectCodeError: The function raised, or left out a feature.
        """
        try:
            computed = self.compute(inputs, rows)
            return {
                shown: _as_declared(computed[name], kind, rows)
                for name, shown, kind in self.outputs
            }
        except Exception as error:
            raise ProjectCodeError(
                f"On-demand feature view {self.name!r} raised {type(error).__name__}: {error}",
                fix="Correct its function. It must return every feature of its schema, and its "
                "inputs are None when an entity is unknown or its features are too old.",
            ) from error


def plan_on_demand(view: Any, refs: Sequence[str], full: bool) -> OnDemandPlan:
    """Prepares what an on-demand view needs."""
    name = view.projection.name_to_use()
    kinds = {feature.name: feature.dtype.to_value_type() for feature in view.features}
    wanted = [feature for owner, _, feature in map(_parse_feature_ref, refs) if owner == name]
    return OnDemandPlan(
        name=view.name,
        inputs=tuple(
            (source.name, feature.name, (feature.name, f"{source.name}__{feature.name}"))
            for source in view.source_feature_view_projections.values()
            for feature in source.features
        ),
        outputs=tuple(
            (feature, f"{name}__{feature}" if full else feature, kinds[feature])
            for feature in wanted
        ),
        compute=_computation(view),
    )


def _computation(view: Any) -> Callable[[dict[str, list[Any]], int], Columns]:
    function = view.feature_transformation.udf
    if view.mode == "pandas":
        return lambda inputs, rows: _with_pandas(function, inputs)
    if not view.singleton:
        return lambda inputs, rows: function(inputs)
    return lambda inputs, rows: _row_by_row(function, inputs, rows)


def _row_by_row(
    function: Callable[[dict[str, Any]], Mapping[str, Any]],
    inputs: dict[str, list[Any]],
    rows: int,
) -> Columns:
    """For functions that take one row; Feast would compute the first row alone."""
    done = [function({name: values[row] for name, values in inputs.items()}) for row in range(rows)]
    return {name: [row[name] for row in done] for name in (done[0] if done else ())}


def _with_pandas(function: Callable[[Any], Any], inputs: dict[str, list[Any]]) -> Columns:
    import pyarrow as pa

    # Through Arrow, as Feast does, so that the function sees the same pandas types.
    answer = function(pa.Table.from_pydict(inputs).to_pandas())
    table = pa.Table.from_pandas(answer, preserve_index=False)
    return {name: table[name].to_numpy() for name in table.column_names}


def _as_declared(values: Any, kind: ValueType, rows: int) -> list[Any]:
    """The values as they would be after a way through Feast's protobuf types."""
    if len(values) != rows:
        raise ValueError(f"it returned {len(values)} values for {rows} rows")
    protos = python_values_to_proto_values(values, kind)
    return [feast_value_type_to_python_type(proto) for proto in protos]

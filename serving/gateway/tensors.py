"""What the model gets: features after the policy, as tensors; and its answer as columns."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.config import Action, State
from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.features import Features
from headrace.serving.gateway.model_server import Signature
from headrace.serving.gateway.protocol import serving_apis


@dataclass(slots=True)
class Served:
    """Values for the model.

    Attributes:
        inputs: Per input and row: what is sent.
        flags: Per row: features that had no value, why, and what was sent instead.
        rejected: Rows that get no prediction, with the reason.
    """

    inputs: dict[str, Sequence[Any]]
    flags: list[dict[str, Flag]]
    rejected: dict[int, Flag] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flag:
    """A feature that had no value.

    Attributes:
        feature: Its name.
        view: Its feature view; empty for what the caller brings.
        state: Why.
        action: What was done.
    """

    feature: str
    view: str
    state: State
    action: Action


@dataclass(frozen=True)
class _Kind:
    """How values of a type are in a ``TensorProto``: the field, and NumPy's name of the type."""

    field: str
    numpy: str


_KINDS: Mapping[str, _Kind] = {
    "DT_FLOAT": _Kind("float_val", "<f4"),
    "DT_DOUBLE": _Kind("double_val", "<f8"),
    "DT_INT32": _Kind("int_val", "<i4"),
    "DT_INT64": _Kind("int64_val", "<i8"),
    "DT_BOOL": _Kind("bool_val", "?"),
    "DT_STRING": _Kind("string_val", "O"),
}


def serve_values(contract: Contract, features: Features, rows: int) -> Served:
    """Applies the policy."""
    served = Served({}, [{} for _ in range(rows)])
    known = contract.service.features if contract.service else {}
    for item in contract.inputs:
        values = features.values[item.name]
        if None not in values:
            served.inputs[item.name] = values
            continue
        view = known[item.name].view if item.name in known else ""
        column = list(values)
        for row, value in enumerate(values):
            if value is None:
                state = features.state(view, row) if view else State.MISSING
                flag = Flag(item.name, view, state, item.rules.actions[state])
                served.flags[row][item.name] = flag
                default = flag.action is Action.DEFAULT
                column[row] = item.rules.default if default else item.rules.missing
                if flag.action is Action.REJECT:
                    served.rejected.setdefault(row, flag)
        served.inputs[item.name] = column
    return served


def predict_request(contract: Contract, served: Served, rows: int) -> Any:
    """The ``PredictRequest`` for all rows that are not rejected."""
    apis = serving_apis()
    request = apis.PredictRequest()
    spec = request.model_spec
    spec.name, spec.version.value = contract.model, contract.version
    spec.signature_name = contract.signature.name
    kept = [row for row in range(rows) if row not in served.rejected]
    shape = {"dim": [{"size": len(kept)}]}
    template = apis.TensorProto(tensor_shape=shape)
    fields = _fields()
    for item in contract.inputs:
        values = served.inputs[item.name]
        if len(kept) != rows:
            values = [values[row] for row in kept]
        tensor = request.inputs[item.name]
        tensor.CopyFrom(template)
        tensor.dtype = item.dtype
        texts = item.dtype == apis.types.DT_STRING
        if texts:
            values = [value.encode() for value in values]
        getattr(tensor, fields[item.dtype]).extend(values)
    return request


def outputs_of(response: Any) -> dict[str, list[Any]]:
    """The answer's outputs by name, one value (or list) per row.

    Any encoding that TensorFlow Serving may choose is understood.
    """
    return {name: _values(tensor) for name, tensor in response.outputs.items()}


def probe_request(contract: Contract) -> Any:
    """A request of one row of zeros and empty texts."""
    texts = serving_apis().types.DT_STRING
    inputs: dict[str, Any] = {
        item.name: ["" if item.dtype == texts else 0] for item in contract.inputs
    }
    return predict_request(contract, Served(inputs, [{}]), 1)


@functools.cache
def _fields() -> dict[int, str]:
    """Field of a ``TensorProto`` by ``DataType``."""
    types = serving_apis().types
    return {types.DataType.Value(name): kind.field for name, kind in _KINDS.items()}


def _values(tensor: Any) -> list[Any]:
    import numpy as np

    kind = _KINDS[serving_apis().types.DataType.Name(tensor.dtype)]
    if tensor.tensor_content:
        flat = np.frombuffer(tensor.tensor_content, kind.numpy)
    else:
        flat = np.array(getattr(tensor, kind.field), kind.numpy)
    if kind.numpy == "O":
        flat = np.array([text.decode("utf-8", "replace") for text in flat], "O")
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    # A list that is too short repeats its last value.
    missing = int(np.prod(sizes)) - flat.size
    if missing > 0 and flat.size:
        flat = np.concatenate([flat, np.repeat(flat[-1:], missing)])
    values: list[Any] = flat.reshape(sizes).tolist()
    return values


def check_types(signature: Signature) -> None:
    """Refuses inputs of types that JSON cannot bring.

    Raises:
        ConfigError: there is one.
    """
    types = serving_apis().types.DataType
    for name, dtype in signature.inputs.items():
        if dtype not in _fields():
            raise ConfigError(
                f"Input {name!r} of the model is {types.Name(dtype)}; the gateway sends "
                f"{', '.join(sorted(_KINDS))}.",
                fix="Export a signature whose inputs have these types.",
            )

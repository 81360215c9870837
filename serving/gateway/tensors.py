"""What the model gets: features after the policy, as tensors; and its answer as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.config import Action, State
from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.features import Features
from headrace.serving.gateway.model_server import Signature
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import field_of, from_proto


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


#: Types that JSON can bring.
_TAKEN = ("DT_BOOL", "DT_DOUBLE", "DT_FLOAT", "DT_INT32", "DT_INT64", "DT_STRING")


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
        getattr(tensor, field_of(item.dtype)).extend(values)
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


def _values(tensor: Any) -> list[Any]:
    array = from_proto(tensor)
    if array.dtype.kind == "O":
        texts = [text.decode("utf-8", "replace") for text in array.ravel()]
        array = np.array(texts, object).reshape(array.shape)
    values: list[Any] = array.tolist()
    return values


def check_types(signature: Signature) -> None:
    """Refuses inputs of types that JSON cannot bring.

    Raises:
        ConfigError: there is one.
    """
    types = serving_apis().types.DataType
    for name, dtype in signature.inputs.items():
        if types.Name(dtype) not in _TAKEN:
            raise ConfigError(
                f"Input {name!r} of the model is {types.Name(dtype)}; the gateway sends "
                f"{', '.join(_TAKEN)}.",
                fix="Export a signature whose inputs have these types.",
            )

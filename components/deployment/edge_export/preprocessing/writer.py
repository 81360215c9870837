"""``preprocessing.json``: what a device does to raw features before it asks the model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.preprocessing import graph
from headrace.components.deployment.edge_export.preprocessing.expressions import Expression
from headrace.components.deployment.edge_export.preprocessing.translate import Translation
from headrace.serving.edge.runtime.preprocessing import FORMAT


def write(saved_model: Path | Any, target: Path) -> dict[str, str]:
    """Writes the preprocessing of a model that ``trainer`` exported.

    Args:
        saved_model: Folder of the SavedModel, or what TensorFlow loaded of it.
        target: ``preprocessing.json``.

    Returns:
        Raw feature to its type: ``float32``, ``int64`` or ``string``.

    Raises:
        ProjectCodeError: the preprocessing has an operation that devices do not have.
        StepError: the model carries no preprocessing of its own.
    """
    translation = Translation(graph.read(saved_model))
    target.write_text(_json(spec(translation)), encoding="utf-8")
    return translation.inputs


def spec(translation: Translation) -> dict[str, Any]:
    """The content of the file; a step stands after those that it takes from."""
    steps: list[dict[str, Any]] = []
    places: dict[int, int] = {}

    def place(expression: Expression) -> int:
        if id(expression) not in places:
            step = _step(expression)
            if expression.inputs:
                step["inputs"] = [place(one) for one in expression.inputs]
            places[id(expression)] = len(steps)
            steps.append(step)
        return places[id(expression)]

    outputs = {name: place(one) for name, one in translation.outputs.items()}
    inputs = {
        name: {"dtype": dtype, "optional": name in translation.optional}
        for name, dtype in translation.inputs.items()
    }
    return {"format": FORMAT, "inputs": inputs, "steps": steps, "outputs": outputs}


def _step(expression: Expression) -> dict[str, Any]:
    if not expression.constant:
        return {"op": expression.operation, **expression.attributes}
    value = expression.value
    dtype = "string" if value.dtype == object else value.dtype.name
    numbers = [_number(one) for one in value.ravel()]
    return {"op": "constant", "dtype": dtype, "shape": list(value.shape), "values": numbers}


def _number(value: Any) -> Any:
    """A value for JSON, as short as it can be without loss."""
    if not isinstance(value, np.floating):
        return value.item() if isinstance(value, np.generic) else value
    exact = float(value)
    if not math.isfinite(exact):
        return str(exact)
    short = float(np.format_float_scientific(value))
    return short if type(value)(short) == value else exact


def _json(content: dict[str, Any]) -> str:
    """One line per step, so that two versions can be compared."""
    lines = [json.dumps(step, allow_nan=False) for step in content["steps"]]
    parts = [
        f'"format": {content["format"]}',
        f'"inputs": {json.dumps(content["inputs"])}',
        f'"outputs": {json.dumps(content["outputs"])}',
        '"steps": [\n' + ",\n".join(lines) + "\n]",
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"

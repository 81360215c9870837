"""What is sent to the model for a feature that has no value, and what the caller is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.signatures import MISSING_INT, MISSING_TEXT
from headrace.components.shared.text import nearest
from headrace.serving.gateway.config import Action, FeatureRules, Model, Rules, State
from headrace.serving.gateway.protocol import serving_apis


@dataclass(frozen=True)
class InputRules:
    """What to do for one input of the model.

    Attributes:
        actions: By the reason why there is no value.
        default: What ``default`` sends.
        missing: How a missing value travels in the input's tensor; None if the model takes none.
    """

    actions: Mapping[State, Action]
    default: Any
    missing: Any


def rules_for(
    settings: Model, inputs: Mapping[str, int], views: Mapping[str, str], required: frozenset[str]
) -> dict[str, InputRules]:
    """The rules of every input: of the feature, else of its view, else of the model.

    Args:
        settings: The model's part of ``gateway.yaml``.
        inputs: TensorFlow's type of each input.
        views: The view of each feature.
        required: Inputs without which the model was never trained; they are never omitted.

    Raises:
        ConfigError: ``gateway.yaml`` names a feature or view that the model does not have, or a
            default of a wrong type.
    """
    _check_names(settings.features, inputs, "features")
    _check_names(settings.views, views.values(), "views")
    return {
        name: _rules(settings, name, dtype, views.get(name, ""), optional=name not in required)
        for name, dtype in inputs.items()
    }


def _rules(settings: Model, name: str, dtype: int, view: str, *, optional: bool) -> InputRules:
    own = settings.features.get(name, FeatureRules())
    levels: list[Rules] = [own, settings.views.get(view, Rules()), settings.policy]
    actions = {}
    for state in State:
        said = (level.action(state) for level in levels)
        action = next((action for action in said if action is not None), Action.OMIT)
        # A model that was never trained without this feature would take the missing value for a
        # real one.
        if action is Action.OMIT and not optional:
            action = Action.REJECT
        actions[state] = action
    return InputRules(actions, _default(own.default, name, dtype), missing_value(dtype))


def missing_value(dtype: int) -> Any:
    """How a missing value travels in a tensor of that type."""
    types = serving_apis().types
    if dtype == types.DT_STRING:
        return MISSING_TEXT
    return MISSING_INT if dtype == types.DT_INT64 else math.nan


def _default(value: Any, name: str, dtype: int) -> Any:
    types = serving_apis().types
    expected: dict[int, tuple[type, ...]] = {types.DT_STRING: (str,), types.DT_INT64: (int,)}
    wanted = expected.get(dtype, (int, float))
    if value is None or isinstance(value, wanted):
        return value
    raise ConfigError(
        f"features.{name}.default in gateway.yaml is {value!r}, but the model takes "
        f"{types.DataType.Name(dtype).removeprefix('DT_').lower()}.",
        fix="Give a value of that type.",
    )


def _check_names(given: Mapping[str, Any], known: Any, where: str) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(
                f"gateway.yaml has rules for {where}.{name}, which the model does not have.",
                fix=nearest(name, known),
            )
